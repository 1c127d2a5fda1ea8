// SPDX-License-Identifier: Apache-2.0
// fileclient ADDRESS:PORT FOLDER --clear|--tls FOLDER [--cipher NAME] [--record-size BYTES]
//            [--chunk BYTES] [--outstanding N] [--every N] [--copy] [--label NAME]
//
// Fetches the files of a fileserver into FOLDER, which must be empty or not there,
// many at a time and large ones in pieces, and compares their SHA-256 with the
// server's. Ends with one line of figures, "key=value" each.
//   --tls FOLDER  this end's certificates, and whom it believes: chain.pem, key.pem, ca.pem
//   --every N     only each Nth file of the listing
//   --copy        receives by copying instead of in a receive region
#include "files.hpp"

#include <sdp/sdp.hpp>
#include <sdp/tls.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <getopt.h>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using clock = std::chrono::steady_clock;

constexpr unsigned most_tries = 6;
/** Longest listing that is taken: it is kept in memory. */
constexpr std::uint32_t most_files = 1'000'000;

struct options {
	sdp::address server;
	std::string folder;
	std::string tls; /**< empty: in the clear */
	sdp::tls::client_options handshake;
	std::uint32_t chunk = 256 * 1024;
	std::size_t outstanding = 16;
	std::size_t every = 1;
	bool copy = false;
	std::string label = "files";
};

/** A file on its way. */
struct download {
	files::entry what;
	files::file file;
	std::uint64_t asked = 0;   /**< bytes, from the start */
	std::uint64_t missing = 0; /**< pieces */
};

/** A part of a file, one RPC. */
struct piece {
	std::shared_ptr<download> of;
	std::uint64_t offset = 0;
	std::uint32_t length = 0;
	unsigned tries = 0;
	clock::time_point sent;
};

class fetcher {
public:
	explicit fetcher(const options &all) : options_(all), client_(all.server, room(all))
	{
		if (!all.tls.empty()) {
			who_ = std::make_shared<sdp::tls::credentials>(
				sdp::tls::load_folder(all.tls));
			shake_hands();
		}
		std::filesystem::create_directories(all.folder);
		if (!std::filesystem::is_empty(all.folder)) {
			files::fail(ENOTEMPTY, all.folder);
		}
		root_ = files::open_folder(all.folder);
	}

	void run()
	{
		start_ = clock::now();
		list();
		while (done_ < wanted_.size()) {
			fill();
			progress(false);
			take(client_.receive());
		}
		progress(true);
	}

	void print_figures();

private:
	static sdp::socket_options room(const options &all);
	void shake_hands();
	sdp::message ask(sdp::bytes_view request);
	void list();
	void fill();
	void begin(const files::entry &what);
	piece cut();
	void send(piece part);
	void take(const sdp::message &response);
	void again(piece part, const std::error_code &why);
	void store(const piece &part, const sdp::message &response);
	void finish(download &whole);
	void progress(bool last);

	options options_;
	sdp::client client_;
	std::shared_ptr<const sdp::tls::credentials> who_;
	files::file root_;
	std::vector<files::entry> wanted_;
	std::size_t begun_ = 0;
	std::size_t done_ = 0;
	std::shared_ptr<download> current_;     /**< of which not all has been asked for */
	std::deque<piece> waiting_;             /**< to be asked for again */
	std::map<std::uint64_t, piece> flying_; /**< by cookie */
	std::uint64_t next_cookie_ = 1;

	clock::time_point start_;
	clock::time_point handshake_ = clock::now();
	clock::time_point shown_;
	std::uint64_t bytes_ = 0;
	std::uint64_t retries_ = 0;
	std::vector<std::chrono::nanoseconds> latencies_;
};

sdp::socket_options fetcher::room(const options &all)
{
	// Room for all that is outstanding, in pages of 64 KB, and as much again; and for any
	// one message, such as the listing.
	const std::size_t pieces = 2 * all.outstanding * (all.chunk + 65536UL);
	return {.region = all.copy ? 0 : std::max(pieces, sdp::message::max_chunks * 65536)};
}

void fetcher::shake_hands()
{
	handshake_ = clock::now();
	sdp::tls::connect(client_.underlying(), options_.server, who_, options_.handshake);
}

/** A call that is repeated when it may be. */
sdp::message fetcher::ask(sdp::bytes_view request)
{
	for (unsigned tries = 1;; ++tries) {
		const clock::time_point sent = clock::now();
		try {
			sdp::message response = client_.call(request);
			latencies_.push_back(clock::now() - sent);
			return response;
		} catch (const std::system_error &error) {
			if (!sdp::is_transient(error.code()) || tries == most_tries) {
				throw;
			}
			++retries_;
		}
	}
}

