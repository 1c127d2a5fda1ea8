// SPDX-License-Identifier: Apache-2.0
#include "context.hpp"

#include "wire.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <mutex>
#include <new>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sdp::inline v0::tls {

namespace {

constexpr std::string_view suites =
	"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
/** What an external key is used with: its hash is the key's. */
constexpr std::array<unsigned char, 2> key_suite{0x13, 0x01};
constexpr std::size_t most_cached = 20000;
constexpr long session_seconds = 3600;

reason reason_of_chain(long error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CRL_HAS_EXPIRED:
		return reason::expired;
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CRL_NOT_YET_VALID:
		return reason::not_yet_valid;
	case X509_V_ERR_CERT_REVOKED:
		return reason::revoked;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		return reason::no_list;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return reason::wrong_name;
	case X509_V_ERR_INVALID_PURPOSE:
		return reason::wrong_purpose;
	case X509_V_ERR_APPLICATION_VERIFICATION:
		return reason::wrong_key;
	default:
		return reason::untrusted;
	}
}

bool is_address(const std::string &name)
{
	std::array<unsigned char, sizeof(in6_addr)> room{};
	return ::inet_pton(AF_INET, name.c_str(), room.data()) == 1 ||
	       ::inet_pton(AF_INET6, name.c_str(), room.data()) == 1;
}

std::string text_of(const ASN1_STRING *from)
{
	const auto *data = ASN1_STRING_get0_data(from);
	return {data, data + ASN1_STRING_length(from)};
}

std::string common_name(const X509 *of)
{
	const X509_NAME *subject = X509_get_subject_name(of);
	const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	return at < 0 ? std::string()
		      : text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

std::vector<std::string> other_names(const X509 *of)
{
	const names_ptr all(static_cast<GENERAL_NAMES *>(
		X509_get_ext_d2i(of, NID_subject_alt_name, nullptr, nullptr)));
	std::vector<std::string> found;
	for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
		const GENERAL_NAME *each = sk_GENERAL_NAME_value(all.get(), i);
		if (each->type == GEN_DNS) {
			found.push_back(text_of(each->d.dNSName));
		} else if (each->type == GEN_IPADD) {
			const int length = ASN1_STRING_length(each->d.iPAddress);
			std::array<char, INET6_ADDRSTRLEN> text{};
			if ((length == 4 || length == 16) &&
			    ::inet_ntop(length == 4 ? AF_INET : AF_INET6,
					ASN1_STRING_get0_data(each->d.iPAddress), text.data(),
					text.size()) != nullptr) {
				found.emplace_back(text.data());
			}
		}
	}
	return found;
}

bool is_named(X509 *leaf, const std::string &name)
{
	return name.empty() || (is_address(name) ? X509_check_ip_asc(leaf, name.c_str(), 0)
						 : X509_check_host(leaf, name.data(), name.size(),
								   0, nullptr)) == 1;
}

/** For debugging: whoever has these lines reads all that is sent. */
void log_keys(const SSL *, const char *line)
{
	const char *path = ::secure_getenv("SSLKEYLOGFILE");
	if (path == nullptr) {
		return;
	}
	static std::mutex one;
	const std::scoped_lock held(one);
	const int fd = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd >= 0) {
		::dprintf(fd, "%s\n", line);
		::close(fd);
	}
}

void warn_of_log()
{
	static std::once_flag once;
	std::call_once(once, [] {
		std::fputs("sdp: WARNING: SSLKEYLOGFILE is set: the keys of all handshakes are "
			   "written to a file, and whoever reads it reads and forges their "
			   "messages\n",
			   stderr);
	});
}

} // namespace

/** What OpenSSL calls back: in the midst of a connection, which the SSL object names. */
struct callbacks {
	/** No exception crosses OpenSSL's frames: 0 says "no", or that it failed. */
	template <typename F>
	static int guarded(const F &what) noexcept
	{
		try {
			return what() ? 1 : 0;
		} catch (const std::exception &) {
			return 0;
		}
	}

	static connection &of(const SSL *ssl)
	{
		return *static_cast<connection *>(SSL_get_app_data(ssl));
	}

