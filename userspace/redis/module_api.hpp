// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * The part of Redis's module API that is used here, declared after its public documentation
 * ("Modules API reference", Redis 7.0): names, signatures and constants are that page's. Redis
 * hands out each function by name when a module is loaded; none is linked.
 *
 * All of them are for Redis's own thread.
 */
#ifndef SDP_REDIS_MODULE_API_HPP
#define SDP_REDIS_MODULE_API_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// Redis's types: only pointers to them cross.
struct RedisModuleCtx;
struct RedisModuleString;
struct RedisModuleCallReply;
struct RedisModuleUser;
struct RedisModuleInfoCtx;
struct RedisModuleServerInfoData;
struct RedisModuleCommandFilter;
struct RedisModuleCommandFilterCtx;

namespace sdp::redis::api {

inline constexpr int ok = 0;
inline constexpr int error = 1;
inline constexpr int version = 1;               /**< of the API */
inline constexpr int least_server = 0x00070000; /**< 7.0.0: event loops, ACLs of calls */
inline constexpr int readable = 1;              /**< an event of the loop */

/** What context_flags() says. */
enum : int {
	script_runs = 1 << 0,
	clustered = 1 << 5,
	limits_memory = 1 << 8, /**< maxmemory is set, and not a replica's that ignores it */
	evicts = 1 << 9,        /**< with a policy that evicts */
	above_maxmemory = 1 << 10,
	loading = 1 << 13,
	stale = 1 << 14, /**< a replica, without its master */
};

/** Kinds of replies. */
enum : int { is_string = 0, is_error = 1, is_integer = 2, is_array = 3 };

using loop_function = void (*)(int fd, void *data, int mask);
/** An event of the server, by value. */
struct server_event {
	std::uint64_t id;
	std::uint64_t version;
};
/** Of a turn of the event loop, of which 0 is that Redis is about to wait. */
inline constexpr server_event loop_turn{15, 1};
inline constexpr std::uint64_t before_sleep = 0;
/** Keys of one database, or all (-1), are about to go; databases were swapped. */
inline constexpr server_event flushing{2, 1};
inline constexpr std::uint64_t flush_begins = 0;
inline constexpr server_event swapped{11, 1};
struct flush_facts {
	std::uint64_t version;
	std::int32_t sync;
	std::int32_t database;
};
struct swap_facts {
	std::uint64_t version;
	std::int32_t one;
	std::int32_t other;
};
/** Events of keys that change: all but a look at one that is not there, loading, and "new",
 * which comes with another. */
inline constexpr int changes = 0x27fc;
using key_function = int (*)(RedisModuleCtx *on, int type, const char *event,
			     RedisModuleString *key);
using event_function = void (*)(RedisModuleCtx *on, server_event what, std::uint64_t which,
				void *more);
using filter_function = void (*)(RedisModuleCommandFilterCtx *on);
using info_function = void (*)(RedisModuleInfoCtx *on, int for_crash_report);

/** The functions, under their names without "RedisModule_". Null before load(). */
struct functions {
	void (*SetModuleAttribs)(RedisModuleCtx *, const char *name, int own, int api);
	int (*IsModuleNameBusy)(const char *name);
	int (*GetServerVersion)();
	int (*GetContextFlags)(RedisModuleCtx *);
	void (*Log)(RedisModuleCtx *, const char *level, const char *format, ...);

	RedisModuleCtx *(*GetDetachedThreadSafeContext)(RedisModuleCtx *);
	void (*FreeThreadSafeContext)(RedisModuleCtx *);
	int (*SelectDb)(RedisModuleCtx *, int number);
	RedisModuleString *(*CreateString)(RedisModuleCtx *, const char *bytes, std::size_t);
	void (*FreeString)(RedisModuleCtx *, RedisModuleString *);
	const char *(*StringPtrLen)(const RedisModuleString *, std::size_t *length);

	RedisModuleCallReply *(*Call)(RedisModuleCtx *, const char *name, const char *format, ...);
	void (*FreeCallReply)(RedisModuleCallReply *);
	const char *(*CallReplyProto)(RedisModuleCallReply *, std::size_t *length);
	int (*CallReplyType)(RedisModuleCallReply *);
	std::size_t (*CallReplyLength)(RedisModuleCallReply *);
	RedisModuleCallReply *(*CallReplyArrayElement)(RedisModuleCallReply *, std::size_t);
	const char *(*CallReplyStringPtr)(RedisModuleCallReply *, std::size_t *length);
	long long (*CallReplyInteger)(RedisModuleCallReply *);

	RedisModuleUser *(*GetModuleUserFromUserName)(RedisModuleString *name);
	int (*FreeModuleUser)(RedisModuleUser *);
	void (*SetContextUser)(RedisModuleCtx *, const RedisModuleUser *);
	int (*ACLCheckCommandPermissions)(RedisModuleUser *, RedisModuleString **, int count);

	int (*EventLoopAdd)(int fd, int mask, loop_function, void *data);
	int (*EventLoopDel)(int fd, int mask);
	int (*SubscribeToServerEvent)(RedisModuleCtx *, server_event, event_function);
	int (*SubscribeToKeyspaceEvents)(RedisModuleCtx *, int types, key_function);
	int (*GetSelectedDb)(RedisModuleCtx *);

	RedisModuleCommandFilter *(*RegisterCommandFilter)(RedisModuleCtx *, filter_function,
							   int flags);
	int (*UnregisterCommandFilter)(RedisModuleCtx *, RedisModuleCommandFilter *);
	const RedisModuleString *(*CommandFilterArgGet)(RedisModuleCommandFilterCtx *, int which);
	int (*CommandFilterArgReplace)(RedisModuleCommandFilterCtx *, int which,
				       RedisModuleString *by);

	int (*RegisterInfoFunc)(RedisModuleCtx *, info_function);
	int (*InfoAddSection)(RedisModuleInfoCtx *, const char *name);
	int (*InfoAddFieldULongLong)(RedisModuleInfoCtx *, const char *name, unsigned long long);
	RedisModuleServerInfoData *(*GetServerInfo)(RedisModuleCtx *, const char *section);
	void (*FreeServerInfo)(RedisModuleCtx *, RedisModuleServerInfoData *);
	unsigned long long (*ServerInfoGetFieldUnsigned)(RedisModuleServerInfoData *,
							 const char *name, int *error);
};

/** Those of the server that has loaded this module. */
extern functions redis;

/** Asks for all of them. @return the names of those that this server does not have. */
[[nodiscard]] std::vector<std::string> load(RedisModuleCtx *from);

} // namespace sdp::redis::api

#endif
