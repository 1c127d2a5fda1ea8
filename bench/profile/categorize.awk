# SPDX-License-Identifier: Apache-2.0
# categorize.awk CATEGORIES FUNCTIONS: "category instructions function" of each line
# "instructions function".
FILENAME == ARGV[1] {
	if ($0 !~ /^#/ && NF == 2) {
		category[++n] = $1
		pattern[n] = $2
	}
	next
}
{
	for (i = 1; i <= n && $2 !~ pattern[i]; i++) {}
	print (i <= n ? category[i] : "other"), $1, $2
}
