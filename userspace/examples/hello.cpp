// SPDX-License-Identifier: Apache-2.0
// hello SECRET_FILE ADDRESS:PORT         says hello to whoever asks there
// hello SECRET_FILE ADDRESS:PORT NAME    asks
#include <iostream>
#include <sdp/sdp.hpp>

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	const sdp::secret secret = sdp::secret::load(argv[1]);
	const auto where = sdp::address::parse(argv[2]);
	if (argc == 3) {
		sdp::server server(where, secret);
		for (;;) {
			const sdp::message name = server.receive();
			server.respond(name, "hello, " + name.text().substr(0, 99));
		}
	}
	sdp::client client(where, secret);
	std::cout << client.call(argv[3]).text() << '\n';
}
