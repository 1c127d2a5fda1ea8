# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# GoogleTest's lines as TAP. Sourced, after tap.sh.
#
#   gtest_tap [PREFIX]   of standard input, which needs --gtest_color=no. What a test that
#                        failed has printed follows as comments; one that was skipped says
#                        why. Whether the program ended as it should is the caller's to check.

gtest_tap() {
	local prefix=${1:-} line said=() why
	while IFS= read -r line; do
		case $line in
		'[       OK ] '*)
			tap_result ok "$prefix${line:13}"
			said=()
			;;
		# The last line before it is what GTEST_SKIP() was given.
		'[  SKIPPED ] '*\(*ms\))
			why=${said[*]: -1}
			skip "$prefix${line:13}" "${why:-it does not say why}"
			said=()
			;;
		'[  FAILED  ] '*\(*ms\))
			tap_failed=$((tap_failed + 1))
			tap_result "not ok" "$prefix${line:13}"
			[ ${#said[@]} = 0 ] || printf '# %s\n' "${said[@]}"
			said=()
			;;
		'[ RUN      ] '*) said=() ;;
		'' | '['[\ =-]*) ;;
		*) said+=("$line") ;;
		esac
	done
	# Of one that died within a test.
	[ ${#said[@]} = 0 ] || printf '# %s\n' "${said[@]}"
}
