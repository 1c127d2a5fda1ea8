// SPDX-License-Identifier: Apache-2.0
// hello CREDENTIALS ADDRESS:PORT         says hello to whoever asks there
// hello CREDENTIALS ADDRESS:PORT NAME    asks
#include <iostream>
#include <sdp/tls.hpp>

int main(int argc, char **argv)
try {
	if (argc < 3 || argc > 4) {
		std::cerr << "usage: hello CREDENTIALS ADDRESS:PORT [NAME]\n";
		return 2;
	}
	const auto who = std::make_shared<sdp::tls::credentials>(sdp::tls::load_folder(argv[1]));
	const auto where = sdp::address::resolve(argv[2]);
	if (argc == 3) {
		sdp::tls::server server(where, who);
		for (;;) {
			const sdp::message name = server.receive();
			try {
				server.respond(name, "hello, " + name.text().substr(0, 99));
			} catch (const std::system_error &gone) { // This client: others come.
				std::cerr << "hello: " << gone.what() << '\n';
			}
		}
	}
	sdp::tls::client client(where, who);
	std::cout << client.call(argv[3]).text() << '\n';
} catch (const std::exception &error) {
	std::cerr << "hello: " << error.what() << '\n';
	return 1;
}
