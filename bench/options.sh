# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Checks of what the scripts here are given. Sourced.

is_transport() { # those of tcp.cpp and sdp.cpp
	[[ " tcp ktls clear secure clear-region secure-region " == *" $1 "* ]] ||
		misused "no such transport: $1"
}
is_number() { [[ $1 =~ ^[1-9][0-9]*$ ]] || misused "not a number: $1"; }
