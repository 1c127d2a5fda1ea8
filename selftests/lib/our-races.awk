# SPDX-License-Identifier: Apache-2.0
# our-races: a kernel log without the race detector's (KCSAN's) reports in whose stacks none
# of our modules is. The rest of the kernel has races of its own, by the thousand.

function our(line) { return line ~ /\[(sdp|sdp_[a-z]+|canary)\]/ }

/BUG: KCSAN:/ { within = 1; ours = 0; report = "" }
within {
	report = report $0 "\n"
	ours = ours || our($0)
	if (/Reported by Kernel Concurrency Sanitizer/) {
		if (ours)
			printf "%s", report
		within = 0
	}
	next
}
{ print }
END { if (within) printf "%s", report }
