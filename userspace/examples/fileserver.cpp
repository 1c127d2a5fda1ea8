// SPDX-License-Identifier: Apache-2.0
// fileserver FOLDER ADDRESS:PORT --clear|--tls FOLDER [--threads N]
//
// Serves the regular files below FOLDER to fileclient (files.hpp has the
// protocol). The listing, with its checksums, is made once, at the start.
#include "files.hpp"

#include <sdp/sdp.hpp>
#include <sdp/tls.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <getopt.h>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace {

struct options {
	std::string folder;
	sdp::address local;
	std::string tls; /**< empty: in the clear */
	unsigned threads = 2;
};

class service {
public:
	explicit service(const std::string &folder) : root_(files::open_folder(folder))
	{
		make_listing(folder);
	}

	[[nodiscard]] std::size_t count() const { return listing_.size(); }

	/** Answers requests until the socket is shut down. */
	void run(sdp::socket &socket) const
	{
		std::vector<std::byte> buffer(files::longest_read);
		for (;;) {
			const sdp::message request = next(socket);
			try {
				answer(socket, request, buffer);
			} catch (const std::system_error &error) {
				refuse(socket, request, error.code().value());
			}
		}
	}

private:
	/** A message that finds no memory is not lost. */
	static sdp::message next(sdp::socket &socket)
	{
		for (;;) {
			try {
				sdp::message got = socket.receive();
				if (got.is_request()) {
					return got;
				}
			} catch (const std::system_error &error) {
				if (error.code() != std::errc::not_enough_memory) {
					throw;
				}
				std::this_thread::sleep_for(std::chrono::milliseconds(10));
			}
		}
	}

	void make_listing(const std::string &folder)
	{
		namespace fs = std::filesystem;
		std::vector<std::string> paths;
		for (const fs::directory_entry &each : fs::recursive_directory_iterator(folder)) {
			if (each.symlink_status().type() == fs::file_type::regular) {
				paths.push_back(each.path().lexically_relative(folder).string());
			}
		}
		std::sort(paths.begin(), paths.end());
		for (const std::string &path : paths) {
			const files::file file = files::open_beneath(root_.get(), path, O_RDONLY);
			struct stat found {};
			if (::fstat(file.get(), &found) == 0) {
				listing_.push_back({path, static_cast<std::uint64_t>(found.st_size),
						    found.st_mode & 07777,
						    files::sha256_of(file.get())});
			}
		}
	}

	void answer(sdp::socket &socket, const sdp::message &request,
		    std::span<std::byte> buffer) const
	{
		if (request.error()) {
			throw std::system_error(request.error());
		}
		const std::vector<std::byte> bytes = request.bytes();
		files::reader in(bytes);
		switch (in.number<files::operation>()) {
		case files::operation::list:
			list(socket, request, in);
			break;
		case files::operation::read:
			read(socket, request, in, buffer);
			break;
		default:
			files::fail(EPROTO, "request");
		}
	}

	void list(sdp::socket &socket, const sdp::message &request, files::reader &in) const
	{
		const std::size_t first =
			std::min<std::size_t>(in.number<std::uint32_t>(), count());
		in.end();
		files::writer entries;
		std::uint32_t here = 0;
		for (auto each = listing_.begin() + static_cast<std::ptrdiff_t>(first);
		     each != listing_.end() && entries.size() < files::longest_read / 2; ++each) {
			entries.number(each->size)
				.number(each->mode)
				.raw(each->sha256)
				.text(each->path);
			++here;
		}
		files::writer head;
		head.number(std::uint32_t{0})
			.number(static_cast<std::uint32_t>(count()))
			.number(here);
		const std::array pieces{head.view(), entries.view()};
		socket.respond(request, pieces);
	}

	void read(sdp::socket &socket, const sdp::message &request, files::reader &in,
		  std::span<std::byte> buffer) const
	{
		const auto offset = in.number<std::uint64_t>();
		const auto length = in.number<std::uint32_t>();
		const std::string path = in.text();
		in.end();
		if (length > buffer.size() || offset > INT64_MAX) {
			files::fail(EINVAL, path);
		}
		const files::file file =
			files::open_beneath(root_.get(), path, O_RDONLY | O_NONBLOCK);
		struct stat found {};
		if (::fstat(file.get(), &found) != 0 || !S_ISREG(found.st_mode)) {
			files::fail(EACCES, path);
		}
		const ssize_t got =
			::pread(file.get(), buffer.data(), length, static_cast<off_t>(offset));
		if (got < 0) {
			files::fail(errno, path);
		}
		const auto fine = files::writer().number(std::uint32_t{0});
		const std::array pieces{
			fine.view(), sdp::bytes_view(buffer.first(static_cast<std::size_t>(got)))};
		socket.respond(request, pieces);
	}

	static void refuse(sdp::socket &socket, const sdp::message &request, int error)
	{
		try {
			socket.respond(
				request,
				files::writer().number(static_cast<std::uint32_t>(error)).view());
		} catch (const std::system_error &failed) {
			// The client is out of reach; it will ask again, or has given up.
			std::cerr << "fileserver: " << request.peer().text() << ": "
				  << failed.what() << '\n';
		}
	}

	files::file root_;
	std::vector<files::entry> listing_;
};

[[noreturn]] void usage()
{
	std::cerr << "usage: fileserver FOLDER ADDRESS:PORT --clear|--tls FOLDER [--threads N]\n";
	std::exit(2);
}

options read_options(int argc, char **argv)
{
	options all;
	bool clear = false;
	const std::array<option, 4> names{{{"clear", no_argument, nullptr, 'c'},
					   {"tls", required_argument, nullptr, 's'},
					   {"threads", required_argument, nullptr, 't'},
					   {}}};
	for (int each; (each = ::getopt_long(argc, argv, "", names.data(), nullptr)) != -1;) {
		switch (each) {
		case 'c':
			clear = true;
			break;
		case 's':
			all.tls = optarg;
			break;
		case 't':
			all.threads = static_cast<unsigned>(files::number_of(optarg, 1, 1024));
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 2 || clear != all.tls.empty() || all.threads == 0) {
		usage();
	}
	all.folder = argv[optind];
	all.local = sdp::address::resolve(argv[optind + 1]);
	return all;
}

void run(const options &all)
{
	const service files(all.folder);
	std::optional<sdp::server> clear;
	std::optional<sdp::tls::server> encrypted;
	if (all.tls.empty()) {
		clear.emplace(all.local);
	} else {
		encrypted.emplace(all.local, std::make_shared<sdp::tls::credentials>(
						     sdp::tls::load_folder(all.tls)));
	}
	sdp::socket &socket = clear ? clear->underlying() : encrypted->underlying();
	std::cout << "fileserver: " << files.count() << " files at " << all.local.text()
		  << (all.tls.empty() ? ", in the clear" : ", encrypted") << std::endl;
	std::vector<std::jthread> threads;
	for (unsigned i = 0; i < all.threads; ++i) {
		threads.emplace_back([&] {
			try {
				files.run(socket);
			} catch (const std::exception &error) {
				std::cerr << "fileserver: " << error.what() << std::endl;
				std::_Exit(1);
			}
		});
	}
}

} // namespace

int main(int argc, char **argv)
{
	try {
		run(read_options(argc, argv));
	} catch (const std::exception &error) {
		std::cerr << "fileserver: " << error.what() << '\n';
	}
	return 1;
}
