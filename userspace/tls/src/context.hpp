// SPDX-License-Identifier: Apache-2.0
/** @file Credentials as OpenSSL has them, and one end of a TLS connection over memory. */
#ifndef SDP_TLS_CONTEXT_HPP
#define SDP_TLS_CONTEXT_HPP

#include "openssl.hpp"

#include <sdp/tls_core.hpp>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sdp::inline v0::tls {

/** What went wrong, for people. */
struct failure {
	reason why = reason::none;
	std::string details{};
};

struct credentials::state {
	explicit state(settings from);

	settings given;
	digest own{}; /**< identity: SHA-256 of the public key */
	ssl_context client, server;

	/** A session with the server @p name, to be resumed; each is used once. None too old. */
	ssl_session take_session(const std::string &name);
	void keep_session(const std::string &name, ssl_session what);
	/** The external key that the client names. */
	[[nodiscard]] const external_psk *find_key(bytes_view id) const;

private:
	ssl_context new_context(bool for_client) const;

	std::mutex lock_;
	std::map<std::string, ssl_session> sessions_;
};

/** SHA-256 of its SubjectPublicKeyInfo. */
digest identity_of(const X509 *certificate);
/** SHA-256 of an external key's id, as an identity. */
digest identity_of_key(const std::string &id);
/** A session object that stands for an external key; empty: no memory. */
ssl_session session_of_key(const external_psk &key);

/** One end of a connection, and its bytes on both sides. */
class connection {
public:
	/** @param name the server's, at a client: what its certificate has to have. */
	connection(const credentials::state &with, bool client, std::string name = {});
	/** A server's. @param tickets whose: those of others are not taken. */
	connection(const credentials::state &with, bytes_view tickets);
	connection(const connection &) = delete;
	connection &operator=(const connection &) = delete;
	connection(connection &&) = delete;
	connection &operator=(connection &&) = delete;
	~connection();

	[[nodiscard]] SSL *get() const noexcept { return ssl_.get(); }
	/** Bytes from the other end. */
	void feed(bytes_view bytes);
	/** What was not read of them. */
	[[nodiscard]] std::size_t unread() const;
	/** Bytes for the other end. */
	std::vector<std::byte> drain();

	enum class progress : std::uint8_t { done, wants_more, failed };
	/** Goes on with the handshake. */
	progress shake();
	/**
	 * At a client, before the first shake(): says hello, with early data. False also where the
	 * server of the session that is resumed is not to be believed any more.
	 */
	[[nodiscard]] bool say_early(bytes_view bytes);
	/**
	 * At a server, before the first shake(): its tickets allow @p most bytes of early data.
	 * @param may whether this client's are taken, if all else is well.
	 */
	void allow_early(std::size_t most, bool may);
	/** Whether the server has taken the early data. */
	[[nodiscard]] bool is_early_taken() const noexcept;
	/** Early data that shake() has come by. */
	[[nodiscard]] std::vector<std::byte> take_early() { return std::move(early_); }
	[[nodiscard]] bool is_resumed() const noexcept;
	/** The ticket that this was resumed by is of no more use at this server. */
	void spend_ticket() noexcept;
	/** It stays as good as it was, though this fails: OpenSSL takes it away with its alert. */
	void keep_ticket() noexcept;
	/** Reads at most @p most bytes of the other end's. */
	std::optional<std::vector<std::byte>> read(std::size_t most);
	[[nodiscard]] bool write(bytes_view bytes);
	/** Why shake() or read() failed. */
	[[nodiscard]] failure why() const { return failure_; }

	/** 32 or more bytes of RFC 8446's exporter. */
	void export_secret(std::string_view label, bytes_view context,
			   std::span<std::byte> out) const;
	/** Who the other end is, after the handshake, or why it is not to be believed. */
	[[nodiscard]] std::variant<identity, failure> peer() const;
	/** It has served: freed before that, a session could not be resumed. */
	void end() noexcept;
	/** A session that the other end gave, to be resumed. */
	[[nodiscard]] ssl_session new_session() { return std::move(session_); }

private:
	void note_failure(int result);
	[[nodiscard]] bool chain_is_good(X509_STORE_CTX *chain) const;
	[[nodiscard]] reason recheck(X509 *leaf) const;

	friend struct callbacks;

	progress shake_early();
	[[nodiscard]] bool admit_early();

	const credentials::state &with_;
	const bool client_;
	const std::string name_;
	ssl_ptr ssl_;
	failure failure_;
	bool may_be_early_ = false;
	bool reads_early_ = false; /**< the end of early data has not come */
	std::vector<std::byte> early_;
	ssl_session ticket_;  /**< that early data came with */
	std::string key_id_;  /**< of the external key that the client showed */
	ssl_session session_; /**< that the server gave, for the next time */
};

} // namespace sdp::inline v0::tls

#endif
