// SPDX-License-Identifier: Apache-2.0
/** @file What has to be done, also while there is no memory for it. */
#ifndef SDP_CHANNEL_INSIST_HPP
#define SDP_CHANNEL_INSIST_HPP

#include <chrono>
#include <new>
#include <thread>

namespace sdp::inline v0::detail {

/** Before it is looked again whether there is memory. */
constexpr std::chrono::milliseconds while_no_memory{10};

/** Does what has to be done, as soon as there is memory for it. */
template <typename F>
void insist(F what)
{
	for (;;) {
		try {
			what();
			return;
		} catch (const std::bad_alloc &) {
			std::this_thread::sleep_for(while_no_memory);
		}
	}
}

} // namespace sdp::inline v0::detail

#endif
