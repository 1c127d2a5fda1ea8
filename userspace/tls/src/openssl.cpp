// SPDX-License-Identifier: Apache-2.0
#include "openssl.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/random.h>

namespace sdp::inline v0::tls {

namespace {

/** What library() draws from on this thread; null: the system's randomness. */
thread_local const tape *played = nullptr;
thread_local std::size_t position = 0;

constexpr unsigned strength_bits = 256;
constexpr std::size_t longest_draw = 65536;

int draw(unsigned char *out, std::size_t count)
{
	if (played == nullptr) {
		return RAND_priv_bytes_ex(nullptr, out, count, strength_bits);
	}
	if (count > tape::length - position) {
		return 0;
	}
	std::memcpy(out, played->bytes().data() + position, count);
	position += count;
	return 1;
}

// A generator without a state of its own, as a provider of OpenSSL's.

void *rand_new(void *provider, void *, const OSSL_DISPATCH *)
{
	return provider;
}
void rand_free(void *) {}
int rand_start(void *, unsigned, int, const unsigned char *, std::size_t, const OSSL_PARAM *)
{
	return 1;
}
int rand_stop(void *)
{
	return 1;
}
int rand_generate(void *, unsigned char *out, std::size_t count, unsigned, int,
		  const unsigned char *, std::size_t)
{
	return draw(out, count);
}
int rand_lock(void *)
{
	return 1;
}
void rand_unlock(void *) {}

int rand_params(void *, OSSL_PARAM *params)
{
	OSSL_PARAM *found = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STATE);
	if (found != nullptr && OSSL_PARAM_set_int(found, EVP_RAND_STATE_READY) == 0) {
		return 0;
	}
	found = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STRENGTH);
	if (found != nullptr && OSSL_PARAM_set_uint(found, strength_bits) == 0) {
		return 0;
	}
	found = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_MAX_REQUEST);
	return found == nullptr || OSSL_PARAM_set_size_t(found, longest_draw) != 0 ? 1 : 0;
}

template <typename F>
OSSL_DISPATCH entry(int id, F *function)
{
	return {id, reinterpret_cast<void (*)()>(function)};
}

const OSSL_ALGORITHM *query(void *, int operation, int *no_cache)
{
	static const auto functions = std::to_array<OSSL_DISPATCH>({
		entry(OSSL_FUNC_RAND_NEWCTX, rand_new),
		entry(OSSL_FUNC_RAND_FREECTX, rand_free),
		entry(OSSL_FUNC_RAND_INSTANTIATE, rand_start),
		entry(OSSL_FUNC_RAND_UNINSTANTIATE, rand_stop),
		entry(OSSL_FUNC_RAND_GENERATE, rand_generate),
		entry(OSSL_FUNC_RAND_ENABLE_LOCKING, rand_lock),
		entry(OSSL_FUNC_RAND_LOCK, rand_lock),
		entry(OSSL_FUNC_RAND_UNLOCK, rand_unlock),
		entry(OSSL_FUNC_RAND_GET_CTX_PARAMS, rand_params),
		{0, nullptr},
	});
	static const auto algorithms = std::to_array<OSSL_ALGORITHM>({
		{"SDP-TAPE", "provider=sdp-tape", functions.data(), "randomness for one hello"},
		{nullptr, nullptr, nullptr, nullptr},
	});
	*no_cache = 0;
	return operation == OSSL_OP_RAND ? algorithms.data() : nullptr;
}

int start_provider(const OSSL_CORE_HANDLE *, const OSSL_DISPATCH *, const OSSL_DISPATCH **out,
		   void **context)
{
	static int any = 0;
	static const auto functions = std::to_array<OSSL_DISPATCH>(
		{entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query), {0, nullptr}});
	*out = functions.data();
	*context = &any;
	return 1;
}

OSSL_LIB_CTX *make_library()
{
	OSSL_LIB_CTX *made = OSSL_LIB_CTX_new();
	if (made == nullptr || OSSL_PROVIDER_add_builtin(made, "sdp-tape", start_provider) == 0 ||
	    OSSL_PROVIDER_load(made, "default") == nullptr ||
	    OSSL_PROVIDER_load(made, "sdp-tape") == nullptr ||
	    RAND_set_DRBG_type(made, "SDP-TAPE", "provider=sdp-tape", nullptr, nullptr) == 0) {
		throw std::system_error(make_error_code(std::errc::not_supported),
					"OpenSSL: " + complaint());
	}
	return made;
}

[[noreturn]] void no_memory()
{
	throw std::bad_alloc();
}

} // namespace

OSSL_LIB_CTX *library()
{
	// Never freed: objects of other threads may outlive the end of main().
	static OSSL_LIB_CTX *only = make_library();
	return only;
}

tape::tape()
{
	if (RAND_priv_bytes_ex(nullptr, raw(bytes_.data()), length, strength_bits) != 1) {
		throw std::system_error(EIO, std::generic_category(), "random numbers");
	}
}

tape::~tape()
{
	explicit_bzero(bytes_.data(), length);
}

tape::playing::playing(const tape &which) noexcept
{
	played = &which;
	position = 0;
}

tape::playing::~playing()
{
	played = nullptr;
}

digest sha256(std::initializer_list<bytes_view> parts)
{
	const std::unique_ptr<EVP_MD_CTX, freed<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
	digest out{};
	bool fine = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
	for (const bytes_view part : parts) {
		fine = fine && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
	}
	if (!fine || EVP_DigestFinal_ex(context.get(), raw(out.data()), nullptr) != 1) {
		no_memory();
	}
	return out;
}

digest hmac(bytes_view key, std::initializer_list<bytes_view> parts)
{
	std::vector<std::byte> all;
	for (const bytes_view part : parts) {
		all.insert(all.end(), part.begin(), part.end());
	}
	digest out{};
	if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), raw(all.data()),
		 all.size(), raw(out.data()), nullptr) == nullptr) {
		no_memory();
	}
	return out;
}

void hkdf(bytes_view salt, bytes_view key, bytes_view info, std::span<std::byte> out)
{
	const std::unique_ptr<EVP_KDF, freed<EVP_KDF_free>> algorithm(
		EVP_KDF_fetch(nullptr, "HKDF", nullptr));
	const std::unique_ptr<EVP_KDF_CTX, freed<EVP_KDF_CTX_free>> context(
		EVP_KDF_CTX_new(algorithm.get()));
	// The parameters are not written to.
	const auto octets = [](const char *name, bytes_view from) {
		return OSSL_PARAM_construct_octet_string(name, const_cast<std::byte *>(from.data()),
							 from.size());
	};
	std::array<char, 7> hash{"SHA256"};
	const std::array params{
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash.data(), 0),
		octets(OSSL_KDF_PARAM_SALT, salt), octets(OSSL_KDF_PARAM_KEY, key),
		octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
	if (!context ||
	    EVP_KDF_derive(context.get(), raw(out.data()), out.size(), params.data()) != 1) {
		no_memory();
	}
}

bool equal(bytes_view a, bytes_view b)
{
	return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string complaint()
{
	const unsigned long last = ERR_peek_last_error();
	ERR_clear_error();
	const char *text = last == 0 ? nullptr : ERR_reason_error_string(last);
	return text == nullptr ? std::string("no reason given") : std::string(text);
}

} // namespace sdp::inline v0::tls
