// SPDX-License-Identifier: Apache-2.0
#include "psk_caller.hpp"

#include <algorithm>

namespace sdp::inline v0::psk {

namespace {

constexpr clock::duration first_interval = std::chrono::milliseconds(100);
constexpr clock::duration longest_interval = std::chrono::seconds(1);

} // namespace

caller::caller(const keys &with, const wish &wish, const place &own, const ip_bytes &called,
	       clock::time_point now, clock::duration patience)
	: keys_(with),
	  wish_(wish),
	  own_(own),
	  called_(called),
	  patient_until_(now + patience),
	  next_(now),
	  interval_(first_interval)
{
}

clock::time_point caller::next() const
{
	return !chosen_ && translated_ ? std::min(next_, patient_until_) : next_;
}

std::optional<packet> caller::send(clock::time_point now)
{
	if (!chosen_ && translated_ && now >= patient_until_) {
		choose(*translated_, false, now);
	}
	if (now < next_) {
		return std::nullopt;
	}
	next_ = now + interval_;
	interval_ = std::min(2 * interval_, longest_interval);
	fields what;
	what.kind = chosen_ ? kind::confirm : kind::hello;
	what.wish = wish_;
	what.client = own_;
	if (chosen_) {
		what.cookie = chosen_->cookie;
	}
	return seal(what, keys_.client_code());
}

/** Whether the two ends name their addresses alike: nothing translates them. */
bool caller::is_direct(const fields &what) const
{
	return what.seen == own_ && what.server == called_;
}

void caller::choose(const fields &what, bool direct, clock::time_point now)
{
	chosen_ = what;
	chosen_direct_ = direct;
	next_ = now;
	interval_ = first_interval;
}

/**
 * A packet of ours that somebody else sends on from its own address is challenged, too, and
 * a session made of that would be with that address. So a challenge that names our
 * addresses goes before any other, whichever came first.
 */
void caller::take_challenge(const fields &what, bool direct, clock::time_point now)
{
	const auto newer = [&](const std::optional<fields> &than) {
		return !than || what.cookie.time > than->cookie.time;
	};
	if (direct && (!chosen_direct_ || newer(chosen_))) {
		choose(what, true, now);
	} else if (!direct && !chosen_ && newer(translated_)) {
		translated_ = what;
	} else if (!direct && chosen_ && !chosen_direct_ && what.seen == chosen_->seen &&
		   what.server == chosen_->server && newer(chosen_)) {
		choose(what, false, now);
	}
}

void caller::note_hint(const beginning &what, std::size_t size)
{
	if (what.attempt != wish_.attempt) {
		return;
	}
	if (what.version != our_version) {
		hint_ = reason::version;
		their_version_ = what.version;
	} else if (what.kind == kind::refusal && size == head_length) {
		hint_ = what.reason;
	}
}

void caller::take(bytes_view bytes, clock::time_point now)
{
	const auto begins = beginning_of(bytes);
	if (!begins || accepted_ || refused_ != reason::none) {
		return;
	}
	note_hint(*begins, bytes.size());
	const auto what = open(bytes, keys_.server_code());
	if (!what || what->wish != wish_) {
		return;
	}
	const bool direct = is_direct(*what);
	switch (what->kind) {
	case kind::challenge:
		take_challenge(*what, direct, now);
		break;
	case kind::accept:
		if (direct || (chosen_ && !chosen_direct_ && what->seen == chosen_->seen &&
			       what->server == chosen_->server)) {
			accepted_ = what;
		}
		break;
	case kind::refusal:
		// Another holder of the secret may have been asked, with our packet.
		(direct ? refused_ : hint_) = what->reason;
		break;
	default:
		break;
	}
}

} // namespace sdp::inline v0::psk