	static int verify(X509_STORE_CTX *chain, void *)
	{
		const auto *ssl = static_cast<const SSL *>(
			X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
		return guarded([&] { return of(ssl).chain_is_good(chain); });
	}

	static int choose_protocol(SSL *, const unsigned char **out, unsigned char *out_length,
				   const unsigned char *in, unsigned length, void *)
	{
		for (unsigned at = 0; at < length; at += in[at] + 1U) {
			const std::string_view each(reinterpret_cast<const char *>(in + at + 1),
						    std::min<std::size_t>(in[at], length - at - 1));
			if (each == wire::alpn) {
				*out = in + at + 1;
				*out_length = in[at];
				return SSL_TLSEXT_ERR_OK;
			}
		}
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}

	static int offer_key(SSL *ssl, const EVP_MD *hash, const unsigned char **id,
			     std::size_t *length, SSL_SESSION **session)
	{
		const auto &keys = of(ssl).with_.given.keys;
		if (keys.empty() || (hash != nullptr && EVP_MD_get_type(hash) != NID_sha256)) {
			return 1;
		}
		*id = raw(as_bytes(keys.front().id).data());
		*length = keys.front().id.size();
		return guarded([&] {
			*session = session_of_key(keys.front()).release();
			return *session != nullptr;
		});
	}

	static int find_key(SSL *ssl, const unsigned char *id, std::size_t length,
			    SSL_SESSION **session)
	{
		connection &here = of(ssl);
		const auto name = std::as_bytes(std::span(id, length));
		const external_psk *found = here.with_.find_key(name);
		if (found == nullptr) {
			return 1;
		}
		// Such a key is for each time; there is no certificate to be left out.
		SSL_set_num_tickets(ssl, 0);
		return guarded([&] {
			here.key_id_ = found->id;
			*session = session_of_key(*found).release();
			return *session != nullptr;
		});
	}

	/** The hello has proven that its client has the ticket's key. */
	static int allow_early(SSL *ssl, void *)
	{
		return guarded([&] { return of(ssl).admit_early(); });
	}

	static int keep(SSL *ssl, SSL_SESSION *session)
	{
		of(ssl).session_.reset(session);
		return 1;
	}
};

ssl_context credentials::state::new_context(bool for_client) const
{
	ssl_context made(SSL_CTX_new_ex(library(), nullptr,
					for_client ? TLS_client_method() : TLS_server_method()));
	SSL_CTX *context = made.get();
	if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(context, suites.data()) != 1 ||
	    SSL_CTX_set1_groups_list(context, "X25519") != 1) {
		throw std::system_error(make_error_code(std::errc::not_supported),
					"OpenSSL: " + complaint());
	}
	SSL_CTX_clear_options(context, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
	SSL_CTX_set_cert_verify_callback(context, callbacks::verify, nullptr);
	SSL_CTX_set_timeout(context, session_seconds);
	if (::secure_getenv("SSLKEYLOGFILE") != nullptr) {
		warn_of_log();
		SSL_CTX_set_keylog_callback(context, log_keys);
	}
	if (for_client) {
		std::vector<unsigned char> protocols{static_cast<unsigned char>(wire::alpn.size())};
		protocols.insert(protocols.end(), wire::alpn.begin(), wire::alpn.end());
		SSL_CTX_set_alpn_protos(context, protocols.data(),
					static_cast<unsigned>(protocols.size()));
		SSL_CTX_set_psk_use_session_callback(context, callbacks::offer_key);
		SSL_CTX_set_session_cache_mode(context,
					       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(context, callbacks::keep);
		return made;
	}
	SSL_CTX_set_alpn_select_cb(context, callbacks::choose_protocol, nullptr);
	if (!given.keys.empty()) {
		SSL_CTX_set_psk_find_session_callback(context, callbacks::find_key);
	}
	// A ticket is a number here, and the session stays at the server: hellos are short.
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(context, given.resumption ? SSL_SESS_CACHE_SERVER
								 : SSL_SESS_CACHE_OFF);
	SSL_CTX_sess_set_cache_size(context, most_cached);
	SSL_CTX_set_num_tickets(context, given.resumption ? 1 : 0);
	SSL_CTX_set_session_id_context(context, raw(as_bytes(wire::alpn).data()),
				       static_cast<unsigned>(wire::alpn.size()));
	return made;
}

digest identity_of(const X509 *certificate)
{
	unsigned char *der = nullptr;
	const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	if (length < 0) {
		throw std::bad_alloc();
	}
	const digest hash =
		sha256({std::as_bytes(std::span(der, static_cast<std::size_t>(length)))});
	OPENSSL_free(der);
	return hash;
}

digest identity_of_key(const std::string &id)
{
	return sha256({as_bytes("sdp/1 external key"), as_bytes(id)});
}

ssl_session session_of_key(const external_psk &key)
{
	// The id, what the key is for, and the hash that it is used with: docs/handshake.md.
	std::vector<std::byte> info(as_bytes("sdp/1 tls13 SHA256").begin(),
				    as_bytes("sdp/1 tls13 SHA256").end());
	info.push_back(std::byte{0});
	const bytes_view id = as_bytes(key.id);
	info.insert(info.end(), id.begin(), id.end());
	std::array<std::byte, 32> derived{};
	hkdf(as_bytes("sdp/1 external key"), key.key.bytes(), info, derived);

	ssl_session made(SSL_SESSION_new());
	const ssl_context context(SSL_CTX_new_ex(library(), nullptr, TLS_method()));
	const ssl_ptr ssl(context ? SSL_new(context.get()) : nullptr);
	const SSL_CIPHER *cipher = ssl ? SSL_CIPHER_find(ssl.get(), key_suite.data()) : nullptr;
	if (!made || cipher == nullptr ||
	    SSL_SESSION_set1_master_key(made.get(), raw(derived.data()), derived.size()) != 1 ||
	    SSL_SESSION_set_cipher(made.get(), cipher) != 1 ||
	    SSL_SESSION_set_protocol_version(made.get(), TLS1_3_VERSION) != 1) {
		made.reset();
	}
	OPENSSL_cleanse(derived.data(), derived.size());
	return made;
}

connection::connection(const credentials::state &with, bool client, std::string name)
	: with_(with),
	  client_(client),
	  name_(std::move(name)),
	  ssl_(SSL_new(client ? with.client.get() : with.server.get()))
{
	bio_ptr in(BIO_new(BIO_s_mem()));
	bio_ptr out(BIO_new(BIO_s_mem()));
	if (!ssl_ || !in || !out) {
		throw std::bad_alloc();
	}
	SSL_set_app_data(ssl_.get(), this);
	SSL_set_bio(ssl_.get(), in.release(), out.release());
	if (client) {
		SSL_set_connect_state(ssl_.get());
	} else {
		SSL_set_accept_state(ssl_.get());
	}
	if (!name_.empty()) {
		X509_VERIFY_PARAM *param = SSL_get0_param(ssl_.get());
		X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		const int set =
			is_address(name_)
				? X509_VERIFY_PARAM_set1_ip_asc(param, name_.c_str())
				: X509_VERIFY_PARAM_set1_host(param, name_.data(), name_.size());
		if (set != 1) {
			throw error(reason::wrong_name, "no name: " + name_);
		}
	}
}

connection::connection(const credentials::state &with, bytes_view tickets) : connection(with, false)
{
	if (SSL_set_session_id_context(ssl_.get(), raw(tickets.data()),
				       static_cast<unsigned>(tickets.size())) != 1) {
		throw std::bad_alloc();
	}
}

connection::~connection()
{
	OPENSSL_cleanse(early_.data(), early_.size());
}

void connection::feed(bytes_view bytes)
{
	if (!bytes.empty() &&
	    BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size())) !=
		    static_cast<int>(bytes.size())) {
		throw std::bad_alloc();
	}
}

