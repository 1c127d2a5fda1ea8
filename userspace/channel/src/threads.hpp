// SPDX-License-Identifier: Apache-2.0
/** @file Threads of the library's own. */
#ifndef SDP_CHANNEL_THREADS_HPP
#define SDP_CHANNEL_THREADS_HPP

#include <chrono>
#include <csignal>
#include <new>
#include <thread>
#include <utility>

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
