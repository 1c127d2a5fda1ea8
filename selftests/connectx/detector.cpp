// SPDX-License-Identifier: Apache-2.0
#include "detector.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

#include "segment.hpp"

namespace cx {

namespace {

constexpr uint8_t protocol = 146;
constexpr uint8_t secure_data = 0x50;
constexpr size_t header_length = 60;
constexpr size_t tagged_length = 52;
constexpr size_t authenticated_trailer = 24;
constexpr uint8_t flag_authenticated = 2;
constexpr uint64_t indexed = 0x80000000;
constexpr size_t record_header = 5;
constexpr size_t tag_length = 16;
constexpr size_t record_overhead = record_header + tag_length;
constexpr uint16_t usual_record = 16256;
constexpr size_t shortest_pattern = 16;
constexpr size_t longest_message = size_t{1} << 31;
constexpr uint64_t epochs_tried = 1024;

Bytes from_hex(const std::string &text)
{
	Bytes out;
	for (size_t i = 0; i + 1 < text.size(); i += 2)
		out.push_back(static_cast<uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
	return out;
}

/// Over the header with those bytes as zero that segmentation writes.
bool tag_fits(const sdp_test::Sender &sender, View homa)
{
	Bytes covered(homa.begin(), homa.begin() + tagged_length);
	for (const size_t at : {4, 5, 6, 7, 13, 16, 17})
		covered[at] = 0;
	const Bytes tag = sdp_test::siphash(sender.keys.hdr, covered);
	return std::ranges::equal(tag, homa.subspan(tagged_length, tag.size()));
}

} // namespace

/// A secure DATA packet.
struct Detector::Packet {
	Name name;
	View homa;
	View payload;
	size_t place = 0;
	size_t message_length = 0;
	size_t record_size = usual_record;
	const sdp_test::Sender *sender = nullptr;

