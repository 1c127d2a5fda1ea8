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
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sdp::inline v0::detail {

class early_answers {
public:
	using clock = std::chrono::steady_clock;
	using bytes = std::shared_ptr<const std::vector<std::byte>>;

	/** Answers that nobody has asked for: so many, so many of one client, and so long. */
	static constexpr std::size_t most = 1024;
	static constexpr std::size_t most_of_one = most / 4;
	static constexpr std::chrono::seconds lifetime{30};

	/** @param most_bytes of such answers. @param most_bytes_of_one and of one client's. */
	early_answers(std::size_t most_bytes, std::size_t most_bytes_of_one)
		: most_bytes_(most_bytes), most_bytes_of_one_(most_bytes_of_one)
	{
	}

	enum class begun : std::uint8_t {
		yes,
		again, /**< there is one with this token */
		full,  /**< its answer might not be kept */
	};
	/** A request of @p who has come. */
	[[nodiscard]] begun begin(const early_token &token, const std::string &who,
				  clock::time_point now);
	/**
	 * It was answered. For what has no room older ones of the same client go, and nobody
	 * else's; if that is not enough, it is not kept.
	 * @return who waits for that.
	 */
	[[nodiscard]] std::optional<return_path> answer(const early_token &token, bytes with,
							clock::time_point now);

	struct collected {
		bool is_known = false;
		bytes answer{}; /**< null: it is to be waited for */
		/** Who has waited until now, and does not any more. */
		std::optional<return_path> before{};
	};
	/** Its client asks for the answer. */
	[[nodiscard]] collected collect(const early_token &token, const return_path &by,
					clock::time_point now);
	/** The answer, if it is there and has at most @p longest bytes. */
	[[nodiscard]] bytes take(const early_token &token, std::size_t longest,
				 clock::time_point now);
	/** Of all answers that are kept. */
	[[nodiscard]] std::size_t size(clock::time_point now);

private:
	struct entry {
		std::string who{};
		std::optional<return_path> waits{};
		bytes answer{};
	};
	struct share {
		std::size_t answers = 0;
		std::size_t bytes = 0;
	};
	using entries = std::map<early_token, entry>;

	// By lock_.
	void expire(clock::time_point now);
	/** @p which has an answer, and goes. */
	bytes remove(entries::iterator which);
	[[nodiscard]] bool has_room(const std::string &who, std::size_t length) const;
	bool remove_oldest(const std::string &who);

	const std::size_t most_bytes_;
	const std::size_t most_bytes_of_one_;
	std::mutex lock_;
	entries all_;
	std::deque<std::pair<clock::time_point, early_token>> answered_; /**< of them */
	std::map<std::string, share> shares_;
	std::size_t bytes_ = 0;
};

} // namespace sdp::inline v0::detail

#endif
