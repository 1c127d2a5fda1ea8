# SPDX-License-Identifier: Apache-2.0
# flame.awk: lines "category instructions function", sorted by category, as an SVG: the whole
# at the bottom, categories above it, functions above these; widths are instructions. What
# is narrower than half a pixel is left out; a browser shows names and numbers on hovering.
#   -v title=TEXT
function escaped(text) {
	gsub(/&/, "\\&amp;", text)
	gsub(/</, "\\&lt;", text)
	gsub(/>/, "\\&gt;", text)
	return text
}
function box(x, level, count, name, colour,   width, shown) {
	width = count / total * wide
	if (width < 0.5) return
	shown = substr(name, 1, int((width - 6) / 6.5))
	if (length(shown) < 3) shown = ""
	printf "<g><title>%s: %.0f (%.1f %%)</title>", escaped(name), count, 100 * count / total
	printf "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\" stroke=\"white\" stroke-width=\"0.5\"/>", \
		10 + x / total * wide, 30 + (2 - level) * high, width, high - 1, colour
	if (shown != "")
		printf "<text x=\"%.1f\" y=\"%d\">%s</text>", 13 + x / total * wide, 30 + (2 - level) * high + 15, escaped(shown)
	print "</g>"
}
{
	if ($1 != last) {
		names[++n] = $1
		last = $1
	}
	sum[$1] += $2
	total += $2
	functions[n] = functions[n] $2 " " $3 "\n"
}
END {
	wide = 1180
	high = 22
	print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1200\" height=\"110\" font-family=\"monospace\" font-size=\"11\">"
	print "<rect width=\"1200\" height=\"110\" fill=\"white\"/>"
	printf "<text x=\"10\" y=\"20\">%s: %.0f instructions</text>\n", escaped(title), total
	box(0, 0, total, "all", "#cccccc")
	for (i = 1; i <= n; i++) {
		hue = int(i * 360 / n)
		category = names[i]
		gsub(/_/, " ", category)
		box(x, 1, sum[names[i]], category, "hsl(" hue ",60%,70%)")
		count = split(functions[i], line, "\n")
		for (j = 1; j < count; j++) {
			split(line[j], part, " ")
			box(x, 2, part[1], part[2], "hsl(" hue ",60%," 76 + j % 3 * 5 "%)")
			x += part[1]
		}
	}
	print "</svg>"
}
