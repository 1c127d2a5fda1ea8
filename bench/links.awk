# SPDX-License-Identifier: Apache-2.0
# The table of times over slow links from "path transport outstanding size ns ..." lines.
{
	key = $1 SUBSEP $3
	if (!seen[key]++) { path[++n] = $1; count[n] = $3; size[n] = $4 }
	ms[key, $2] = $5 * $3 / 1e6
}
END {
	print "Milliseconds for the first echoes over links that are slow, far or lossy"
	printf "%-22s%14s%9s%9s%9s%9s%10s%12s\n", "", "", "tcp", "ktls", "clear", "secure",
		"clear/tcp", "secure/ktls"
	for (i = 1; i <= n; i++) {
		key = path[i] SUBSEP count[i]
		printf "%-22s%14s", path[i], count[i] " x " size[i] / 1000 " KB"
		printf "%9.0f%9.0f%9.0f%9.0f", ms[key, "tcp"], ms[key, "ktls"], ms[key, "clear"],
			ms[key, "secure"]
		printf "%9.0f%%%11.0f%%\n", 100 * ms[key, "clear"] / ms[key, "tcp"],
			100 * ms[key, "secure"] / ms[key, "ktls"]
	}
}
