# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by every script that runs on the machine itself (not in a guest):
# where things are, and a few words to say them with.
#
#   SDP_TOP    the source tree
#   SDP_BUILD  what is built from it (default: build/ in the tree)
#   SDP_CACHE  kernels and downloads; survives `make clean`, shared by clones

SDP_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SDP_BUILD=$(realpath -m "${SDP_BUILD:-$SDP_TOP/build}")
SDP_CACHE=$(realpath -m "${SDP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sdp}")
export SDP_TOP SDP_BUILD SDP_CACHE
export CCACHE_DIR=${CCACHE_DIR:-$SDP_CACHE/ccache}
# A fixed C locale: tools' messages are matched by scripts.
export LC_ALL=C.UTF-8

say() { echo "${0##*/}: $*" >&2; }
die() { say "$@"; exit 1; }

# lock NAME: held until this process ends; says so when it has to wait.
# Children must not inherit it (a daemon would hold it): run them with {lock_fd}>&-.
lock() {
	mkdir -p "$SDP_CACHE"
	exec {lock_fd}>"$SDP_CACHE/.lock-$1"
	flock -n "$lock_fd" && return
	say "waiting for another run that holds $1"
	flock "$lock_fd"
}

# hash_of STRING FILE...: twelve digits that change when any of them does.
hash_of() {
	local text=$1
	shift
	{ echo "$text"; cat /dev/null "$@"; } | sha256sum | cut -c1-12
}

# quietly LOG COMMAND...: output goes to LOG and is shown only on failure.
quietly() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 && return
	tail -n 40 "$log" >&2
	die "failed: $* (whole log: $log)"
}
