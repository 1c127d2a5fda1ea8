// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Credentials of channels and listeners by TLS 1.3. All of it is here, so that only programs
 * that use it need libsdprpc-tls: link them with both.
 */
#ifndef SDP_TLS_PLUGIN_HPP
#define SDP_TLS_PLUGIN_HPP

#include <sdp/credentials.hpp>
#include <sdp/tls.hpp>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace sdp::inline v0::tls {

/** How sessions are asked for, and which are taken. */
struct plugin_options {
	sdp::cipher cipher = cipher::aes_128_gcm;
	std::uint16_t record_size = record_size_default; /**< bytes */
	server_options server{};
};

/**
 * The plug-in: certificates or external keys, as tls::credentials have them. A channel's server
 * name is asked of the certificate.
 */
class plugin final : public sdp::credentials {
public:
	/** @throws std::invalid_argument if @p who is null. */
	explicit plugin(std::shared_ptr<const tls::credentials> who, plugin_options options = {})
		: who_(std::move(who)), options_(std::move(options))
	{
		if (!who_) {
			throw std::invalid_argument("TLS without credentials");
		}
	}

	principal connect(socket &on, const connect_request &what) const override
	{
		try {
			established made = tls::connect(on, what.server, current(),
							{.server_name = what.server_name,
							 .cipher = options_.cipher,
							 .record_size = options_.record_size,
							 .timeout = what.timeout},
							what.stop, what.early);
			return principal_of(std::move(made.peer));
		} catch (const error &why) {
			if (why.is_certain()) {
				throw;
			}
			// Anybody may have brought it about: no reason to give up.
			throw std::system_error(make_code(ETIMEDOUT), why.what());
		}
	}
	[[nodiscard]] std::unique_ptr<handshake_acceptor> accept(socket &on) const override
	{
		return std::make_unique<handshakes>(*this, on);
	}

	/**
	 * Other credentials, for handshakes that begin from now on. Any thread.
	 * @throws std::invalid_argument if @p who is null.
	 */
	void use(std::shared_ptr<const tls::credentials> who)
	{
		if (!who) {
			throw std::invalid_argument("TLS without credentials");
		}
		const std::scoped_lock held(lock_);
		who_ = std::move(who);
	}

private:
	class handshakes final : public handshake_acceptor {
	public:
		handshakes(const plugin &of, socket &on)
			: of_(of), used_(of.current()), is_(on, used_, of.options_.server)
		{
		}
		[[nodiscard]] int fd() const noexcept override { return is_.fd(); }
		void on_early(
			std::function<early_answer(early_arrival &&, principal)> taker) override
		{
			is_.on_early(
				[to = std::move(taker)](early_arrival &&what, const identity &who) {
					return to(std::move(what), principal_of(who));
				});
		}
		void handle() noexcept override
		{
			if (auto now = of_.current(); now != used_) {
				is_.use(now);
				used_ = std::move(now);
			}
			is_.handle();
		}
		[[nodiscard]] std::optional<principal> peer_of(const address &peer,
							       std::uint32_t id) const override
		{
			auto who = is_.peer_of(peer, id);
			return who ? std::optional(principal_of(std::move(*who))) : std::nullopt;
		}

	private:
		const plugin &of_;
		std::shared_ptr<const tls::credentials> used_;
		acceptor is_;
	};

	[[nodiscard]] static principal principal_of(identity who)
	{
		return {.name = std::move(who.name), .names = std::move(who.names), .key = who.key};
	}
	[[nodiscard]] std::shared_ptr<const tls::credentials> current() const
	{
		const std::scoped_lock held(lock_);
		return who_;
	}

	mutable std::mutex lock_;
	std::shared_ptr<const tls::credentials> who_;
	const plugin_options options_;
};

/** The plug-in with what load_folder() finds in @p folder. @throws likewise, and as credentials. */
[[nodiscard]] inline std::shared_ptr<plugin> from_folder(const std::filesystem::path &folder)
{
	return std::make_shared<plugin>(
		std::make_shared<tls::credentials>(tls::load_folder(folder)));
}

} // namespace sdp::inline v0::tls

#endif
