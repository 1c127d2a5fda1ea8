// SPDX-License-Identifier: Apache-2.0
// Calls that go as early data. The server has one, and then it is asked for the answer and never
// sent again; or it has certainly not, and it is sent as any other.
#include "channel_core.hpp"
#include "patience.hpp"

#include <sdp/error.hpp>
#include <sdp/secret.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sdp::inline v0::detail {

namespace {

early_token random_token()
{
	const secret random = secret::random();
	early_token made{};
	std::ranges::copy_n(random.bytes().begin(), made.size(), made.begin());
	return made;
}

} // namespace

std::shared_ptr<const std::vector<std::byte>> channel_core::next_bytes(call_state &what) const
{
	const auto left =
		std::chrono::ceil<std::chrono::milliseconds>(what.deadline - clock::now());
	if (what.collects) {
		std::vector<std::byte> made;
		static_cast<void>(append(made, request_header{.patience = left, .collects = true}));
		made.insert(made.end(), what.collects->begin(), what.collects->end());
		return std::make_shared<const std::vector<std::byte>>(std::move(made));
	}
	if (!what.whole) {
		// It may have waited.
		set_patience(what.bytes, left);
		what.whole = std::make_shared<const std::vector<std::byte>>(std::move(what.bytes));
	}
	return what.whole;
}

/** The first that waits for a session and was never sent. */
std::shared_ptr<early_exchange> channel_core::take_early()
{
	const std::scoped_lock held(lock_);
	const auto found = std::ranges::find_if(for_session_, [](const call &each) {
		return each->phase == call_phase::waits && each->may_be_early && !each->message &&
		       each->bytes.size() <= longest_early;
	});
	if (found == for_session_.end()) {
		return nullptr;
	}
	call_state &what = **found;
	auto made = std::make_shared<early_exchange>();
	auto message = std::make_shared<outgoing>();
	message->bytes = next_bytes(what);
	message->cookie = what.number;
	made->request = *what.whole;
	made->token = random_token();
	what.message = std::move(message);
	what.early = made;
	what.phase = call_phase::is_sent;
	early_ = *found;
	for_session_.erase(found);
	return made;
}

bool channel_core::place_early(const call &what)
{
	const auto had = std::exchange(what->early, nullptr);
	early_fate fate = had->fate;
	if (fate == early_fate::accepted && !is_ready_) {
		fate = early_fate::unknown; // The handshake has failed after that.
	}
	if (fate != early_fate::not_sent && fate != early_fate::withdrawn) {
		++what->tries;
		++counts_.sent;
	}
	switch (fate) {
	case early_fate::accepted:
		++counts_.early;
		if (had->reply) {
			return false;
		}
		what->collects = had->token;
		what->perhaps_executed = true;
		break;
	case early_fate::unknown:
		if (!what->idempotent || !what->retry) {
			return true;
		}
		what->perhaps_executed = true;
		break;
	case early_fate::not_sent:
	case early_fate::withdrawn:    // Never of a call that has not ended.
		what->message.reset(); // As if nothing had been.
		break;
	case early_fate::refused:
		break;
	}
	what->phase = call_phase::waits;
	for_session_.push_front(what);
	return false;
}

void channel_core::collected(const call &what, arrival &&got)
{
	const auto outer = parse_reply(got.bytes);
	if (outer.error == header_error::none && outer.header.status == status::ok) {
		{
			const std::scoped_lock held(lock_);
			what->perhaps_executed = false; // What it says is all that was.
			what->collects.reset();
		}
		got.bytes.erase(got.bytes.begin(),
				got.bytes.begin() + static_cast<std::ptrdiff_t>(outer.length));
		replied(what, std::move(got.bytes));
		return;
	}
	// Whatever it says is about the question: the request may have been executed.
	settle(what,
	       {executed::unknown,
		outer.error == header_error::none ? make_error_code(outer.header.status)
						  : make_code(EPROTO),
		"the answer to early data is lost"},
	       true);
}

} // namespace sdp::inline v0::detail