std::size_t connection::unread() const
{
	return BIO_ctrl_pending(SSL_get_rbio(ssl_.get()));
}

std::vector<std::byte> connection::drain()
{
	BIO *out = SSL_get_wbio(ssl_.get());
	std::vector<std::byte> bytes(BIO_ctrl_pending(out));
	if (!bytes.empty()) {
		BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
	}
	return bytes;
}

bool connection::say_early(bytes_view bytes)
{
	SSL_SESSION *resumed = SSL_get_session(ssl_.get());
	X509 *leaf = resumed == nullptr ? nullptr : SSL_SESSION_get0_peer(resumed);
	if (leaf == nullptr || recheck(leaf) != reason::none) {
		return false;
	}
	ERR_clear_error();
	std::size_t written = 0;
	return SSL_write_early_data(ssl_.get(), bytes.data(), bytes.size(), &written) == 1 &&
	       written == bytes.size();
}

void connection::allow_early(std::size_t most, bool may)
{
	reads_early_ = true;
	may_be_early_ = may;
	SSL_set_max_early_data(ssl_.get(), static_cast<std::uint32_t>(most));
	// OpenSSL would spend tickets before it knows who shows them, and those of all who resume.
	SSL_set_options(ssl_.get(), SSL_OP_NO_ANTI_REPLAY);
	SSL_set_allow_early_data_cb(ssl_.get(), callbacks::allow_early, nullptr);
}

