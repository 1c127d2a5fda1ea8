// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Handshakes that a server has begun, and those that are over, for a while. Bounded; and no
 * source has more than its share, so that strangers shut out nobody but themselves.
 */
#ifndef SDP_TLS_HALF_OPEN_HPP
#define SDP_TLS_HALF_OPEN_HPP

#include "context.hpp"
#include "wire.hpp"

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace sdp::inline v0::tls {

/** A host; of an IPv6 one the network of 64 bits, all of which it may have. */
using source = std::array<std::byte, 16>;
source source_of(const address &from);

/** One handshake at the server. */
struct handshake {
	handshake() = default;
	~handshake();
	handshake(const handshake &) = delete;
	handshake &operator=(const handshake &) = delete;
	handshake(handshake &&) = delete;
	handshake &operator=(handshake &&) = delete;

	std::shared_ptr<const credentials> with; /**< outlives talking */
	wire::tag tag{};
	tls::source source{};
	clock::time_point begun{};
	std::unique_ptr<connection> talking; /**< until it is over */
	wire::transcript said;
	std::optional<wire::pieces> flight;
	std::array<std::byte, 64> keys{}; /**< of the codes: the client's, the server's */
	std::vector<std::optional<std::vector<std::byte>>> parts; /**< of the client's flight */
	std::size_t missing = 0;
	/** All has come and verified, but not from where the client sees itself. */
	std::optional<identity> waits;
	clock::time_point waits_since{};
	std::optional<wire::response> installed; /**< and the client may not know yet */
	early_answer early;                      /**< to the early data that were taken */
	bool over = false;
	datagram answer; /**< once it is over */
};

class half_open {
public:
	explicit half_open(const server_limits &limits)
		: limits_(limits), strangers_{.tokens = static_cast<double>(limits.cookies_above)}
	{
	}

	/** How long a handshake may take, and is remembered. */
	static constexpr std::chrono::seconds lifetime{10};

	/** Forgets what is too old. */
	void tick(clock::time_point now);
	[[nodiscard]] handshake *find(const wire::tag &tag);
	/**
	 * Whether one may begin now that has not shown its address; and counts it. All sources
	 * share that, whatever becomes of what they begin.
	 */
	bool admit_stranger(clock::time_point now);
	/** Whether @p from, which is there, may begin one now, by its rate; and counts it. */
	bool admit(const source &from, clock::time_point now);
	/**
	 * Room for a new one of @p from: an older one of its own goes where it has its share, or
	 * one of whoever has most. Null: there is none.
	 */
	handshake *add(const wire::tag &tag, const source &from, clock::time_point now);
	/** @p which is over, and not half open any more. */
	void finish(handshake &which);
	void remove(const wire::tag &tag);
	[[nodiscard]] std::size_t size() const noexcept { return open_; }
	[[nodiscard]] std::size_t sources() const noexcept { return sources_.size(); }

private:
	/** Of handshakes that may begin. */
	struct bucket {
		double tokens = 0;
		clock::time_point filled{};
	};
	struct share {
		std::size_t open = 0;
		bucket rate{};
	};
	using order = std::list<std::unique_ptr<handshake>>;

	void erase(order::iterator which);
	bool erase_oldest(const source &of);
	[[nodiscard]] std::size_t share_of_one() const;
	static void fill(bucket &which, double most, double each_second, clock::time_point now);
	static bool take_from(bucket &which);
	void fill(share &its, clock::time_point now) const;

	const server_limits limits_;
	order by_age_;
	std::map<wire::tag, order::iterator> by_tag_;
	std::map<source, share> sources_;
	std::size_t open_ = 0;
	bucket strangers_;
	clock::time_point swept_{};
};

} // namespace sdp::inline v0::tls

#endif
