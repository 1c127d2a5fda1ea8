# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# TAP for test scripts, on the machine and in guests. Sourced.
#
#   check NAME COMMAND...   ok when COMMAND succeeds; its output is shown when not
#   skip NAME REASON
#   tap_done                prints the plan; exits with 1 when a check failed

tap_count=0
tap_failed=0

tap_result() { # ok|not ok, NAME [# SKIP...]
	tap_count=$((tap_count + 1))
	echo "$1 $tap_count - $2"
}

check() {
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then
		tap_result ok "$name"
		return 0
	fi
	tap_failed=$((tap_failed + 1))
	tap_result "not ok" "$name"
	tail -n 200 <<<"$output" | sed 's/^/# /'
	return 1
}

skip() { tap_result ok "$1 # SKIP $2"; }

tap_done() {
	echo "1..$tap_count"
	[ $tap_failed = 0 ]
	exit
}