/** Who is not to be believed any more gets the handshake's answer to that. */
bool connection::admit_early()
{
	X509 *leaf = SSL_get0_peer_certificate(ssl_.get());
	if (!may_be_early_ || leaf == nullptr || recheck(leaf) != reason::none) {
		return false;
	}
	ticket_.reset(SSL_SESSION_dup(SSL_get_session(ssl_.get())));
	return ticket_ != nullptr;
}

bool connection::is_early_taken() const noexcept
{
	return SSL_get_early_data_status(ssl_.get()) == SSL_EARLY_DATA_ACCEPTED;
}

bool connection::is_resumed() const noexcept
{
	return SSL_session_reused(ssl_.get()) == 1;
}

void connection::spend_ticket() noexcept
{
	SSL_CTX_remove_session(SSL_get_SSL_CTX(ssl_.get()), SSL_get_session(ssl_.get()));
}

void connection::keep_ticket() noexcept
{
	if (ticket_) {
		end();
		SSL_CTX_add_session(SSL_get_SSL_CTX(ssl_.get()), ticket_.get());
	}
}

connection::progress connection::shake_early()
{
	ERR_clear_error();
	std::array<std::byte, longest_early_data> room{};
	for (;;) {
		std::size_t count = 0;
		switch (SSL_read_early_data(ssl_.get(), room.data(), room.size(), &count)) {
		case SSL_READ_EARLY_DATA_SUCCESS:
			early_.insert(early_.end(), room.begin(),
				      room.begin() + static_cast<std::ptrdiff_t>(count));
			break;
		case SSL_READ_EARLY_DATA_FINISH:
			reads_early_ = false;
			OPENSSL_cleanse(room.data(), room.size());
			return progress::done;
		default:
			OPENSSL_cleanse(room.data(), room.size());
			if (SSL_get_error(ssl_.get(), 0) == SSL_ERROR_WANT_READ) {
				return progress::wants_more;
			}
			note_failure(0);
			return progress::failed;
		}
	}
}

connection::progress connection::shake()
{
	if (reads_early_) {
		if (const progress how = shake_early(); how != progress::done) {
			return how;
		}
	}
	ERR_clear_error();
	const int result = SSL_do_handshake(ssl_.get());
	if (result == 1) {
		return progress::done;
	}
	if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) {
		return progress::wants_more;
	}
	note_failure(result);
	return progress::failed;
}

std::optional<std::vector<std::byte>> connection::read(std::size_t most)
{
	ERR_clear_error();
	std::vector<std::byte> into(most);
	const int result = SSL_read(ssl_.get(), into.data(), static_cast<int>(most));
	if (result <= 0) {
		note_failure(result);
		return std::nullopt;
	}
	into.resize(static_cast<std::size_t>(result));
	return into;
}

bool connection::write(bytes_view bytes)
{
	ERR_clear_error();
	return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) ==
	       static_cast<int>(bytes.size());
}

