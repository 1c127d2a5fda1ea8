// SPDX-License-Identifier: Apache-2.0
#include "early_answers.hpp"

#include <algorithm>

namespace sdp::inline v0::detail {

early_answers::begun early_answers::begin(const early_token &token, const std::string &who,
					  clock::time_point now)
{
	const std::scoped_lock held(lock_);
	expire(now);
	if (all_.contains(token)) {
		return begun::again;
	}
	if (answered_.size() >= most || bytes_ >= most_bytes_) {
		return begun::full;
	}
	all_.try_emplace(token, entry{.who = who});
	return begun::yes;
}

void early_answers::expire(clock::time_point now)
{
	while (!answered_.empty() && now - answered_.front().first >= lifetime) {
		remove(all_.find(answered_.front().second));
	}
}

early_answers::bytes early_answers::remove(entries::iterator which)
{
	bytes what = std::move(which->second.answer);
	const auto its = shares_.find(which->second.who);
	bytes_ -= what->size();
	its->second.bytes -= what->size();
	if (--its->second.answers == 0) {
		shares_.erase(its);
	}
	answered_.erase(std::ranges::find(answered_, which->first,
					  &std::pair<clock::time_point, early_token>::second));
	all_.erase(which);
	return what;
}

bool early_answers::has_room(const std::string &who, std::size_t length) const
{
	const auto found = shares_.find(who);
	const share its = found == shares_.end() ? share() : found->second;
	return answered_.size() < most && its.answers < most_of_one &&
	       bytes_ + length <= most_bytes_ && its.bytes + length <= most_bytes_of_one_;
}

bool early_answers::remove_oldest(const std::string &who)
{
	const auto oldest = std::ranges::find_if(answered_, [&](const auto &each) {
		return all_.find(each.second)->second.who == who;
	});
	if (oldest == answered_.end()) {
		return false;
	}
	remove(all_.find(oldest->second));
	return true;
}

std::optional<return_path> early_answers::answer(const early_token &token, bytes with,
						 clock::time_point now)
{
	const std::scoped_lock held(lock_);
	expire(now);
	const auto found = all_.find(token);
	if (found == all_.end()) {
		return std::nullopt;
	}
	if (auto waits = found->second.waits) {
		all_.erase(found);
		return waits;
	}
	const std::string &who = found->second.who;
	while (!has_room(who, with->size())) {
		if (!remove_oldest(who)) {
			all_.erase(found);
			return std::nullopt;
		}
	}
	answered_.emplace_back(now, token);
	try {
		share &its = shares_[who];
		++its.answers;
		its.bytes += with->size();
	} catch (...) {
		answered_.pop_back();
		throw;
	}
	bytes_ += with->size();
	found->second.answer = std::move(with);
	return std::nullopt;
}

early_answers::collected early_answers::collect(const early_token &token, const return_path &by,
						clock::time_point now)
{
	const std::scoped_lock held(lock_);
	expire(now);
	const auto found = all_.find(token);
	if (found == all_.end()) {
		return {};
	}
	collected what{.is_known = true};
	if (found->second.answer) {
		what.answer = remove(found);
	} else {
		what.before = std::exchange(found->second.waits, by);
	}
	return what;
}

early_answers::bytes early_answers::take(const early_token &token, std::size_t longest,
					 clock::time_point now)
{
	const std::scoped_lock held(lock_);
	expire(now);
	const auto found = all_.find(token);
	if (found == all_.end() || !found->second.answer ||
	    found->second.answer->size() > longest) {
		return nullptr;
	}
	return remove(found);
}

std::size_t early_answers::size(clock::time_point now)
{
	const std::scoped_lock held(lock_);
	expire(now);
	return bytes_;
}

} // namespace sdp::inline v0::detail
