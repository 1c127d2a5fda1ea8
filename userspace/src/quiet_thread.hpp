// SPDX-License-Identifier: Apache-2.0
/** @file Threads of the library's own. */
#ifndef SDP_QUIET_THREAD_HPP
#define SDP_QUIET_THREAD_HPP

#include <csignal>
#include <thread>
#include <utility>

namespace sdp::inline v0::detail {

/** Signals are for the program's own threads. @throws std::system_error EAGAIN */
template <typename F>
std::thread quiet_thread(F work)
{
	sigset_t all{};
	sigset_t before{};
	::sigfillset(&all);
	::pthread_sigmask(SIG_SETMASK, &all, &before);
	try {
		std::thread made(std::move(work));
		::pthread_sigmask(SIG_SETMASK, &before, nullptr);
		return made;
	} catch (...) {
		::pthread_sigmask(SIG_SETMASK, &before, nullptr);
		throw;
	}
}

} // namespace sdp::inline v0::detail

#endif
