// SPDX-License-Identifier: Apache-2.0
#include "listener_core.hpp"

#include <sdp/listener.hpp>

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace sdp::inline v0 {

std::vector<std::byte> detail::make_reply(const reply_header &header, bytes_view body)
{
	std::vector<std::byte> bytes;
	if (const header_error wrong = append(bytes, header); wrong != header_error::none) {
		throw std::invalid_argument(std::string(describe(wrong)));
	}
	bytes.insert(bytes.end(), body.begin(), body.end());
	return bytes;
}

namespace {

void respond(request::contents &to, const reply_header &header, bytes_view body)
{
	if (to.is_answered) {
		throw std::logic_error("a request is answered twice");
	}
	const auto message = std::make_shared<detail::outgoing>();
	message->to = to.message.peer;
	message->id = to.message.id;
	message->early = to.message.early;
	message->bytes =
		std::make_shared<const std::vector<std::byte>>(detail::make_reply(header, body));
	to.of->send(message);
	to.is_answered = true;
	to.of->ended(to);
}

} // namespace

request::request(std::unique_ptr<contents> is) noexcept : is_(std::move(is)) {}

request::~request()
{
	if (!is_ || is_->is_answered) {
		return;
	}
	try {
		respond(*is_, {.status = status::not_answered}, {});
	} catch (const std::exception &) {
		// No memory: its client waits until its deadline.
		is_->of->ended(*is_);
	}
}

request::request(request &&other) noexcept = default;

request &request::operator=(request &&other) noexcept
{
	if (this != &other) {
		const request before = std::move(*this);
		is_ = std::move(other.is_);
	}
	return *this;
}

const method &request::method() const noexcept
{
	return is_->header.method;
}

const metadata &request::metadata() const noexcept
{
	return is_->header.metadata;
}

bytes_view request::body() const noexcept
{
	return bytes_view(is_->message.bytes).subspan(is_->body);
}

std::string_view request::text() const noexcept
{
	const bytes_view bytes = body();
	return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

const address &request::peer() const noexcept
{
	return is_->message.peer;
}

std::optional<principal> request::who() const
{
	if (is_->message.who) {
		return *is_->message.who;
	}
	return is_->of->who(is_->message.peer, is_->message.session);
}

bool request::secure() const noexcept
{
	return is_->message.secure;
}

bool request::early() const noexcept
{
	return is_->message.early.has_value();
}

std::uint32_t request::session() const noexcept
{
	return is_->message.session;
}

std::optional<std::chrono::steady_clock::time_point> request::deadline() const noexcept
{
	return is_->deadline;
}

void request::answer(bytes_view body, const sdp::metadata &with)
{
	respond(*is_, {.metadata = with}, body);
}

void request::refuse(status why, std::string_view text, const sdp::metadata &with)
{
	if (why == status::ok) {
		throw std::invalid_argument("a refusal with the status of an answer");
	}
	respond(*is_, {.status = why, .text = std::string(text), .metadata = with}, {});
}

bool request::is_answered() const noexcept
{
	return is_->is_answered;
}

} // namespace sdp::inline v0
