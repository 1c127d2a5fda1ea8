# SPDX-License-Identifier: Apache-2.0
# The demo's table, from files of "key=value" figures.
BEGIN {
	printf "%-18s %6s %10s %6s %9s %9s %8s %6s %6s %8s\n", "run", "files", "bytes", "RPCs",
	       "median", "p99", "packets", "lost", "resent", "seconds"
}
{
	for (i = 1; i <= NF; i++) {
		at = index($i, "=")
		value[substr($i, 1, at - 1)] = substr($i, at + 1)
	}
	printf "%-18s %6d %10d %6d %6d us %6d us %8d %6d %6d %8.1f\n", value["label"],
	       value["files"], value["bytes"], value["rpcs"], value["median_us"],
	       value["p99_us"], value["packets"], value["lost"], value["retransmissions"],
	       value["seconds"]
}
END {
	print "(Emulated machine: times say nothing about a real one. packets: with DATA; lost: of"
	print "all that the router forwards; resent: DATA again, where nothing is lost because the"
	print "machine stood still for longer than net.sdp.resend_us, 5 ms.)"
}
