# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The two functions of the modelled NIC, for scripts in a guest. Sourced.
#
#   nic_load, nic_unload     the driver: the kernel's own, or the file SDP_MLX5
#   nic_devices              names of the two, in the order of their functions
#   nic_hosts                host a has the first as eth0, host b the second:
#                            10.0.0.1, 10.0.0.2; fd00::1, fd00::2; both up, and linked
#   nic_ask COMMAND...       the model; prints its answer (see control.hpp)
#   nic_linked               waits until both have a carrier
. "$(dirname "${BASH_SOURCE[0]}")/../../lib/net.sh"

nic_load() {
	if [ "$SDP_NIC_DRIVER" = patched ]; then
		modinfo -F depends "$SDP_MLX5" | tr ',' '\n' | grep -v '^sdp_' | xargs -r modprobe -a
		insmod "$SDP_BUILD/uml/sdp_offload.ko" || return
		insmod "$SDP_MLX5" || return
	else
		modprobe mlx5_core || return
	fi
	nic_wait 600 nic_both
}

nic_unload() {
	rmmod mlx5_core || return
	[ ! -e /sys/module/sdp_offload ] || [ -e /sys/module/sdp ] || rmmod sdp_offload
}

nic_devices() {
	local path
	for path in /sys/bus/pci/drivers/mlx5_core/*/net/*; do
		[ ! -e "$path" ] || echo "${path##*/}"
	done
}

nic_both() { [ "$(nic_devices | wc -l)" = 2 ]; }

# nic_wait TENTHS COMMAND...: until COMMAND succeeds.
nic_wait() {
	local left=$1
	shift
	while ! "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.1
	done
}

nic_carrier() { [ "$(on "$1" cat /sys/class/net/eth0/carrier 2>/dev/null)" = 1 ]; }
nic_linked() { nic_wait 600 nic_carrier a && nic_wait 600 nic_carrier b; }

nic_hosts() {
	local host number=0 devices
	mapfile -t devices < <(nic_devices)
	[ ${#devices[@]} = 2 ] || return
	net_host a b
	for host in a b; do
		set -- "${devices[number]}"
		number=$((number + 1))
		ip link set "$1" down && ip link set "$1" netns $host name eth0 || return
		net_address $host eth0 "10.0.0.$number/24" "fd00::$number/64" || return
		ip -n $host link set eth0 up || return
	done
	nic_linked
}

nic_ask() {
	local number=1
	[ ! -e /run/nic-asked ] || number=$(($(cat /run/nic-asked) + 1))
	# What was answered to another guest is no answer.
	rm -f "$SDP_NIC/answer.$number"
	echo $number >/run/nic-asked
	echo "$number $*" >>"$SDP_NIC/ask"
	nic_wait 600 test -e "$SDP_NIC/answer.$number" || { echo "error: no answer" && return 1; }
	cat "$SDP_NIC/answer.$number"
	! grep -q '^error' "$SDP_NIC/answer.$number"
}
