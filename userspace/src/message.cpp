// SPDX-License-Identifier: Apache-2.0
#include <sdp/message.hpp>

#include "buffers.hpp"

#include <algorithm>
#include <utility>

namespace sdp::inline v0 {

message::~message()
{
	release();
}

message::message(message &&other) noexcept
	: id_(other.id_),
	  cookie_(other.cookie_),
	  peer_(other.peer_),
	  error_(other.error_),
	  secure_(other.secure_),
	  session_(other.session_),
	  size_(std::exchange(other.size_, 0)),
	  chunk_count_(std::exchange(other.chunk_count_, 0)),
	  chunks_(other.chunks_),
	  lender_(std::move(other.lender_))
{
}

message &message::operator=(message &&other) noexcept
{
	if (this == &other) {
		return *this;
	}
	release();
	id_ = other.id_;
	cookie_ = other.cookie_;
	peer_ = other.peer_;
	error_ = other.error_;
	secure_ = other.secure_;
	session_ = other.session_;
	size_ = std::exchange(other.size_, 0);
	chunk_count_ = std::exchange(other.chunk_count_, 0);
	chunks_ = other.chunks_;
	lender_ = std::move(other.lender_);
	return *this;
}

void message::release() noexcept
{
	if (lender_) {
		lender_->give_back(chunks());
		lender_.reset();
	}
	chunk_count_ = 0;
	size_ = 0;
}

std::size_t message::copy_to(std::span<std::byte> to, std::size_t offset) const noexcept
{
	std::size_t done = 0;
	for (bytes_view chunk : chunks()) {
		if (offset >= chunk.size()) {
			offset -= chunk.size();
			continue;
		}
		chunk = chunk.subspan(offset);
		offset = 0;
		const std::size_t part = std::min(chunk.size(), to.size() - done);
		std::copy_n(chunk.begin(), part, to.begin() + static_cast<std::ptrdiff_t>(done));
		done += part;
	}
	return done;
}

std::vector<std::byte> message::bytes() const
{
	std::vector<std::byte> all(size_);
	copy_to(all);
	return all;
}

std::string message::text() const
{
	std::string all(size_, '\0');
	copy_to(std::as_writable_bytes(std::span(all)));
	return all;
}

} // namespace sdp::inline v0
