// SPDX-License-Identifier: Apache-2.0
// Authorities and certificates, made in memory.
#ifndef SDP_TLS_TESTS_LAB_HPP
#define SDP_TLS_TESTS_LAB_HPP

#include "openssl.hpp"

#include <string>
#include <vector>

namespace lab {

using sdp::tls::key_ptr;
using sdp::tls::x509_ptr;

/** What a certificate says; times in seconds from now. */
struct wish {
	std::string name;
	bool server = true, client = true; /**< what it is for */
	long from = -3600, until = 3600;
};

struct certificate {
	x509_ptr x509;
	key_ptr key;

	[[nodiscard]] std::string chain() const;
	[[nodiscard]] std::string private_key() const;
	[[nodiscard]] sdp::tls::digest pin() const;
};

class authority {
public:
	explicit authority(const std::string &name, const authority *above = nullptr);

	[[nodiscard]] certificate issue(const wish &what) const;
	[[nodiscard]] std::string pem() const { return own_.chain(); }
	/** A list that takes @p which back. */
	[[nodiscard]] std::string revoke(const std::vector<const certificate *> &which,
					 long until = 3600) const;

private:
	certificate own_;
};

} // namespace lab

#endif
