// SPDX-License-Identifier: Apache-2.0
#include "half_open.hpp"

#include <algorithm>
#include <openssl/crypto.h>

namespace sdp::inline v0::tls {

namespace {

/** A source has at most one part in so many. */
constexpr std::size_t shares = 8;
constexpr std::chrono::seconds sweep_every{1};

} // namespace

source source_of(const address &from)
{
	source made = wire::place_of(from).ip;
	if (from.unmapped().version() == ip::v6) {
		std::fill(made.begin() + 8, made.end(), std::byte{0});
	}
	return made;
}

handshake::~handshake()
{
	OPENSSL_cleanse(keys.data(), keys.size());
}

std::size_t half_open::share_of_one() const
{
	return std::max<std::size_t>(1, limits_.half_open / shares);
}

void half_open::fill(bucket &which, double most, double each_second, clock::time_point now)
{
	const std::chrono::duration<double> since = now - which.filled;
	which.tokens = std::min(most, which.tokens + since.count() * each_second);
	which.filled = now;
}

bool half_open::take_from(bucket &which)
{
	if (which.tokens < 1) {
		return false;
	}
	which.tokens -= 1;
	return true;
}

void half_open::fill(share &its, clock::time_point now) const
{
	fill(its.rate, limits_.burst, limits_.each_second, now);
}

void half_open::tick(clock::time_point now)
{
	while (!by_age_.empty() && now - by_age_.front()->begun >= lifetime) {
		erase(by_age_.begin());
	}
	if (now - swept_ < sweep_every) {
		return;
	}
	swept_ = now;
	for (auto &each : sources_) {
		fill(each.second, now);
	}
	std::erase_if(sources_, [&](const auto &each) {
		return each.second.open == 0 && each.second.rate.tokens >= limits_.burst;
	});
}

handshake *half_open::find(const wire::tag &tag)
{
	const auto found = by_tag_.find(tag);
	return found == by_tag_.end() ? nullptr : found->second->get();
}

bool half_open::admit_stranger(clock::time_point now)
{
	const auto most = static_cast<double>(limits_.cookies_above);
	fill(strangers_, most, most / static_cast<double>(lifetime.count()), now);
	return open_ < limits_.cookies_above && take_from(strangers_);
}

bool half_open::admit(const source &from, clock::time_point now)
{
	const auto [found, is_new] = sources_.try_emplace(from);
	share &its = found->second;
	if (is_new) {
		its.rate = {.tokens = static_cast<double>(limits_.burst), .filled = now};
	}
	fill(its, now);
	return take_from(its.rate);
}

void half_open::erase(order::iterator which)
{
	if (!(*which)->over) {
		--open_;
		const auto its = sources_.find((*which)->source);
		if (its != sources_.end()) {
			--its->second.open;
		}
	}
	by_tag_.erase((*which)->tag);
	by_age_.erase(which);
}

bool half_open::erase_oldest(const source &of)
{
	const auto found = std::ranges::find_if(
		by_age_, [&](const auto &each) { return !each->over && each->source == of; });
	if (found == by_age_.end()) {
		return false;
	}
	erase(found);
	return true;
}

handshake *half_open::add(const wire::tag &tag, const source &from, clock::time_point now)
{
	const std::size_t its = sources_[from].open;
	if (its >= share_of_one()) {
		erase_oldest(from);
	} else if (open_ >= limits_.half_open) {
		const auto most = std::ranges::max_element(
			sources_, {}, [](const auto &each) { return each.second.open; });
		if (most->second.open <= its + 1 || !erase_oldest(most->first)) {
			return nullptr;
		}
	}
	if (by_age_.size() - open_ >= limits_.remembered) {
		const auto old =
			std::ranges::find_if(by_age_, [](const auto &each) { return each->over; });
		erase(old);
	}
	by_age_.push_back(std::make_unique<handshake>());
	handshake &made = *by_age_.back();
	made.tag = tag;
	made.source = from;
	made.begun = now;
	by_tag_[tag] = std::prev(by_age_.end());
	++open_;
	++sources_[from].open;
	return &made;
}

void half_open::finish(handshake &which)
{
	if (which.over) {
		return;
	}
	which.over = true;
	--open_;
	--sources_[which.source].open;
	which.talking.reset();
	which.flight.reset();
	which.parts.clear();
	which.waits.reset();
	which.early = {};
}

void half_open::remove(const wire::tag &tag)
{
	if (const auto found = by_tag_.find(tag); found != by_tag_.end()) {
		erase(found->second);
	}
}

} // namespace sdp::inline v0::tls
