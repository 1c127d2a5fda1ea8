# SPDX-License-Identifier: Apache-2.0
# json.awk ENVIRONMENT RESULTS: both as JSON. Numbers are written as they are.
function text(what) {
	gsub(/\\/, "\\\\\\\\", what)
	gsub(/"/, "\\\\\"", what)
	return "\"" what "\""
}
FILENAME == ARGV[1] {
	at = index($0, " ")
	environment = environment (environment == "" ? "" : ",\n") "    " text(substr($0, 1, at - 1)) \
		": " text(substr($0, at + 1))
	next
}
FNR == 1 {
	print "{\n  \"environment\": {\n" environment "\n  },\n  \"results\": ["
	for (i = 1; i <= NF; i++) name[i] = $i
	next
}
{
	line = ""
	for (i = 1; i <= NF; i++)
		line = line (i > 1 ? ", " : "") text(name[i]) ": " \
			(name[i] ~ /^(size|outstanding|value)$/ ? $i : text($i))
	printf "%s    {%s}", (FNR > 2 ? ",\n" : ""), line
}
END { print "\n  ]\n}" }
