// SPDX-License-Identifier: Apache-2.0
#include "crypto.hpp"

#include <array>
#include <cstdlib>
#include <iostream>
#include <memory>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

namespace sdp_test {

namespace {

constexpr std::size_t tag_length = 16;

void must(bool ok, std::string_view what)
{
	if (ok)
		return;
	std::cerr << "OpenSSL: " << what << '\n';
	std::exit(2);
}

template <auto Free>
struct Freer {
	template <class T>
	void operator()(T *p) const
	{
		Free(p);
	}
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freer<Free>>;

void *mutable_data(View bytes)
{
	return const_cast<std::uint8_t *>(bytes.data());
}

Bytes hkdf(int mode, View key, const char *name, View value, std::size_t length)
{
	const Owned<EVP_KDF, EVP_KDF_free> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
	const Owned<EVP_KDF_CTX, EVP_KDF_CTX_free> ctx(EVP_KDF_CTX_new(kdf.get()));
	std::string digest = "SHA256";
	Bytes out(length);

	const std::array<OSSL_PARAM, 5> params = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, mutable_data(key),
						  key.size()),
		OSSL_PARAM_construct_octet_string(name, mutable_data(value), value.size()),
		OSSL_PARAM_construct_end(),
	};
	must(EVP_KDF_derive(ctx.get(), out.data(), out.size(), params.data()) == 1, "HKDF");
	return out;
}

const EVP_CIPHER *evp_cipher(Cipher cipher)
{
	switch (cipher) {
	case Cipher::Aes128Gcm:
		return EVP_aes_128_gcm();
	case Cipher::Aes256Gcm:
		return EVP_aes_256_gcm();
	case Cipher::ChaCha20Poly1305:
		return EVP_chacha20_poly1305();
	}
	return nullptr;
}

int size_of(View bytes)
{
	return static_cast<int>(bytes.size());
}

} // namespace

std::size_t key_length(Cipher cipher)
{
	return cipher == Cipher::Aes128Gcm ? 16 : 32;
}

std::string_view cipher_name(Cipher cipher)
{
	switch (cipher) {
	case Cipher::Aes128Gcm:
		return "aes_128_gcm";
	case Cipher::Aes256Gcm:
		return "aes_256_gcm";
	case Cipher::ChaCha20Poly1305:
		return "chacha20_poly1305";
	}
	return "?";
}

Bytes hkdf_extract(View salt, View secret)
{
	return hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, secret, OSSL_KDF_PARAM_SALT, salt, 32);
}

Bytes hkdf_expand(View key, View info, std::size_t length)
{
	return hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, key, OSSL_KDF_PARAM_INFO, info, length);
}

Bytes siphash(View key, View data)
{
	const Owned<EVP_MAC, EVP_MAC_free> mac(EVP_MAC_fetch(nullptr, "SIPHASH", nullptr));
	const Owned<EVP_MAC_CTX, EVP_MAC_CTX_free> ctx(EVP_MAC_CTX_new(mac.get()));
	std::size_t size = 8;
	Bytes out(size);
	const std::array<OSSL_PARAM, 2> params = {
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end(),
	};

	must(EVP_MAC_init(ctx.get(), key.data(), key.size(), params.data()) == 1 &&
		     EVP_MAC_update(ctx.get(), data.data(), data.size()) == 1 &&
		     EVP_MAC_final(ctx.get(), out.data(), &size, out.size()) == 1,
	     "SipHash");
	return out;
}

Bytes sha256(View data)
{
	Bytes out(32);

	must(EVP_Digest(data.data(), data.size(), out.data(), nullptr, EVP_sha256(), nullptr) == 1,
	     "SHA-256");
	return out;
}

Bytes aead_seal(Cipher cipher, View key, View nonce, View aad, View plaintext)
{
	const Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free> ctx(EVP_CIPHER_CTX_new());
	Bytes out(plaintext.size() + tag_length);
	int length = 0;

	must(EVP_EncryptInit_ex2(ctx.get(), evp_cipher(cipher), key.data(), nonce.data(),
				 nullptr) == 1 &&
		     EVP_EncryptUpdate(ctx.get(), nullptr, &length, aad.data(), size_of(aad)) == 1,
	     "AEAD");
	if (!plaintext.empty())
		must(EVP_EncryptUpdate(ctx.get(), out.data(), &length, plaintext.data(),
				       size_of(plaintext)) == 1,
		     "AEAD");
	must(EVP_EncryptFinal_ex(ctx.get(), out.data() + plaintext.size(), &length) == 1 &&
		     EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, tag_length,
					 out.data() + plaintext.size()) == 1,
	     "AEAD");
	return out;
}

std::optional<Bytes> aead_open(Cipher cipher, View key, View nonce, View aad, View sealed)
{
	if (sealed.size() < tag_length)
		return std::nullopt;
	const Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free> ctx(EVP_CIPHER_CTX_new());
	const View ciphertext = sealed.first(sealed.size() - tag_length);
	const View tag = sealed.last(tag_length);
	Bytes out(ciphertext.size());
	int length = 0;

	must(EVP_DecryptInit_ex2(ctx.get(), evp_cipher(cipher), key.data(), nonce.data(),
				 nullptr) == 1 &&
		     EVP_DecryptUpdate(ctx.get(), nullptr, &length, aad.data(), size_of(aad)) == 1,
	     "AEAD");
	if (!ciphertext.empty())
		must(EVP_DecryptUpdate(ctx.get(), out.data(), &length, ciphertext.data(),
				       size_of(ciphertext)) == 1,
		     "AEAD");
	must(EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_SET_TAG, tag_length, mutable_data(tag)) ==
		     1,
	     "AEAD");
	std::array<std::uint8_t, tag_length> rest{};
	if (EVP_DecryptFinal_ex(ctx.get(), rest.data(), &length) != 1)
		return std::nullopt;
	return out;
}

void append(Bytes &to, View from)
{
	to.insert(to.end(), from.begin(), from.end());
}

void append(Bytes &to, std::string_view from)
{
	to.insert(to.end(), from.begin(), from.end());
}

void append_number(Bytes &to, std::uint64_t value, std::size_t length)
{
	for (std::size_t i = length; i-- > 0;)
		to.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

std::uint64_t number(View bytes)
{
	std::uint64_t value = 0;

	for (const auto byte : bytes)
		value = value << 8 | byte;
	return value;
}

Bytes counting(std::uint8_t first, std::size_t count)
{
	Bytes out(count);

	for (auto &byte : out)
		byte = first++;
	return out;
}

std::string hex(View bytes)
{
	constexpr std::string_view digits = "0123456789abcdef";
	std::string out;

	for (const auto byte : bytes) {
		out += digits[byte >> 4];
		out += digits[byte & 15];
	}
	return out;
}

} // namespace sdp_test
