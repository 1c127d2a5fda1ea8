// SPDX-License-Identifier: Apache-2.0
#include "certificate.hpp"
#include "commands.hpp"
#include "files.hpp"
#include "proc.hpp"

#include <filesystem>
#include <iostream>
#include <memory>
#include <system_error>
#include <vector>

namespace tool {

namespace {

namespace fs = std::filesystem;

struct paths {
	std::string certificate;
	std::string key;
	std::string ca; /**< a host's copy of whom it believes; empty for the CA */
};

paths paths_of_ca(const cert_options &options)
{
	const fs::path folder(options.folder);
	return {(folder / "ca.pem").string(), (folder / "ca.key").string(), {}};
}

/** What the library loads as a host's credentials: a folder of its own. */
paths paths_of(const cert_options &options, const std::string &name)
{
	const fs::path folder = fs::path(options.folder) / name;
	return {(folder / "chain.pem").string(), (folder / "key.pem").string(),
		(folder / "ca.pem").string()};
}

record told(const X509 &certificate, const paths &where, const std::string &name)
{
	return {{"name", name},
		{"certificate", where.certificate},
		{"key", where.key},
		{"valid_until", valid_until(certificate)},
		{"sha256", fingerprint(certificate)}};
}

/** All of the files or none. */
record keep(const identity &what, const paths &where, const std::string &name,
	    const std::string &ca = {})
{
	const wiped_text key(key_pem(*what.key));
	const std::string certificate = certificate_pem(*what.certificate);
	std::vector<new_file> files{
		{.path = where.key, .content = key.view(), .mode = 0600},
		{.path = where.certificate, .content = certificate, .mode = 0644}};
	if (const fs::path folder = fs::path(where.key).parent_path(); !folder.empty()) {
		fs::create_directories(folder);
	}
	if (!where.ca.empty()) {
		files.push_back({.path = where.ca, .content = ca, .mode = 0644});
	}
	write_new(files);
	return told(*what.certificate, where, name);
}

identity load_ca(const cert_options &options)
{
	const paths where = paths_of_ca(options);
	if (!fs::exists(where.certificate)) {
		throw std::runtime_error("no CA in " + options.folder + ": sdp cert ca makes one");
	}
	const wiped_text key(read_file(where.key));
	return read_identity(read_file(where.certificate), key.view());
}

void check_name(const std::string &name)
{
	if (!is_name(name)) {
		throw usage_error("not a host's name or address: " + name);
	}
	if (name == "ca") {
		throw usage_error("ca is the CA's own name: a host needs another");
	}
}

record make_ca_files(const cert_options &options)
{
	const identity ca = make_ca(options.ca_name, options.ca_days);
	return keep(ca, paths_of_ca(options), options.ca_name);
}

record make_host_files(const cert_options &options, const std::vector<std::string> &names)
{
	const identity ca = load_ca(options);
	return keep(make_host(ca, names, options.days), paths_of(options, names.front()),
		    names.front(), certificate_pem(*ca.certificate));
}

int show_made(const style &how, const std::vector<record> &made)
{
	table all;
	for (const record &each : made) {
		auto &row = all.rows.emplace_back();
		all.columns.clear();
		for (const auto &[name, value] : each) {
			all.columns.push_back(name);
			row.push_back(value);
		}
	}
	print(std::cout, how, all);
	return success;
}

} // namespace

int cert_ca(const style &how, const cert_options &options)
{
	return show_made(how, {make_ca_files(options)});
}

int cert_host(const style &how, const cert_options &options)
{
	for (const std::string &each : options.names) {
		check_name(each);
	}
	return show_made(how, {make_host_files(options, options.names)});
}

/** A CA if there is none, and a certificate for each name. */
int cert_lab(const style &how, const cert_options &options)
{
	std::vector<record> made;
	for (const std::string &each : options.names) {
		check_name(each);
		const paths where = paths_of(options, each);
		if (fs::exists(where.certificate) || fs::exists(where.key)) {
			throw std::system_error(EEXIST, std::generic_category(),
						where.certificate + " is not overwritten");
		}
	}
	if (!fs::exists(paths_of_ca(options).certificate)) {
		made.push_back(make_ca_files(options));
	}
	for (const std::string &each : options.names) {
		made.push_back(make_host_files(options, {each}));
	}
	return show_made(how, made);
}

} // namespace tool
