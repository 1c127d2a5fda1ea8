// SPDX-License-Identifier: Apache-2.0
/** @file Who one is and whom one believes, for the TLS handshake; and its errors. */
#ifndef SDP_TLS_CREDENTIALS_HPP
#define SDP_TLS_CREDENTIALS_HPP

#include <sdp/export.hpp>
#include <sdp/secret.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace sdp::inline v0::tls {

/** Why there is no session. */
enum class reason : std::uint8_t {
	none,
	no_answer,      /**< nothing that makes sense has come in time */
	unreachable,    /**< the network says so, which anybody can */
	version,        /**< of TLS, or of the handshake */
	malformed,      /**< bytes that are none of TLS's, or not in their place */
	truncated,      /**< a flight that ends too soon */
	untrusted,      /**< no chain to an authority that is believed */
	wrong_name,     /**< a certificate for somebody else */
	expired,        /**< a certificate, or a list of revoked ones, of the past */
	not_yet_valid,  /**< a certificate of the future */
	revoked,        /**< a certificate that its issuer has taken back */
	no_list,        /**< there are lists of revoked certificates, none of this issuer */
	wrong_purpose,  /**< a certificate that is not for this end */
	wrong_key,      /**< the key is not a pinned one */
	no_certificate, /**< the peer showed none */
	no_shared_key,  /**< the peers have no external key in common */
	wrong_protocol, /**< the peer agreed to another application protocol */
	other_peer,     /**< the ends do not mean each other: ports, addresses */
	itself,         /**< what was sent to the peer came back to this host */
	declined,       /**< cipher or record size */
	not_allowed,    /**< the server knows who this is, and does not serve it */
	busy,           /**< the server has no room, or has been asked too often */
	refused,        /**< the peer ended it with an alert; the text names it */
};

/** One sentence. */
[[nodiscard]] SDP_EXPORT std::string_view describe(reason why) noexcept;
/** The errno value that stands for it in sdp::category(). */
[[nodiscard]] SDP_EXPORT int errno_of(reason why) noexcept;

/** A handshake that failed. */
class SDP_EXPORT error : public std::system_error {
public:
	error(tls::reason why, const std::string &details, bool certain = true);
	~error() override;
	error(const error &) = default;
	error &operator=(const error &) = default;

	[[nodiscard]] reason why() const noexcept { return why_; }
	/**
	 * False: nobody has shown to be the server, and anybody in the network may have brought
	 * about what it looks like. The next try may be as good as any.
	 */
	[[nodiscard]] bool is_certain() const noexcept { return is_certain_; }

private:
	tls::reason why_;
	bool is_certain_;
};

using digest = std::array<std::byte, 32>;

/** A key that both ends were given beforehand. */
struct external_psk {
	std::string id; /**< 1 to 128 bytes; the network sees it */
	secret key;
};

/** Text in PEM, and what else says whom to believe. */
struct settings {
	/** This end's certificate and those between it and the authority, in this order. */
	std::string chain{};
	/** The private key of the first. */
	std::string key{};
	/** Certificates of authorities; none besides. */
	std::string authorities{};
	/** Lists of revoked certificates. If there is one, each issuer has to have one. */
	std::string revoked{};
	/** SHA-256 of SubjectPublicKeyInfo: the peer's is one of them. Without authorities,
	 * that alone decides, and whether the certificate is of this time. */
	std::vector<digest> pins{};
	/** What a client may be called, at a server: empty, whatever the authority signed. */
	std::vector<std::string> allowed{};
	/** Instead of certificates: a client offers the first, a server takes each. */
	std::vector<external_psk> keys{};
	/** Whether a client and a server that know each other may leave the certificates out. */
	bool resumption = true;
};

/** Settings, checked and ready; shared by all handshakes, on any thread. */
class SDP_EXPORT credentials {
public:
	/** @throws std::system_error EINVAL: what @p from says makes no sense; says where. */
	explicit credentials(settings from);
	~credentials();
	credentials(const credentials &) = delete;
	credentials &operator=(const credentials &) = delete;
	credentials(credentials &&) = delete;
	credentials &operator=(credentials &&) = delete;

	struct state;
	[[nodiscard]] state &inside() const noexcept { return *state_; }

private:
	std::unique_ptr<state> state_;
};

/** Files in PEM. Empty: none. */
struct files {
	std::filesystem::path chain{}, key{}, authorities{}, revoked{};
};

/**
 * Reads them. The key's is for its owner alone, as with secret::load().
 * @throws std::system_error from reading; EPERM if others have access to the key.
 */
[[nodiscard]] SDP_EXPORT settings load(const files &from);

/** chain.pem, key.pem, ca.pem and, if it is there, revoked.pem of @p folder. @throws as load(). */
[[nodiscard]] SDP_EXPORT settings load_folder(const std::filesystem::path &folder);

/** Who the other end is, once that is certain. */
struct identity {
	std::string name{};               /**< common name, or id of the external key */
	std::vector<std::string> names{}; /**< DNS names and addresses in the certificate */
	digest key{};                     /**< SHA-256 of SubjectPublicKeyInfo, or of the id */
	bool certificate = false;         /**< rather than an external key */
	bool resumed = false;             /**< shown in an earlier handshake, and checked again */
};

} // namespace sdp::inline v0::tls

#endif
