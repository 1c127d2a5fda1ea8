// SPDX-License-Identifier: Apache-2.0
// The numbers that a driver knows objects by, and which of them use which: an object
// that is used cannot go.
#pragma once

#include "selftests/connectx/report.hpp"
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cx {

enum class Kind : uint8_t {
	uar,
	pd,
	transport_domain,
	mkey,
	eq,
	cq,
	sq,
	rq,
	rqt,
	tir,
	tis,
	q_counter,
	flow_table,
	flow_group,
	flow_counter,
	key,
	count,
};
const char *kind_name(Kind kind);

class Objects {
public:
	struct Name {
		Kind kind;
		uint32_t number;
		auto operator<=>(const Name &) const = default;
	};

	explicit Objects(Report &report);

	/// At most @a most of a kind; the default is no limit.
	void limit(Kind kind, size_t most) { limits_[static_cast<size_t>(kind)] = most; }
	[[nodiscard]] bool full(Kind kind, size_t more = 1) const;
	/// A new number; the objects it @a uses have to be there: if one is not, or the
	/// kind is full, zero.
	uint32_t create(Kind kind, const std::vector<Name> &uses = {});
	/// @a count of them, in a row.
	uint32_t create_range(Kind kind, uint32_t count);
	/// What it uses from now on.
	bool use(Name name, const std::vector<Name> &uses);
	/// False, and reported, if there is none, or it is in use.
	bool destroy(Name name);
	[[nodiscard]] bool exists(Name name) const { return objects_.count(name) != 0; }
	/// The same, and reported when not.
	bool known(Name name, const char *by);
	[[nodiscard]] size_t count(Kind kind) const;
	/// Names of all that is left: a driver that ends has left them behind.
	[[nodiscard]] std::string left() const;
	void clear();

private:
	struct Object {
		std::vector<Name> uses;
		unsigned users = 0;
	};
	static std::string text(Name name);

	Report &report_;
	std::map<Name, Object> objects_;
	size_t limits_[static_cast<size_t>(Kind::count)];
	uint32_t next_[static_cast<size_t>(Kind::count)];
	size_t counts_[static_cast<size_t>(Kind::count)] = {};
};

} // namespace cx
