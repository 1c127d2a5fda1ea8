// SPDX-License-Identifier: Apache-2.0
/** @file Which connections have been told to WATCH which keys. Without I/O. */
#ifndef SDP_REDIS_WATCHES_HPP
#define SDP_REDIS_WATCHES_HPP

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sdp::redis {

/** All of them. Redis's thread. */
class watches {
public:
	/** What one connection watches; it may not outlive them. */
	class list {
	public:
		explicit list(watches &of) noexcept : of_(&of) {}
		~list() { clear(); }
		list(const list &) = delete;
		list &operator=(const list &) = delete;
		list(list &&) = delete;
		list &operator=(list &&) = delete;

		/** Again does nothing. @param exists now: what does can be flushed. */
		void add(int database, std::string_view key, bool exists);
		void clear() noexcept;
		/** What has changed so far does not matter. */
		void forgive() noexcept { is_touched_ = false; }
		/** One of them has changed since. */
		[[nodiscard]] bool is_touched() const noexcept { return is_touched_; }
		[[nodiscard]] bool is_empty() const noexcept { return keys_.empty(); }
		[[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

		struct place {
			int database;
			std::string key;
			bool existed;
		};
		[[nodiscard]] const std::vector<place> &keys() const noexcept { return keys_; }

	private:
		friend watches;
		/** What a key takes, of which nobody else watches it. */
		[[nodiscard]] static std::size_t bytes_each(std::string_view key) noexcept;
		watches *of_;
		std::vector<place> keys_;
		std::size_t bytes_ = 0;
		bool is_touched_ = false;
	};

	void touch(int database, std::string_view key) noexcept;
	/** What exists has gone, or is elsewhere. @param database -1: of all. */
	void flush(int database) noexcept;

private:
	struct hash {
		using is_transparent = void;
		std::size_t operator()(std::string_view text) const noexcept
		{
			return std::hash<std::string_view>()(text);
		}
	};
	struct watch {
		list *by;
		bool existed;
	};
	using key_map = std::unordered_map<std::string, std::vector<watch>, hash, std::equal_to<>>;

	std::map<int, key_map> databases_;
};

} // namespace sdp::redis

#endif