void connection::end() noexcept
{
	SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

void connection::note_failure(int result)
{
	const int kind = SSL_get_error(ssl_.get(), result);
	if (kind == SSL_ERROR_WANT_READ) {
		failure_ = {reason::truncated, {}};
		return;
	}
	const unsigned long last = ERR_peek_error();
	const int what = ERR_GET_LIB(last) == ERR_LIB_SSL ? ERR_GET_REASON(last) : 0;
	if (what == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		const long chain = SSL_get_verify_result(ssl_.get());
		failure_ = {reason_of_chain(chain), X509_verify_cert_error_string(chain)};
		ERR_clear_error();
		return;
	}
	failure_ = {reason::malformed, complaint()};
	switch (what) {
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		failure_.why = reason::no_certificate;
		break;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
	case SSL_R_BAD_LEGACY_VERSION:
		failure_.why = reason::version;
		break;
	case SSL_R_NO_APPLICATION_PROTOCOL:
		failure_.why = reason::wrong_protocol;
		break;
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_BINDER_DOES_NOT_VERIFY:
		failure_.why = with_.given.keys.empty() ? reason::malformed : reason::no_shared_key;
		break;
	default:
		failure_.why = what >= SSL_AD_REASON_OFFSET ? reason::refused : reason::malformed;
	}
}

void connection::export_secret(std::string_view label, bytes_view context,
			       std::span<std::byte> out) const
{
	if (SSL_export_keying_material(ssl_.get(), raw(out.data()), out.size(), label.data(),
				       label.size(), raw(context.data()), context.size(), 1) != 1) {
		throw error(reason::malformed, "no key to export: " + complaint());
	}
}

/** As OpenSSL does it, and the pins. */
bool connection::chain_is_good(X509_STORE_CTX *chain) const
{
	X509 *leaf = X509_STORE_CTX_get0_cert(chain);
	const auto is = [&](int error) {
		X509_STORE_CTX_set_error(chain, error);
		return false;
	};
	if (with_.given.authorities.empty()) {
		// A pin says who it is; who signed it says nothing.
		if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0) {
			return is(X509_V_ERR_CERT_HAS_EXPIRED);
		}
		if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0) {
			return is(X509_V_ERR_CERT_NOT_YET_VALID);
		}
		if (!is_named(leaf, name_)) {
			return is(X509_V_ERR_HOSTNAME_MISMATCH);
		}
	} else if (X509_verify_cert(chain) != 1) {
		return false;
	}
	const auto &pins = with_.given.pins;
	const bool believed = pins.empty()
				      ? !with_.given.authorities.empty()
				      : std::ranges::find(pins, identity_of(leaf)) != pins.end();
	return believed || is(X509_V_ERR_APPLICATION_VERIFICATION);
}

/** A certificate that was shown in an earlier handshake may be out of date by now. */
reason connection::recheck(X509 *leaf) const
{
	const store_context chain(X509_STORE_CTX_new_ex(library(), nullptr));
	X509_STORE *store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl_.get()));
	if (!chain || X509_STORE_CTX_init(chain.get(), store, leaf,
					  SSL_get_peer_cert_chain(ssl_.get())) != 1) {
		throw std::bad_alloc();
	}
	X509_STORE_CTX_set_default(chain.get(), client_ ? "ssl_server" : "ssl_client");
	X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(chain.get()), SSL_get0_param(ssl_.get()));
	if (chain_is_good(chain.get())) {
		return reason::none;
	}
	return reason_of_chain(X509_STORE_CTX_get_error(chain.get()));
}

std::variant<identity, failure> connection::peer() const
{
	const unsigned char *protocol = nullptr;
	unsigned length = 0;
	SSL_get0_alpn_selected(ssl_.get(), &protocol, &length);
	if (std::string_view(reinterpret_cast<const char *>(protocol), length) != wire::alpn) {
		return failure{reason::wrong_protocol, {}};
	}
	const bool resumed = SSL_session_reused(ssl_.get()) == 1;
	X509 *leaf = SSL_get0_peer_certificate(ssl_.get());
	if (leaf == nullptr) {
		const std::string &id = client_ && !with_.given.keys.empty()
						? with_.given.keys.front().id
						: key_id_;
		if (!resumed || id.empty()) {
			return failure{reason::no_certificate, {}};
		}
		return identity{.name = id, .names = {}, .key = identity_of_key(id)};
	}
	if (client_ && !with_.given.keys.empty()) {
		return failure{reason::no_shared_key, "the server showed a certificate"};
	}
	if (resumed) {
		if (const reason why = recheck(leaf); why != reason::none) {
			return failure{why, "in a resumed session"};
		}
	}
	return identity{.name = common_name(leaf),
			.names = other_names(leaf),
			.key = identity_of(leaf),
			.certificate = true,
			.resumed = resumed};
}

} // namespace sdp::inline v0::tls
