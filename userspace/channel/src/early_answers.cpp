// SPDX-License-Identifier: Apache-2.0
#include "early_answers.hpp"

namespace sdp::inline v0::detail {

bool early_answers::begin(const early_token &token)
{
	const std::scoped_lock held(lock_);
	return all_.try_emplace(token).second;
}

std::optional<return_path> early_answers::answer(const early_token &token, bytes with,
						 clock::time_point now)
{
	const std::scoped_lock held(lock_);
	while (!answered_.empty() &&
	       (answered_.size() >= most || now - answered_.front().first >= lifetime)) {
		all_.erase(answered_.front().second);
		answered_.pop_front();
	}
	const auto found = all_.find(token);
	if (found == all_.end()) {
		return std::nullopt;
	}
	if (auto waits = std::move(found->second.waits)) {
		all_.erase(found);
		return waits;
	}
	answered_.emplace_back(now, token);
	found->second.answer = std::move(with);
	return std::nullopt;
}

early_answers::collected early_answers::collect(const early_token &token, const return_path &by)
{
	const std::scoped_lock held(lock_);
	const auto found = all_.find(token);
	if (found == all_.end()) {
		return {};
	}
	collected what{.is_known = true, .answer = std::move(found->second.answer)};
	if (what.answer) {
		all_.erase(found);
	} else {
		what.before = std::exchange(found->second.waits, by);
	}
	return what;
}

early_answers::bytes early_answers::take(const early_token &token, std::size_t longest)
{
	const std::scoped_lock held(lock_);
	const auto found = all_.find(token);
	if (found == all_.end() || !found->second.answer ||
	    found->second.answer->size() > longest) {
		return nullptr;
	}
	const bytes what = std::move(found->second.answer);
	all_.erase(found);
	return what;
}

} // namespace sdp::inline v0::detail
