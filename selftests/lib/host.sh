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
SDP_CACHE=${SDP_CACHE:-${XDG_CACHE_HOME:-~/.cache}/sdp}
SDP_CACHE=$(realpath -m "$SDP_CACHE")
export SDP_TOP SDP_BUILD SDP_CACHE
export CCACHE_DIR=${CCACHE_DIR:-$SDP_CACHE/ccache}
# What a source includes is told by the compiler: no run of the preprocessor before it.
export CCACHE_DEPEND=1
# A fixed C locale: tools' messages are matched by scripts.
export LC_ALL=C.UTF-8
# apt's own user and those that tests become read what is made here.
umask 022

say() { echo "${0##*/}: $*" >&2; }
die() { say "$@"; exit 1; }
misused() { say "$* (see ${0##*/} --help)"; exit 2; }

# helps "$@": for --help, prints the comments at the script's head, its usage.
helps() {
	case ${1:-} in
	-h | --help)
		sed -n '3,/^[^#]/{/^# shellcheck/d; s/^# \?//p}' "$0" |
			sed "1s/^part: /${0##*\/}, a part of make check: /"
		exit 0
		;;
	--?*) misused "no such option: $1" ;;
	esac
	usable_path "$SDP_TOP" "$SDP_BUILD" "$SDP_CACHE"
}

# arguments LEAST MOST "$@": so many, and no option but --help. Scripts call this
# before they do anything; those with options of their own call helps, and misused.
arguments() {
	local least=$1 most=$2
	shift 2
	helps "$@"
	[[ ${1:-} != -?* ]] || misused "no such option: $1"
	[ $# -le "$most" ] || misused "one argument too many: ${*:most+1:1}"
	[ $# -ge "$least" ] || misused "$least arguments are needed, not $#${1:+: $*}"
}

# Neither make nor QEMU can quote these; guests have a /run and a /dev of their own.
usable_path() {
	local path
	for path; do
		[[ $path != *[^[:alnum:]/._+@~-]* ]] ||
			die "'$path': only letters, digits and ._+@~- may be in the path of the tree, SDP_BUILD and SDP_CACHE"
		[[ $path/ != /run/* && $path/ != /dev/* ]] ||
			die "'$path': guests do not see this machine's /run and /dev"
	done
}

# as_root: guests see this machine's files as root does.
as_root() { [ "$(id -u)" = 0 ] || die "has to be run as root"; }

# in_guest: for scripts that load modules and kill whatever runs in a namespace.
in_guest() { [ -e /run/ctl/cmd ] || misused "runs in a guest only: see selftests/vm/vm"; }

# copy_programs FOLDER PROGRAM...: programs of $SDP_BUILD/userspace, and the libraries
# of ours that they load, for those who may not or shall not look in there.
copy_programs() {
	local folder=$1 program libraries
	shift
	mkdir -p "$folder"
	for program; do
		program=$SDP_BUILD/userspace/$program
		libraries=$(ldd "$program" | awk -v ours="$SDP_BUILD/" 'index($3, ours) == 1 { print $3 }')
		# shellcheck disable=SC2086
		cp "$program" $libraries "$folder/" || return
	done
}

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

# quietly LOG COMMAND...: output goes to LOG and is shown only on failure; what takes long
# says how far it is.
quietly() {
	local log=$1 teller status=0
	shift
	tell_how_far "$log" & teller=$!
	"$@" >"$log" 2>&1 || status=$?
	kill $teller
	# Killed: any other end of it is a fault.
	wait $teller || [ $? = 143 ] || die "what tells how far it is has failed"
	[ $status != 0 ] || return 0
	tail -n 40 "$log" >&2
	die "failed: $* (whole log: $log)"
}

# In the background, as long as this script lives; without a process that it waits for,
# which would outlive it.
tell_how_far() {
	local log=$1 wait=10 far
	while read -rt $wait <> <(:) || kill -0 $$ 2>/dev/null; do
		far=$(grep -o '^\[ *[0-9]*%\]' "$log" 2>/dev/null | tail -n 1 | tr -d '[] ') || far=
		say "building${far:+, $far} ($log)"
		wait=30
	done
}

# The files of this tree, whether committed or not yet; links are what they point to.
# The clone may be another user's.
tree_files() {
	git -C "$SDP_TOP" -c safe.directory='*' ls-files --cached --others --exclude-standard |
		sort -u | while read -r file; do
		[ ! -f "$SDP_TOP/$file" ] || [ -L "$SDP_TOP/$file" ] || echo "$file"
	done
}
