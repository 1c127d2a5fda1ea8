# SPDX-License-Identifier: Apache-2.0
# One line per point of the measurement, as its connections are done.
{
	point = $1 ", " $2 " outstanding, " $3 " bytes"
	if (point != last)
		printf "%s%s:", last == "" ? "" : "\n", point
	last = point
	printf " %d", $4
	fflush()
}
END { if (last != "") print "" }
