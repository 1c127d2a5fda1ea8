# SPDX-License-Identifier: Apache-2.0
# Reads TAP or KTAP and prints "passed failed skipped planned ran". Nested results
# (indented by four) are counted instead of the result that sums them up;
# "planned" and "ran" are those of the outermost level, planned -1 without a plan.

function depth_of(line) {
	match(line, /^ */)
	return int(RLENGTH / 4)
}

BEGIN { planned = -1 }

{ sub(/\r$/, "") }

/^ *1\.\.[0-9]+/ && depth_of($0) == 0 {
	sub(/^1\.\./, "")
	planned = (planned < 0 ? 0 : planned) + $1
}

/^ *(not )?ok( |$)/ {
	depth = depth_of($0)
	failed_here = /^ *not ok/
	# Children stand before their parent, one level deeper.
	if (children[depth + 1]) {
		if (failed_here && !failed_children[depth + 1])
			failed++
	} else if (failed_here) {
		failed++
	} else if (tolower($0) ~ /# *skip/) {
		skipped++
	} else {
		passed++
	}
	if (failed_here)
		failed_children[depth] = 1
	children[depth]++
	delete children[depth + 1]
	delete failed_children[depth + 1]
	if (depth == 0)
		ran++
}

END { print passed + 0, failed + 0, skipped + 0, planned, ran + 0 }
