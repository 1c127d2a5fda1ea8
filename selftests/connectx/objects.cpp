// SPDX-License-Identifier: Apache-2.0
#include "selftests/connectx/objects.hpp"

#include "selftests/connectx/pci.hpp"
#include <algorithm>

namespace cx {

namespace {

constexpr size_t kinds = static_cast<size_t>(Kind::count);
constexpr const char *names[kinds] = {
	"UAR",        "PD",         "transport domain",
	"mkey",       "EQ",         "CQ",
	"SQ",         "RQ",         "RQT",
	"TIR",        "TIS",        "queue counter",
	"flow table", "flow group", "flow counter",
	"key",
};

// Each kind begins elsewhere: a number of the wrong kind is then no number.
// UAR numbers are pages of the BAR, EQ numbers have eight bits.
constexpr uint32_t first_of(size_t kind)
{
	switch (static_cast<Kind>(kind)) {
	case Kind::uar:
		return 16;
	case Kind::eq:
		return 1;
	case Kind::q_counter:
		return 1;
	default:
		return static_cast<uint32_t>(0x100 + 0x10000 * kind);
	}
}

constexpr uint32_t last_of(size_t kind)
{
	switch (static_cast<Kind>(kind)) {
	case Kind::uar:
		return bar_bytes / 4096 - 1;
	case Kind::eq:
		return 127;
	case Kind::q_counter:
		return 255;
	default:
		return static_cast<uint32_t>(0x10000 + 0x10000 * kind);
	}
}

} // namespace

const char *kind_name(Kind kind)
{
	return names[static_cast<size_t>(kind)];
}

Objects::Objects(Report &report) : report_(report)
{
	clear();
	std::fill_n(limits_, kinds, SIZE_MAX);
}

void Objects::clear()
{
	objects_.clear();
	std::fill_n(counts_, kinds, size_t{0});
	for (size_t kind = 0; kind < kinds; kind++)
		next_[kind] = first_of(kind);
}

std::string Objects::text(Name name)
{
	return std::string(kind_name(name.kind)) + " " + hex(name.number);
}

bool Objects::full(Kind kind, size_t more) const
{
	const auto at = static_cast<size_t>(kind);
	return counts_[at] + more > std::min<size_t>(limits_[at], last_of(at) - first_of(at));
}

uint32_t Objects::create(Kind kind, const std::vector<Name> &uses)
{
	const auto at = static_cast<size_t>(kind);
	if (full(kind)) {
		report_.count("refused for want of a " + std::string(kind_name(kind)));
		return 0;
	}
	for (const auto &used : uses)
		if (!known(used, kind_name(kind)))
			return 0;
	// Numbers are not taken again at once: one that is used after its end is found.
	do {
		if (++next_[at] > last_of(at))
			next_[at] = first_of(at);
	} while (exists({kind, next_[at]}));
	const Name name{kind, next_[at]};
	objects_[name] = {};
	counts_[at]++;
	use(name, uses);
	return name.number;
}

uint32_t Objects::create_range(Kind kind, uint32_t count)
{
	const auto at = static_cast<size_t>(kind);
	if (count == 0 || full(kind, count))
		return 0;
	const auto free = [&](uint32_t first) {
		for (uint32_t i = 0; i < count; i++)
			if (exists({kind, first + i}))
				return i;
		return count;
	};
	uint32_t first = next_[at] + 1;
	for (int tries = 0; tries < 65536; tries++) {
		if (first + count > last_of(at))
			first = first_of(at);
		const auto before = free(first);
		if (before == count) {
			for (uint32_t i = 0; i < count; i++)
				objects_[{kind, first + i}] = {};
			counts_[at] += count;
			next_[at] = first + count - 1;
			return first;
		}
		first += before + 1;
	}
	return 0;
}

bool Objects::use(Name name, const std::vector<Name> &uses)
{
	for (const auto &used : uses)
		if (!known(used, kind_name(name.kind)))
			return false;
	auto &object = objects_[name];
	for (const auto &used : uses)
		objects_[used].users++;
	for (const auto &used : object.uses)
		objects_[used].users--;
	object.uses = uses;
	return true;
}

bool Objects::known(Name name, const char *by)
{
	if (exists(name))
		return true;
	report_.misuse("an object that does not exist", text(name) + ", by " + by);
	return false;
}

bool Objects::destroy(Name name)
{
	const auto found = objects_.find(name);
	if (found == objects_.end() || found->second.users != 0) {
		report_.misuse(found == objects_.end() ? "destroyed without being there"
						       : "destroyed in use",
			       text(name));
		return false;
	}
	for (const auto &used : found->second.uses)
		objects_[used].users--;
	objects_.erase(found);
	counts_[static_cast<size_t>(name.kind)]--;
	return true;
}

size_t Objects::count(Kind kind) const
{
	return counts_[static_cast<size_t>(kind)];
}

std::string Objects::left() const
{
	std::string all;
	for (const auto &[name, object] : objects_)
		all += (all.empty() ? "" : ", ") + text(name);
	return all;
}

} // namespace cx