void fetcher::list()
{
	std::uint32_t total = 1;
	for (std::uint32_t first = 0; first < total;) {
		const auto request = files::writer().number(files::operation::list).number(first);
		const std::vector<std::byte> bytes = ask(request.view()).bytes();
		files::reader in(bytes);
		if (const auto error = in.number<std::uint32_t>(); error != 0) {
			files::fail(static_cast<int>(error), "the server's listing");
		}
		total = in.number<std::uint32_t>();
		const auto count = in.number<std::uint32_t>();
		if ((count == 0 && first < total) || total > most_files) {
			files::fail(EPROTO, "the server's listing");
		}
		for (std::uint32_t i = 0; i < count; ++i, ++first) {
			files::entry each;
			each.size = in.number<std::uint64_t>();
			each.mode = in.number<std::uint32_t>();
			std::ranges::copy(in.raw(each.sha256.size()), each.sha256.begin());
			each.path = in.text();
			if (each.size > INT64_MAX) {
				files::fail(EPROTO, "the server's listing");
			}
			if (first % options_.every == 0) {
				wanted_.push_back(std::move(each));
			}
		}
	}
}

/** Keeps as many requests flying as we may. */
void fetcher::fill()
{
	while (flying_.size() < options_.outstanding) {
		if (!waiting_.empty()) {
			piece next = std::move(waiting_.front());
			waiting_.pop_front();
			send(std::move(next));
		} else if (current_) {
			send(cut());
		} else if (begun_ < wanted_.size()) {
			begin(wanted_[begun_++]);
		} else {
			return;
		}
	}
}

void fetcher::begin(const files::entry &what)
{
	if (!files::is_plain(what.path)) {
		files::fail(EPROTO, "the server names a path that it must not: " + what.path);
	}
	for (std::size_t slash = 0; (slash = what.path.find('/', slash)) != std::string::npos;
	     ++slash) {
		// The way there has been made by us, below a folder that was empty.
		if (::mkdirat(root_.get(), what.path.substr(0, slash).c_str(), 0700) != 0 &&
		    errno != EEXIST) {
			files::fail(errno, what.path);
		}
	}
	auto whole = std::make_shared<download>();
	whole->what = what;
	whole->file = files::open_beneath(root_.get(), what.path, O_RDWR | O_CREAT | O_EXCL, 0600);
	// An empty file takes one request too: that it is empty is to be checked.
	whole->missing = std::max<std::uint64_t>(1, what.size / options_.chunk +
							    (what.size % options_.chunk != 0));
	current_ = std::move(whole);
}

/** The next piece. One at a time: a size is whatever the server says. */
piece fetcher::cut()
{
	const std::uint64_t offset = current_->asked;
	const std::uint64_t left = current_->what.size - offset;
	const auto length =
		static_cast<std::uint32_t>(std::min<std::uint64_t>(left, options_.chunk));
	current_->asked += length;
	piece next{current_, offset, length, 0, {}};
	if (current_->asked == current_->what.size) {
		current_ = nullptr;
	}
	return next;
}

void fetcher::send(piece part)
{
	const auto request = files::writer()
				     .number(files::operation::read)
				     .number(part.offset)
				     .number(part.length)
				     .text(part.of->what.path);
	const std::uint64_t cookie = next_cookie_++;
	++part.tries;
	part.sent = clock::now();
	flying_.emplace(cookie, std::move(part));
	client_.start(request.view(), cookie);
}

void fetcher::take(const sdp::message &response)
{
	const auto found = flying_.find(response.cookie());
	if (found == flying_.end()) {
		return;
	}
	piece part = std::move(found->second);
	flying_.erase(found);
	if (response.error()) {
		again(std::move(part), response.error());
		return;
	}
	latencies_.push_back(clock::now() - part.sent);
	store(part, response);
	if (--part.of->missing == 0) {
		finish(*part.of);
	}
}

/** Reading a file again does no harm. */
void fetcher::again(piece part, const std::error_code &why)
{
	if (!sdp::is_transient(why) || part.tries == most_tries) {
		throw std::system_error(why, part.of->what.path);
	}
	++retries_;
	std::cerr << files::printable(part.of->what.path) << ": " << why.message()
		  << "; asking again\n";
	const bool often = part.tries > 2 && why == std::errc::timed_out;
	if (often && who_ && part.sent > handshake_) {
		// The server may have been restarted, and not know our session.
		shake_hands();
	}
	waiting_.push_front(std::move(part));
}

void fetcher::store(const piece &part, const sdp::message &response)
{
	std::array<std::byte, 4> head{};
	if (response.copy_to(head) < head.size()) {
		files::fail(EPROTO, part.of->what.path);
	}
	if (const auto error = files::reader(head).number<std::uint32_t>(); error != 0) {
		files::fail(static_cast<int>(error), "the server says of " + part.of->what.path);
	}
	if (response.size() - head.size() != part.length) {
		files::fail(EPROTO, part.of->what.path + ": has changed its size");
	}
	auto offset = static_cast<off_t>(part.offset);
	std::size_t skip = head.size();
	for (const sdp::bytes_view chunk : response.chunks()) {
		sdp::bytes_view rest = chunk.subspan(std::min(skip, chunk.size()));
		skip -= chunk.size() - rest.size();
		while (!rest.empty()) {
			const ssize_t put =
				::pwrite(part.of->file.get(), rest.data(), rest.size(), offset);
			if (put < 0) {
				files::fail(errno, part.of->what.path);
			}
			rest = rest.subspan(static_cast<std::size_t>(put));
			offset += put;
		}
	}
	bytes_ += part.length;
}