	[[nodiscard]] size_t step() const { return record_size + record_overhead; }
	[[nodiscard]] std::string text() const
	{
		return "session " + std::to_string(name.session) + " epoch " +
		       std::to_string(name.epoch) + " message " + std::to_string(name.number) +
		       " from end " + std::to_string(name.from) + " place " +
		       std::to_string(place) + " of " + std::to_string(message_length);
	}
};

Detector::Detector(DetectorOptions options) : options_(std::move(options)) {}

void Detector::finding(uint64_t &count, const std::string &text)
{
	count++;
	if (options_.tell)
		options_.tell(text);
}

void Detector::add(const sdp_test::Parameters &session)
{
	sessions_[sdp_test::session_id(session)] = session;
}

void Detector::plaintext(View bytes)
{
	if (bytes.size() >= shortest_pattern)
		patterns_.emplace_back(bytes.begin(), bytes.end());
}

void Detector::line(const std::string &text)
{
	std::istringstream words(text);
	std::string what;
	std::string secret;
	std::string context;
	std::string client;
	std::string server;
	unsigned cipher = 0;
	unsigned record_size = 0;

	words >> what;
	if (what == "plaintext" && words >> secret)
		plaintext(from_hex(secret));
	else if (what == "session" &&
		 words >> secret >> context >> client >> server >> cipher >> record_size)
		add({.secret = from_hex(secret),
		     .client_nonce = from_hex(client),
		     .server_nonce = from_hex(server),
		     .cipher = static_cast<sdp_test::Cipher>(cipher),
		     .record_size = static_cast<uint16_t>(record_size ? record_size : usual_record),
		     .context = from_hex(context)});
}

/// The lines that are whole; again only if the file has changed.
void Detector::read_file()
{
	struct stat now {};

	if (options_.file.empty() || stat(options_.file.c_str(), &now) != 0)
		return;
	if (now.st_size == file_stamp_)
		return;
	file_stamp_ = now.st_size;
	patterns_.clear();
	std::ifstream file(options_.file);
	std::string text;
	while (std::getline(file, text) && !file.eof())
		line(text);
}

void Detector::see(int from, View frame)
{
	const Layers at = layers(frame);

	if (at.protocol != protocol || at.l4 == 0)
		return;
	const bool v6 = at.ethertype == 0x86dd;
	// Short frames are filled up behind the packet.
	const size_t end =
		v6 ? at.l3 + 40 + get(frame, at.l3 + 4, 2) : at.l3 + get(frame, at.l3 + 2, 2);
	if (end < at.l4 || end > frame.size())
		return;
	const View homa = frame.subspan(at.l4, end - at.l4);
	if (get(homa, 11, 1) != secure_data)
		return;
	data(from, homa, static_cast<uint16_t>(v6 ? 0 : get(frame, at.l3 + 4, 2)), v6);
}

void Detector::data(int from, View homa, uint16_t ident, bool v6)
{
	const uint64_t sequence = get(homa, 4, 4);
	const bool authenticated = get(homa, 48, 1) & flag_authenticated;
	const size_t trailer = authenticated ? authenticated_trailer : 0;
	Packet packet;

	packet.name = {from, static_cast<uint32_t>(get(homa, 36, 4)),
		       static_cast<uint8_t>(get(homa, 49, 1)), get(homa, 40, 6)};
	packet.homa = homa;
	packet.message_length = get(homa, 28, 4);
	packet.place = sequence & ~indexed;
	if (sequence & indexed)
		packet.place += ident * get(homa, 50, 2);
	if (homa.size() < header_length + trailer || get(homa, 12, 1) != 0xf0 ||
	    packet.message_length > longest_message || (v6 && (sequence & indexed))) {
		finding(findings_.malformed, "malformed: " + packet.text());
		return;
	}
	packet.payload = homa.subspan(header_length, homa.size() - header_length - trailer);
	if (packet.payload.empty())
		return;
	if (packet.payload.size() > packet.message_length ||
	    packet.place > packet.message_length - packet.payload.size()) {
		finding(findings_.malformed, "outside its message: " + packet.text());
		return;
	}
	findings_.packets++;
	findings_.bytes += packet.payload.size();
	if (!sessions_.contains(packet.name.session))
		read_file();
	const auto session = sessions_.find(packet.name.session);
	if (session == sessions_.end()) {
		findings_.unknown++;
	} else {
		packet.record_size = session->second.record_size;
		packet.sender = sender(packet);
	}
	look_for_plaintext(packet);
	if (session != sessions_.end() && (!packet.sender || !tag_fits(*packet.sender, homa))) {
		finding(findings_.malformed, "wrong header tag: " + packet.text());
		return;
	}
	place(packet);
}

/// Whose direction and epoch it is shows by the header's tag.
const sdp_test::Sender *Detector::sender(const Packet &packet)
{
	const auto key = std::make_tuple(packet.name.from, packet.name.session, packet.name.epoch);
	const auto known = senders_.find(key);

	if (known != senders_.end())
		return &known->second;
	const sdp_test::Parameters &session = sessions_.at(packet.name.session);
	for (uint64_t epoch = packet.name.epoch; epoch < epochs_tried; epoch += 256)
		for (const auto direction :
		     {sdp_test::Direction::ClientToServer, sdp_test::Direction::ServerToClient}) {
			auto tried = sdp_test::sender(session, direction, epoch);
			if (tag_fits(tried, packet.homa))
				return &senders_.emplace(key, std::move(tried)).first->second;
		}
	return nullptr;
}

void Detector::look_for_plaintext(const Packet &packet)
{
	const View payload = packet.payload;

	for (const Bytes &pattern : patterns_)
		if (!std::ranges::search(payload, pattern).empty()) {
			finding(findings_.plaintext, "plaintext: " + packet.text());
			return;
		}
	// Needs no key: a message header that is readable says its RPC's id, as the clear
	// header does.
	if (packet.place == 0 && payload.size() >= record_header + 16 &&
	    get(payload, 0, 3) == 0x170303 && payload[record_header] == 1 &&
	    get(payload, record_header + 8, 8) == get(packet.homa, 20, 8))
		finding(findings_.plaintext, "readable message header: " + packet.text());
}

/// Takes the payload apart into what it has of each record.
void Detector::place(const Packet &packet)
{
	bool news = false;
	size_t done = 0;

	while (done < packet.payload.size()) {
		const size_t index = (packet.place + done) / packet.step();
		const size_t at = (packet.place + done) % packet.step();
		const size_t taken = std::min(packet.payload.size() - done, packet.step() - at);
		news = fill(packet, index, at, packet.payload.subspan(done, taken)) || news;
		done += taken;
	}
	findings_.again += news ? 0 : 1;
	forget();
}

/// True if any of these bytes was not seen before.
bool Detector::fill(const Packet &packet, size_t index, size_t at, View piece)
{
	const Where where = {packet.name, index};
	const size_t length =
		std::min(packet.step(), packet.message_length - index * packet.step());
	auto [found, added] = records_.try_emplace(where);
	Record &record = found->second;

	if (added) {
		record.bytes.resize(length);
		record.seen.resize(length);
		record.missing = length;
		held_ += length;
		order_.push_back(where);
	}
	if (record.bytes.size() != length) {
		finding(findings_.malformed, "another length than before: " + packet.text());
		return true;
	}
	bool same = true;
	bool news = false;
	for (size_t i = 0; i < piece.size(); i++) {
		if (record.seen[at + i]) {
			same = same && record.bytes[at + i] == piece[i];
			continue;
		}
		record.seen[at + i] = true;
		record.bytes[at + i] = piece[i];
		record.missing--;
		news = true;
	}
	if (!same)
		finding(findings_.reused, "two ciphertexts of record " + std::to_string(index) +
						  ": " + packet.text());
	if (news && record.missing == 0)
		open(packet, index, record);
	return news;
}

void Detector::open(const Packet &packet, size_t index, const Record &record)
{
	if (!packet.sender)
		return;
	Bytes nonce = packet.sender->keys.iv;
	set(nonce, 4, get(nonce, 4, 8) ^ (packet.name.number << 16 | index), 8);
	const View all = record.bytes;
	const bool opens =
		all.size() > record_overhead && get(all, 0, 3) == 0x170303 &&
		get(all, 3, 2) == all.size() - record_header &&
		sdp_test::aead_open(packet.sender->cipher, packet.sender->keys.key, nonce,
				    all.first(record_header), all.subspan(record_header));
	if (opens)
		findings_.records++;
	else
		finding(findings_.unopened,
			"record " + std::to_string(index) + " does not open: " + packet.text());
}

void Detector::forget()
{
	while (held_ > options_.kept && order_.size() > 1) {
		const auto oldest = records_.find(order_.front());
		findings_.incomplete += oldest->second.missing > 0 ? 1 : 0;
		held_ -= oldest->second.bytes.size();
		records_.erase(oldest);
		order_.pop_front();
	}
}

uint64_t Detector::errors() const
{
	return findings_.plaintext + findings_.unopened + findings_.reused + findings_.malformed;
}

std::string Detector::report() const
{
	std::string out;
	const auto line = [&out](const char *name, uint64_t value) {
		out += std::string("detector_") + name + ' ' + std::to_string(value) + '\n';
	};

	line("plaintext", findings_.plaintext);
	line("unopened", findings_.unopened);
	line("reused", findings_.reused);
	line("malformed", findings_.malformed);
	line("packets", findings_.packets);
	line("bytes", findings_.bytes);
	line("records", findings_.records);
	line("unknown", findings_.unknown);
	line("again", findings_.again);
	line("incomplete", findings_.incomplete + static_cast<uint64_t>(std::ranges::count_if(
							  records_, [](const auto &entry) {
								  return entry.second.missing > 0;
							  })));
	return out;
}

} // namespace cx
