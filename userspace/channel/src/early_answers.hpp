// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * What became of requests that came as early data, until their clients ask for it: a handshake
 * carries no answer that comes late or is long. Any thread.
 */
#ifndef SDP_CHANNEL_EARLY_ANSWERS_HPP
#define SDP_CHANNEL_EARLY_ANSWERS_HPP

#include "transport.hpp"

#include <sdp/early.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace sdp::inline v0::detail {

class early_answers {
public:
	using clock = std::chrono::steady_clock;
	using bytes = std::shared_ptr<const std::vector<std::byte>>;

	/** Answers that nobody has asked for: so many, of which the oldest goes, and so long. */
	static constexpr std::size_t most = 1024;
	static constexpr std::chrono::seconds lifetime{30};

	/** A request has come. False: there is one with this token. */
	[[nodiscard]] bool begin(const early_token &token);
	/** It was answered. @return who waits for that. */
	[[nodiscard]] std::optional<return_path> answer(const early_token &token, bytes with,
							clock::time_point now);

	struct collected {
		bool is_known = false;
		bytes answer{}; /**< null: it is to be waited for */
		/** Who has waited until now, and does not any more. */
		std::optional<return_path> before{};
	};
	/** Its client asks for the answer. */
	[[nodiscard]] collected collect(const early_token &token, const return_path &by);
	/** The answer, if it is there and has at most @p longest bytes. */
	[[nodiscard]] bytes take(const early_token &token, std::size_t longest);

private:
	struct entry {
		std::optional<return_path> waits{};
		bytes answer{};
	};

	std::mutex lock_;
	std::map<early_token, entry> all_;
	std::deque<std::pair<clock::time_point, early_token>> answered_;
};

} // namespace sdp::inline v0::detail

#endif
