// SPDX-License-Identifier: Apache-2.0
/** @file Replies of Redis's to calls of this module, freed by themselves. */
#ifndef SDP_REDIS_REPLIES_HPP
#define SDP_REDIS_REPLIES_HPP

#include "module_api.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace sdp::redis {

struct reply_freed {
	void operator()(RedisModuleCallReply *which) const noexcept
	{
		api::redis.FreeCallReply(which);
	}
};
using reply = std::unique_ptr<RedisModuleCallReply, reply_freed>;

/** Empty if it is no string. */
[[nodiscard]] inline std::string_view text_of(RedisModuleCallReply *of)
{
	std::size_t length = 0;
	const char *const bytes =
		of == nullptr ? nullptr : api::redis.CallReplyStringPtr(of, &length);
	return bytes == nullptr ? std::string_view() : std::string_view(bytes, length);
}

} // namespace sdp::redis

#endif
