# SPDX-License-Identifier: Apache-2.0
# table.awk: profile.csv as a table, a row per category, a column per point.
FNR == 1 { next }
{
	point = $1 " " $2 ($3 == 1 ? "" : " x" $3)
	if (!seen[point]++) points[++n] = point
	if (!known[$4]++) names[++m] = $4
	count[point, $4] = $5
	total[point] += $5
	weight[$4] += $5
}
END {
	printf "%-24s", "instructions an RPC"
	for (i = 1; i <= n; i++) printf "%18s", points[i]
	print ""
	for (j = 1; j <= m; j++) {
		most = ""
		for (k = 1; k <= m; k++)
			if (!done[names[k]] && (most == "" || weight[names[k]] > weight[most])) most = names[k]
		done[most] = 1
		name = most
		gsub(/_/, " ", name)
		printf "%-24s", name
		for (i = 1; i <= n; i++) printf "%18d", count[points[i], most]
		print ""
	}
	printf "%-24s", "all"
	for (i = 1; i <= n; i++) printf "%18d", total[points[i]]
	print ""
}
