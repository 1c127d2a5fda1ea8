# SPDX-License-Identifier: Apache-2.0
# table.awk: results.csv as tables: a row per path, transport and case, a column per size or
# number. A figure is shown for each metric that the suite is about.
BEGIN {
	split("closed concurrent paths point check", loops, " ")
	for (i in loops) is_loop[loops[i]] = 1
}
FNR == 1 { next }
{
	suite = $1
	if (is_loop[suite]) {
		if ($6 == 1) {
			if ($8 == "ns") put(suite ", 1 outstanding: microseconds an RPC (counted: thousands of instructions)", $5, $9 / 1000, "%.1f")
		} else if ($8 == "rate")
			put(suite ": RPCs a second, " $5 " bytes, by outstanding", $6, $9, "%.0f")
		if ($8 == "p99" && ($6 != 1 || suite != "closed"))
			put(suite ": 99th percentile, microseconds, " $6 " outstanding", $5, $9 / 1000, "%.0f")
	} else if (suite == "links" || suite == "loss" || suite == "incast") {
		if ($8 == "most" && suite == "links")
			put("links: milliseconds until the last of the first ones has come, by bytes", $5, $9 / 1e6, "%.0f")
		if ($8 ~ /^p[59]/ && suite != "links")
			put(suite ": " $8 ", microseconds, " $6 " outstanding, by bytes", $5, $9 / 1000, "%.0f")
		if ($8 == "rate" && suite == "incast")
			put(suite ": answers a second, by outstanding", $6, $9, "%.0f")
	} else if (suite == "tails") {
		if ($8 == "p50" || $8 == "p99")
			put("tails: " $8 " of " $5 " bytes, microseconds, by messages beside", $6, $9 / 1000, "%.0f")
		if ($8 == "bulk_bytes_per_s")
			put("tails: Mbit/s of the messages beside, each way", $6, $9 * 8 / 1e6, "%.0f")
	} else if (suite == "redis") {
		way = $3 == "closed" ? $6 " at a time" : $6 " a second"
		if ($8 == "server_ns")
			put("redis, " way ": thousands of instructions of the server, an operation, by bytes", $5, $9 / 1000, "%.1f")
		if ($8 == "rate" && $3 == "closed")
			put("redis, " way ": operations a second, by bytes", $5, $9, "%.0f")
		if ($8 == "p50" || $8 == "p99")
			put("redis, " way ": " $8 ", microseconds, by bytes", $5, $9 / 1000, "%.0f")
	} else if (suite == "open") {
		if ($8 ~ /^slowdown/)
			put("open: " $8 " of " $7 ", " $6 " % load, by size (0: all)", $5, $9, "%.2f")
	} else if (suite == "peers") {
		if ($8 == "memory") put("peers: bytes of memory for each, both ends", $7, $9, "%.0f")
		else put("peers: " ($8 == "ns" ? "an RPC" : "setting up one") ", microseconds (counted: thousands of instructions), both ends", $7, $9 / 1000, "%.1f")
	}
}
function put(table, column, value, form,   row) {
	row = $2 " " $4 (suite == "open" || suite == "peers" || $7 == "" ? "" : " " $7)
	if (!table_seen[table]++) tables[++tables_count] = table
	if (!row_seen[table, row]++) rows[table, ++rows_count[table]] = row
	if (!column_seen[table, column]++) columns[table, ++columns_count[table]] = column
	values[table, row, column] = sprintf(form, value)
}
function size_name(bytes) {
	return bytes ~ /^[0-9]+$/ && bytes >= 1024 && bytes % 1024 == 0 ? bytes / 1024 "K" : bytes
}
END {
	for (t = 1; t <= tables_count; t++) {
		table = tables[t]
		printf "%s\n%-42s", table, ""
		for (c = 1; c <= columns_count[table]; c++) printf "%11s", size_name(columns[table, c])
		print ""
		for (r = 1; r <= rows_count[table]; r++) {
			row = rows[table, r]
			printf "%-42s", row
			for (c = 1; c <= columns_count[table]; c++) {
				value = values[table, row, columns[table, c]]
				printf "%11s", value == "" ? "-" : value
			}
			print ""
		}
		print ""
	}
}
