# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What vm/vm and uml/uml share: options, the way a command gets into a guest and
# its status out, and the judgement on a guest's kernel log. Sourced.
#
# Runs COMMAND as root in a guest that sees this machine's files (changes to
# them are lost with the guest), prints what it prints, and exits with its
# status, unless the guest misbehaves:
#   123  the kernel log holds a warning, an oops or a checker's report
#   124  the guest was not done after the time limit
#   125  the guest panicked or died otherwise
# In these cases the log is shown and kept.
#
#   -t SECONDS   time limit for the whole run (default 600)
#   -o DIR       appears writable as /out (default: a folder that is removed)
#   -l FILE      keeps the kernel log here
#   -r MIB       memory (default 2048, UML 1024)
#   -a ARG       one more kernel argument; repeatable
#   -e NAME      one more environment variable that the command sees; PATH, HOME,
#                LC_ALL and SDP_* it sees anyway
#   -x REGEX     a report that is expected: matching log lines are overlooked
#   -K           no scan for leaked memory at the end (UML; it takes 6 s)
#   -m MODE      vm only: mt, two CPUs on two host threads (default); icount, one
#                CPU, one guest nanosecond per guest instruction
#   -c CPUS      vm only
#   -q ARG       vm only: one more QEMU argument; repeatable
#   -n MODEL     vm only: two network cards of a model of QEMU's (e1000e, virtio-net, vmxnet3),
#                on a switch of their own; repeatable
#   -i           vm only: COMMAND has this terminal, or what is fed to stdin

guest_number() { [[ $2 =~ ^[0-9]+$ ]] || misused "not a number: -$1 $2"; }

guest_options() {
	case ${1:-} in
	-h | --help)
		(helps "$1")
		echo
		sed -n '/^# Runs COMMAND/,/^$/s/^# \?//p' "${BASH_SOURCE[0]}"
		exit
		;;
	esac
	helps
	limit=600 out= log= memory=${guest_memory:-2048} leaks=1 mode=mt cpus=2 interactive=
	kernel_args=() qemu_args=() cards=() exported=(PATH HOME LC_ALL "${!SDP_@}") expected=()
	while getopts :t:o:l:r:a:e:x:Km:c:q:n:i option; do
		case $option in
		t) guest_number t "$OPTARG" && limit=$OPTARG ;;
		o) out=$OPTARG ;;
		l) log=$OPTARG ;;
		r) guest_number r "$OPTARG" && memory=$OPTARG ;;
		a) kernel_args+=("$OPTARG") ;;
		e) exported+=("$OPTARG") ;;
		x) expected+=("$OPTARG") ;;
		K) leaks= ;;
		m) mode=$OPTARG ;;
		c) guest_number c "$OPTARG" && cpus=$OPTARG ;;
		q) qemu_args+=("$OPTARG") ;;
		n) cards+=("$OPTARG") ;;
		i) interactive=yes ;;
		:) misused "no value for option -$OPTARG" ;;
		*) misused "no such option: $([ "$OPTARG" = - ] && echo "${!OPTIND}" || echo "-$OPTARG")" ;;
		esac
	done
	shift $((OPTIND - 1))
	[ $# -gt 0 ] || misused "no command is given"
	[ -z "$out" ] || [ -d "$out" ] || misused "no such folder: $out"
	[[ " ${cards[*]}" != *[^[:alnum:]\ _-]* ]] || misused "no such model: ${cards[*]}"
	[[ $mode == mt || $mode == icount ]] || misused "no such mode: $mode"
	guest_command=("$@")
	as_root
}

# Lays out the control folder: `cmd` is what the guest runs, `status` and
# `dmesg` are what it leaves behind.
guest_prepare() {
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	control=$work/ctl
	mkdir "$control"
	[ -n "$out" ] || { out=$work/out && mkdir "$out"; }
	out=$(cd "$out" && pwd)
	{
		local name
		for name in "${exported[@]}"; do
			[ -z "${!name+set}" ] || printf 'export %s=%q\n' "$name" "${!name}"
		done
		printf 'cd %q || exit 127\n' "$PWD"
		printf '%q ' "${guest_command[@]}"
		echo
	} >"$control/cmd"
	[ -z "$leaks" ] || : >"$control/leaks"
	[ -z "$interactive" ] || { stty size 2>/dev/null || echo 24 80; } >"$control/terminal"
	console=$work/console
	: >"$console"
}

# guest_finish STATUS: the emulator's own, 124 or 137 when it had to be killed.
guest_finish() {
	local status=$1 verdict=
	# The guest's own copy of the log is complete; the console has what came
	# just before a death. Each line once.
	cat "$control/dmesg" "$console" 2>/dev/null | tr -d '\r' |
		awk '!seen[$0]++' >"$work/log"
	if [ -s "$control/status" ]; then
		status=$(cat "$control/status")
	elif [ "$status" = 124 ] || [ "$status" = 137 ]; then
		status=124 verdict="the guest was not done after $limit s"
	else
		status=125 verdict="the guest died"
	fi
	guest_reports >"$work/reports"
	if [ -s "$work/reports" ]; then
		[ $status = 124 ] || [ $status = 125 ] || status=123
		verdict=${verdict:+$verdict, and }"its kernel log holds reports"
	fi
	if [ -n "$verdict" ]; then
		[ -n "$log" ] || log=$(mkdir -p "$SDP_BUILD/log" && mktemp "$SDP_BUILD/log/${0##*/}-XXXXXX.log")
		say "$verdict"
		if [ -s "$work/reports" ]; then head -n 120 "$work/reports"; else tail -n 40 "$work/log"; fi >&2
		say "whole log: $log"
	fi
	[ -z "$log" ] || cp "$work/log" "$log"
	exit "$status"
}

# Matching lines with what follows them: a report's stack is below its title.
guest_reports() {
	local pattern judged=$work/judged
	awk -f "$SDP_TOP/selftests/lib/our-races.awk" <"$work/log" >"$judged"
	for pattern in "${expected[@]}"; do
		grep -vE -e "$pattern" "$judged" >"$judged.less" || :
		judged=$judged.less
	done
	grep -vE '^#|^$' "$SDP_TOP/selftests/lib/reports" >"$work/patterns"
	grep -E -A 30 -f "$work/patterns" "$judged" || :
}
