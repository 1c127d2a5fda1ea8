# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Checks of what the scripts here are given. Sourced.

transports="udp tcp ktls tls sdp-clear sdp sdp-aes256 sdp-chacha sdp-clear-homa sdp-homa sdp-channel"

is_transport() { # those of load/: one, or several with commas
	local one
	[[ $1 =~ ^[a-z0-9,-]+$ ]] || misused "no such transport: $1"
	for one in ${1//,/ }; do
		[[ " $transports " == *" $one "* ]] || misused "no such transport: $one ($transports)"
	done
}
is_number() { [[ $1 =~ ^[1-9][0-9]{0,8}$ ]] || misused "not a number: $1"; }
are_numbers() {
	[[ $1 =~ ^[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*$ ]] || misused "not numbers with commas: $1"
}
# Of the sources; a tree that is no clone has none.
version() {
	[ -e "$SDP_TOP/.git" ] || { echo "unknown: no git work tree" && return; }
	git -C "$SDP_TOP" -c safe.directory='*' describe --always --dirty
}
# about SUITES SEED VERSION: what is said of a measurement, beside what its guest says.
about() {
	echo "measured counted"
	echo "date $(date -u +%FT%TZ)"
	echo "seed $2"
	echo "version $3"
	echo "emulator $(qemu-system-x86_64 --version | head -n 1)"
	echo "compiler $(g++ --version | head -n 1)"
	echo "openssl $(openssl version)"
	echo "suites $1"
}
# Those of the kernel's lsm=, which takes any word.
are_modules() { [[ $1 =~ ^[a-z]+(,[a-z]+)*$ ]] || misused "not security modules: $1"; }