void fetcher::finish(download &whole)
{
	if (files::sha256_of(whole.file.get()) != whole.what.sha256) {
		files::fail(EBADMSG, whole.what.path + ": SHA-256 differs");
	}
	// No set-user-id bits from a server.
	if (::fchmod(whole.file.get(), whole.what.mode & 0777) != 0) {
		files::fail(errno, whole.what.path);
	}
	whole.file = {};
	++done_;
}

double seconds_between(clock::time_point start, clock::time_point end)
{
	return std::chrono::duration<double>(end - start).count();
}

void fetcher::progress(bool last)
{
	const clock::time_point now = clock::now();
	if (!last && now - shown_ < std::chrono::seconds(2)) {
		return;
	}
	shown_ = now;
	std::printf("%s: %zu of %zu files, %.1f MB, %zu RPCs, %.1f s%s\n", options_.label.c_str(),
		    done_, wanted_.size(), static_cast<double>(bytes_) / 1e6, latencies_.size(),
		    seconds_between(start_, now), last ? ", done" : "");
	std::fflush(stdout);
}

/** The latency, in microseconds, that @p share of the RPCs stayed below. */
double quantile(const std::vector<std::chrono::nanoseconds> &sorted, double share)
{
	if (sorted.empty()) {
		return 0;
	}
	const auto at = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
	return static_cast<double>(sorted[at].count()) / 1000;
}

void fetcher::print_figures()
{
	std::ranges::sort(latencies_);
	std::printf("figures: label=%s files=%zu bytes=%llu rpcs=%zu retries=%llu median_us=%.0f "
		    "p99_us=%.0f seconds=%.2f\n",
		    options_.label.c_str(), done_, static_cast<unsigned long long>(bytes_),
		    latencies_.size(), static_cast<unsigned long long>(retries_),
		    quantile(latencies_, 0.5), quantile(latencies_, 0.99),
		    seconds_between(start_, clock::now()));
}

[[noreturn]] void usage()
{
	std::cerr << "usage: fileclient ADDRESS:PORT FOLDER --clear|--tls FOLDER [--cipher NAME]\n"
		     "  [--record-size BYTES] [--chunk BYTES] [--outstanding N] [--every N]\n"
		     "  [--copy] [--label NAME]\n";
	std::exit(2);
}

constexpr std::array<option, 10> option_names{{
	{"clear", no_argument, nullptr, 'n'},
	{"tls", required_argument, nullptr, 't'},
	{"cipher", required_argument, nullptr, 'c'},
	{"record-size", required_argument, nullptr, 'r'},
	{"chunk", required_argument, nullptr, 's'},
	{"outstanding", required_argument, nullptr, 'o'},
	{"every", required_argument, nullptr, 'e'},
	{"copy", no_argument, nullptr, 'y'},
	{"label", required_argument, nullptr, 'l'},
	{},
}};

void read_option(options &all, int letter, bool &clear)
{
	switch (letter) {
	case 'n':
		clear = true;
		break;
	case 't':
		all.tls = optarg;
		break;
	case 'c':
		all.handshake.cipher = sdp::cipher_named(optarg);
		break;
	case 'r':
		all.handshake.record_size = static_cast<std::uint16_t>(
			files::number_of(optarg, sdp::record_size_min, sdp::record_size_max));
		break;
	case 's':
		all.chunk = static_cast<std::uint32_t>(
			files::number_of(optarg, 1, files::longest_read));
		break;
	case 'o':
		all.outstanding = files::number_of(optarg, 1, 1 << 20);
		break;
	case 'e':
		all.every = files::number_of(optarg, 1, UINT32_MAX);
		break;
	case 'y':
		all.copy = true;
		break;
	case 'l':
		all.label = optarg;
		break;
	default:
		usage();
	}
}

options read_options(int argc, char **argv)
{
	options all;
	bool clear = false;
	for (int each;
	     (each = ::getopt_long(argc, argv, "", option_names.data(), nullptr)) != -1;) {
		read_option(all, each, clear);
	}
	if (argc - optind != 2 || clear != all.tls.empty() || all.every == 0 ||
	    all.outstanding == 0 || all.chunk == 0 || all.chunk > files::longest_read) {
		usage();
	}
	all.server = sdp::address::resolve(argv[optind]);
	all.folder = argv[optind + 1];
	return all;
}

} // namespace

int main(int argc, char **argv)
{
	try {
		fetcher all(read_options(argc, argv));
		all.run();
		all.print_figures();
		return 0;
	} catch (const std::exception &error) {
		std::cerr << "fileclient: " << files::printable(error.what()) << '\n';
		return 1;
	}
}
