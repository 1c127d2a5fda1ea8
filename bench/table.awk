# SPDX-License-Identifier: Apache-2.0
# The tables of `make bench` from "transport outstanding size instructions" lines.
{
	if (!seen[$1]++) transports[++n] = $1
	if (!sizes_seen[$3]++) sizes[++m] = $3
	value[$1, $2, $3] = $4
	any[$2] = 1
}

function size_name(bytes) { return bytes < 1024 ? bytes " B" : bytes / 1024 " KB" }

function heading(text,   i) {
	printf "%s\n%-20s", text, ""
	for (i = 1; i <= m; i++) printf "%10s", size_name(sizes[i])
	print ""
}

# kind 1: thousands of instructions; kind 2: RPCs per guest second.
function rows(outstanding, kind,   i, j, v) {
	for (i = 1; i <= n; i++) {
		printf "%-20s", transports[i]
		for (j = 1; j <= m; j++) {
			v = value[transports[i], outstanding, sizes[j]]
			if (v == "") printf "%10s", "-"
			else if (kind == 1) printf "%10.1f", v / 1000
			else printf "%10.0f", 1e9 / v
		}
		print ""
	}
	print ""
}

# ours / theirs, in per cent: at most 100 is what we want.
function compare(ours, theirs,   j) {
	if (!seen[ours] || !seen[theirs]) return
	printf "%-20s", ours "/" theirs
	for (j = 1; j <= m; j++) {
		if (value[theirs, 1, sizes[j]] == "") printf "%10s", "-"
		else printf "%9.0f%%", 100 * value[ours, 1, sizes[j]] / value[theirs, 1, sizes[j]]
	}
	print ""
}

END {
	if (any[1]) {
		heading("Thousands of instructions per RPC, both ends, one outstanding")
		rows(1, 1)
		compare("clear", "tcp")
		compare("secure", "ktls")
		compare("clear-region", "tcp")
		compare("secure-region", "ktls")
		print ""
	}
	if (any[16]) {
		heading("RPCs per guest second (10^9 instructions), 16 outstanding")
		rows(16, 2)
	}
}
