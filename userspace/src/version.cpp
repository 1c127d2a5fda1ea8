// SPDX-License-Identifier: Apache-2.0
#include <sdp/version.hpp>

#include "check.hpp"
#include "module.hpp"
#include "wire.hpp"

#include <string>

// The project's, in CMakeLists.txt.
#ifndef SDP_LIBRARY_VERSION
#define SDP_LIBRARY_VERSION "unknown"
#endif

namespace sdp::inline v0 {

std::string_view version() noexcept
{
	return SDP_LIBRARY_VERSION;
}

std::uint32_t interface_version() noexcept
{
	return SDP_UAPI_VERSION;
}

module_version loaded_module()
{
	const detail::file asked(detail::check(
		::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_HOMA), "socket"));
	return detail::module_of(asked.get());
}

module_version detail::module_of(int fd)
{
	auto raw = sized<sdp_version>();
	socklen_t length = sizeof(raw);
	if (::getsockopt(fd, IPPROTO_HOMA, SDP_VERSION, &raw, &length) < 0) {
		// Older than the question.
		if (errno == ENOPROTOOPT || errno == EINVAL) {
			return {};
		}
		fail(errno, "version of the module");
	}
	return {.interface = raw.uapi, .wire = raw.wire};
}

void detail::require_module(int fd)
{
	const auto there = module_of(fd).interface;
	if (there >= SDP_UAPI_VERSION) {
		return;
	}
	const std::string text =
		"the kernel's module speaks version " + std::to_string(there) +
		" of the interface, libsdprpc " + std::string(version()) + " needs " +
		std::to_string(SDP_UAPI_VERSION) +
		": install the module that belongs to it, then modprobe -r sdp; modprobe sdp";
	fail(EOPNOTSUPP, text.c_str());
}

} // namespace sdp::inline v0
