// SPDX-License-Identifier: Apache-2.0
#include <sdp/session.hpp>

#include <array>
#include <stdexcept>

namespace sdp::inline v0 {

namespace {

struct named {
	cipher value;
	std::string_view name;
};

constexpr auto ciphers = std::to_array<named>({
	{cipher::aes_128_gcm, "aes-128-gcm"},
	{cipher::aes_256_gcm, "aes-256-gcm"},
	{cipher::chacha20_poly1305, "chacha20-poly1305"},
});

} // namespace

std::string_view name(cipher which) noexcept
{
	for (const named &known : ciphers) {
		if (known.value == which) {
			return known.name;
		}
	}
	return "unknown";
}

cipher cipher_named(std::string_view name)
{
	for (const named &known : ciphers) {
		if (known.name == name) {
			return known.value;
		}
	}
	throw std::invalid_argument("no such cipher: " + std::string(name));
}

} // namespace sdp::inline v0
