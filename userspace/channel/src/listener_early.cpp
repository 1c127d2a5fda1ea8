// SPDX-License-Identifier: Apache-2.0
// Requests that came as early data: handed out as all others; their answers go with the handshake,
// or wait for who asks for them.
#include "listener_core.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace sdp::inline v0::detail {

/** Whatever is said of it: its client learns that it was taken. */
early_answer listener_core::take_early(early_arrival &&what, principal who)
{
	const early_token token = what.token;
	arrival made;
	made.peer = what.peer;
	made.is_request = true;
	made.secure = true;
	made.bytes = std::move(what.request);
	made.early = token;
	made.who = std::make_shared<const principal>(std::move(who));
	switch (early_answers_.begin(token, made.who->name, clock::now())) {
	case early_answers::begun::again:
		return {};
	case early_answers::begun::full:
		++busy_;
		return [said = make_reply({.status = status::busy}, {})](std::size_t most) {
			return said.size() <= most ? std::optional(said) : std::nullopt;
		};
	case early_answers::begun::yes:
		break;
	}
	admit(std::move(made));
	return [this, token](std::size_t most) -> std::optional<std::vector<std::byte>> {
		const auto answer = early_answers_.take(token, most, clock::now());
		return answer ? std::optional(*answer) : std::nullopt;
	};
}

void listener_core::collect(const return_path &to, bytes_view token)
{
	early_token which{};
	if (token.size() != which.size()) {
		++malformed_;
		turn_away(to, status::malformed, "a token has 16 bytes");
		return;
	}
	std::ranges::copy(token, which.begin());
	const auto what = early_answers_.collect(which, to, clock::now());
	if (!what.is_known) {
		turn_away(to, status::not_answered, "nothing is known of these early data");
	}
	if (what.before) {
		turn_away(*what.before, status::not_answered, "it was asked for again");
	}
	if (what.answer) {
		try {
			send_collected(to, *what.answer);
		} catch (const std::exception &) {
			turn_away(to, status::not_answered, "the answer cannot be sent");
		}
	}
}

/** The reply in a reply: what is said of the question is not said of the request. */
void listener_core::send_collected(const return_path &to, bytes_view answer)
{
	const auto message = std::make_shared<outgoing>();
	message->to = to.peer;
	message->id = to.id;
	message->bytes = std::make_shared<const std::vector<std::byte>>(make_reply({}, answer));
	send(message);
}

void listener_core::send_early(const early_token &token, const early_answers::bytes &answer)
{
	const auto waits = early_answers_.answer(token, answer, clock::now());
	if (!waits) {
		return;
	}
	try {
		send_collected(*waits, *answer);
	} catch (const std::exception &) {
		turn_away(*waits, status::not_answered, "the answer cannot be sent");
		throw; // To who answers, as of any other request.
	}
}

} // namespace sdp::inline v0::detail
