// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * A client of Redis over SDP. Commands and replies are bytes of RESP: append_command() makes
 * the ones, reply_length() finds the end of the others.
 */
#ifndef SDP_REDIS_CLIENT_HPP
#define SDP_REDIS_CLIENT_HPP

#include "protocol.hpp"

#include <sdp/channel.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sdp::redis {

/** Appends a command, its name first. */
void append_command(std::string &to, std::span<const std::string_view> words);
void append_command(std::string &to, std::initializer_list<std::string_view> words);

/** Bytes of the first reply in @p bytes; no value: it is not there in full. @throws
 * std::invalid_argument if it is no RESP. */
[[nodiscard]] std::optional<std::size_t> reply_length(std::string_view bytes);

/** Numbers of connections on one channel, each taken once, and again after a thousand million. */
class connection_numbers {
public:
	[[nodiscard]] std::uint32_t take() noexcept { return next_++ % most_connection; }

private:
	std::atomic<std::uint32_t> next_ = 0;
};

/** Like a TCP connection to Redis: with a database, a user, a transaction. One thread at a time. */
class client_connection {
public:
	/** @param on outlives it, @param numbers too: those of all connections on this channel. */
	client_connection(channel &on, connection_numbers &numbers) noexcept
		: on_(&on), numbers_(&numbers), number_(numbers.take())
	{
	}

	/**
	 * Sends @p commands, which need not be whole, and waits for the replies to those that
	 * are. Not more than most_body bytes. After a failure, and when the server has ended
	 * it, the next begins anew: without what Redis remembered, and under another number, so
	 * that a call that arrives late is not of it.
	 */
	[[nodiscard]] result<std::string> execute(std::string_view commands,
						  const call_options &options = {});
	/** Tells the server that this was all. */
	void end();
	/** Whether the server has something of it. */
	[[nodiscard]] bool is_open() const noexcept { return is_open_; }
	/** The present one. */
	[[nodiscard]] std::uint32_t number() const noexcept { return number_; }

private:
	channel *on_;
	connection_numbers *numbers_;
	std::uint32_t number_;
	bool is_open_ = false;
	std::optional<pending_call> farewell_{}; /**< to one that has failed */
};

/** A server. Any thread. */
class client {
public:
	/** @throws as sdp::channel. */
	client(std::string target, std::shared_ptr<const credentials> who,
	       const channel_options &options = {})
		: channel_(std::move(target), std::move(who), options)
	{
	}

	/**
	 * Begins a call of whole commands, at most most_body bytes, for which the server
	 * remembers nothing before or after; the replies are the body of its reply, which they
	 * have to fit. MULTI to EXEC in one call is a transaction.
	 */
	[[nodiscard]] pending_call start(std::string_view commands,
					 const call_options &options = {})
	{
		return channel_.call(begins | ends, commands, options);
	}
	/** Likewise, and waits. */
	[[nodiscard]] result<std::string> execute(std::string_view commands,
						  const call_options &options = {});
	/** @return one that is used while this is there. */
	[[nodiscard]] client_connection connect() noexcept { return {channel_, numbers_}; }
	[[nodiscard]] channel &underlying() noexcept { return channel_; }

private:
	connection_numbers numbers_;
	channel channel_;
};

} // namespace sdp::redis

#endif
