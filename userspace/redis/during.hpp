// SPDX-License-Identifier: Apache-2.0
/** @file Something that holds while a block runs, however the block is left. */
#ifndef SDP_REDIS_DURING_HPP
#define SDP_REDIS_DURING_HPP

#include <utility>

namespace sdp::redis {

/** Sets @p what, and what it was again at the end. */
template <class T>
class during {
public:
	during(T &what, T now) noexcept : what_(what), before_(std::exchange(what, now)) {}
	~during() { what_ = before_; }
	during(const during &) = delete;
	during &operator=(const during &) = delete;
	during(during &&) = delete;
	during &operator=(during &&) = delete;

private:
	T &what_;
	T before_;
};

} // namespace sdp::redis

#endif
