// SPDX-License-Identifier: Apache-2.0
#include <sdp/credentials.hpp>

#include "check.hpp"

#include <sdp/error.hpp>

#include <cerrno>
#include <system_error>
#include <utility>

namespace sdp::inline v0 {

handshake_acceptor::~handshake_acceptor() = default;
// By value, as those want it who keep it.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
void handshake_acceptor::on_early(std::function<early_answer(early_arrival &&, principal)>) {}
credentials::~credentials() = default;

namespace {

class psk_handshakes final : public handshake_acceptor {
public:
	psk_handshakes(socket &on, const secret &shared, const psk_acceptor_options &options)
		: is_(on, shared, options)
	{
	}
	[[nodiscard]] int fd() const noexcept override { return is_.fd(); }
	void handle() noexcept override { is_.handle(); }
	/** Whoever has the secret: it names nobody. */
	[[nodiscard]] std::optional<principal> peer_of(const address &,
						       std::uint32_t) const override
	{
		return std::nullopt;
	}

private:
	psk_acceptor is_;
};

class psk_plugin final : public credentials {
public:
	psk_plugin(const secret &shared, psk_settings settings)
		: shared_(shared.clone()), settings_(std::move(settings))
	{
		if (shared_.is_empty()) {
			detail::fail(EINVAL, "an empty secret");
		}
	}
	/** The target's name says nothing here: only one that both ends were given does. */
	principal connect(socket &on, const connect_request &what) const override
	{
		try {
			psk_connect(on, what.server, shared_,
				    {.cipher = settings_.cipher,
				     .timeout = what.timeout,
				     .server_name = settings_.server_name,
				     .stop = what.stop});
		} catch (const std::system_error &why) {
			const int seems = why.code().value();
			if (seems != EKEYREJECTED && seems != EPROTO && seems != ELOOP) {
				throw;
			}
			// Anybody may have brought it about: no reason to give up.
			throw std::system_error(make_code(ETIMEDOUT), why.what());
		}
		return {.name = settings_.server_name};
	}
	[[nodiscard]] std::unique_ptr<handshake_acceptor> accept(socket &on) const override
	{
		return std::make_unique<psk_handshakes>(
			on, shared_, psk_acceptor_options{.name = settings_.server_name});
	}

private:
	const secret shared_;
	const psk_settings settings_;
};

class no_plugin final : public credentials {
public:
	[[nodiscard]] sdp::policy policy() const noexcept override { return sdp::policy::clear; }
	principal connect(socket &, const connect_request &) const override { return {}; }
	[[nodiscard]] std::unique_ptr<handshake_acceptor> accept(socket &) const override
	{
		return nullptr;
	}
};

} // namespace

std::shared_ptr<const credentials> psk_credentials(const secret &shared, psk_settings settings)
{
	return std::make_shared<psk_plugin>(shared, std::move(settings));
}

std::shared_ptr<const credentials> clear_for_tests()
{
	return std::make_shared<no_plugin>();
}

} // namespace sdp::inline v0
