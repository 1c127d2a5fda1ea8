// SPDX-License-Identifier: Apache-2.0
#include "load.hpp"

#include <poll.h>

#include "test.hpp"
#include "testnic.hpp"

namespace testnic {

Load::Load(const PlainTalk &talk, size_t length)
	: talk_(talk), length_(length), server_([this] { serve(); }), client_([this] { call(); })
{
}

void Load::more(unsigned messages) const
{
	const unsigned from = done_;
	until("messages go on", [&] { return done_ >= from + messages; });
}

void Load::check()
{
	end();
	EQ(bad_.load(), 0U);
}

void Load::serve()
{
	while (!finished_)
		if (talk_.server.ready(POLLIN, 100))
			talk_.server.echo();
}

void Load::call()
{
	for (uint64_t seed = 1; !stop_; seed++, done_++) {
		talk_.client.request(talk_.to, secret(length_, seed));
		const PlainMessage response = talk_.client.receive();
		if (response.result < 0 || response.failed() || response.bytes.size() != length_ ||
		    !secret_error(response.bytes, seed).empty())
			bad_++;
	}
	finished_ = true;
}

void Load::end()
{
	if (!client_.joinable())
		return;
	stop_ = true;
	client_.join();
	server_.join();
}

} // namespace testnic
