# SPDX-License-Identifier: Apache-2.0
# sending.awk: "mode size instructions" as a table, thousands of instructions.
{ count[$1, $2] = $3 }
!seen[$2]++ { sizes[++n] = $2 }
END {
	print "\nThousands of instructions of the sending kernel for a message, to the device's queue:"
	printf "%10s %10s %10s %10s %10s %10s %10s\n", "bytes", "clear, cut", "lists",
		"CPU seals", "NIC seals", "NIC / cut", "NIC/lists"
	for (i = 1; i <= n; i++)
		printf "%10d %10.1f %10.1f %10.1f %10.1f %10.2f %10.2f\n", sizes[i], count["clear-cut", sizes[i]] / 1000,
			count["clear", sizes[i]] / 1000, count["secure", sizes[i]] / 1000,
			count["nic", sizes[i]] / 1000, count["nic", sizes[i]] / count["clear-cut", sizes[i]],
			count["nic", sizes[i]] / count["clear", sizes[i]]
}
