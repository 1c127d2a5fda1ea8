// SPDX-License-Identifier: Apache-2.0
// The primitives, from OpenSSL. Errors of the library end the program: these
// are tests. What depends on input (a tag) is a return value.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sdp_test {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

enum class Cipher : std::uint16_t {
	Aes128Gcm = 0x1301,
	Aes256Gcm = 0x1302,
	ChaCha20Poly1305 = 0x1303,
};

std::size_t key_length(Cipher cipher);
std::string_view cipher_name(Cipher cipher);

Bytes hkdf_extract(View salt, View secret);
Bytes hkdf_expand(View key, View info, std::size_t length);

// SipHash-2-4, 8 bytes as the reference implementation writes them.
Bytes siphash(View key, View data);

Bytes sha256(View data);

// Ciphertext and tag.
Bytes aead_seal(Cipher cipher, View key, View nonce, View aad, View plaintext);
// Nothing if the tag is wrong.
std::optional<Bytes> aead_open(Cipher cipher, View key, View nonce, View aad, View sealed);

// Byte strings.
void append(Bytes &to, View from);
void append(Bytes &to, std::string_view from);
// The low LENGTH bytes of VALUE, big-endian.
void append_number(Bytes &to, std::uint64_t value, std::size_t length);
std::uint64_t number(View bytes);
// COUNT bytes that count up from FIRST.
Bytes counting(std::uint8_t first, std::size_t count);
std::string hex(View bytes);

} // namespace sdp_test
