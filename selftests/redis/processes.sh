# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What runs beside a test in a guest, with its files in $work. Sourced.

# starts NAME COMMAND...: in the background; its number is in NAME.pid, what it says in NAME.log, and how
# it ended in NAME.status, once it has.
starts() {
	local name=$1
	shift
	rm -f $work/$name.{pid,log,status}
	(
		"$@" &
		echo $! >$work/$name.pid
		wait $!
		echo $? >$work/$name.status
	) >$work/$name.log 2>&1 &
	until [ -s $work/$name.pid ]; do sleep 0.1; done
}
# is_up NAME COMMAND...: succeeds in the end; or NAME has ended, and what it said is shown.
is_up() {
	local name=$1 said
	shift
	until said=$("$@" 2>&1); do
		[ ! -e $work/$name.status ] || break
		sleep 0.1
	done
	[ ! -e $work/$name.status ] || { echo "$name has ended with $(<$work/$name.status): $said" && cat $work/$name.log && return 1; }
}
# ends NAME [SIGNAL]: the process is told to, and ends as it should: well, or by the signal that leaves no choice.
ends() {
	local wanted=0
	[ "${2:-}" != KILL ] || wanted=137
	kill -s "${2:-TERM}" "$(<$work/$1.pid)" || return
	until [ -s $work/$1.status ]; do sleep 0.1; done
	[ "$(<$work/$1.status)" = $wanted ] || { echo "$1 ended with $(<$work/$1.status)" && cat $work/$1.log && return 1; }
}
