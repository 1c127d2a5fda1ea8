# SPDX-License-Identifier: Apache-2.0
# blocks.awk: SYMBOLS and COUNTS of one point, sorted together by address (16 digits), as
# lines "instructions module/function": of the module sdp "sdp:FILE/function".
#   -v rpcs=N -v rooms=FILE    how many RPCs; lines "function room/file" of sdp.ko
BEGIN {
	while ((getline line < rooms) > 0) {
		split(line, part, " ")
		room[part[1]] = part[2]
	}
}
$2 == "s" {
	name = $3
	sub(/\.(constprop|isra|part|cold).*/, "", name)
	module = $4 == "" ? "kernel" : substr($4, 2, length($4) - 2)
	if (module == "sdp") module = "sdp:" (name in room ? room[name] : "unknown")
	symbol = module "/" name
	next
}
{ sum[$1 < "8" ? "user/user" : symbol] += $3 / rpcs }
END { for (name in sum) printf "%.2f %s\n", sum[name], name }
