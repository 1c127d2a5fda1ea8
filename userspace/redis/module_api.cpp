// SPDX-License-Identifier: Apache-2.0
#include "module_api.hpp"

#include <cstring>

namespace sdp::redis::api {

functions redis{};

std::vector<std::string> load(RedisModuleCtx *from)
{
	// As modules of C find it: the context begins with a pointer to this function.
	using finder = int (*)(const char *name, void *into);
	finder find = nullptr;
	std::memcpy(&find, static_cast<const void *>(from), sizeof(find));

	std::vector<std::string> missing;
	const auto get = [&](const char *name, auto &into) {
		if (find((std::string("RedisModule_") + name).c_str(), &into) != ok ||
		    into == nullptr) {
			missing.emplace_back(name);
		}
	};
#define SDP_GET(name) get(#name, redis.name)
	SDP_GET(SetModuleAttribs);
	SDP_GET(IsModuleNameBusy);
	SDP_GET(GetServerVersion);
	SDP_GET(GetContextFlags);
	SDP_GET(Log);
	SDP_GET(GetDetachedThreadSafeContext);
	SDP_GET(FreeThreadSafeContext);
	SDP_GET(SelectDb);
	SDP_GET(CreateString);
	SDP_GET(FreeString);
	SDP_GET(StringPtrLen);
	SDP_GET(Call);
	SDP_GET(FreeCallReply);
	SDP_GET(CallReplyProto);
	SDP_GET(CallReplyType);
	SDP_GET(CallReplyLength);
	SDP_GET(CallReplyArrayElement);
	SDP_GET(CallReplyStringPtr);
	SDP_GET(CallReplyInteger);
	SDP_GET(GetModuleUserFromUserName);
	SDP_GET(FreeModuleUser);
	SDP_GET(SetContextUser);
	SDP_GET(ACLCheckCommandPermissions);
	SDP_GET(EventLoopAdd);
	SDP_GET(EventLoopDel);
	SDP_GET(SubscribeToServerEvent);
	SDP_GET(SubscribeToKeyspaceEvents);
	SDP_GET(GetSelectedDb);
	SDP_GET(RegisterCommandFilter);
	SDP_GET(UnregisterCommandFilter);
	SDP_GET(CommandFilterArgGet);
	SDP_GET(CommandFilterArgReplace);
	SDP_GET(RegisterInfoFunc);
	SDP_GET(InfoAddSection);
	SDP_GET(InfoAddFieldULongLong);
	SDP_GET(GetServerInfo);
	SDP_GET(FreeServerInfo);
	SDP_GET(ServerInfoGetFieldUnsigned);
#undef SDP_GET
	return missing;
}

} // namespace sdp::redis::api
