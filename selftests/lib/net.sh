# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Hosts for shell tests in a guest: network namespaces a and b, joined in one of
# three ways. Sourced, as root, in a guest (vm/vm or uml/uml).
#
#   net_pair     a(eth0) ------------------------- (eth0)b   10.0.0.1, 10.0.0.2
#   net_bridge   a(eth0) --(a)[sw: bridge br0](b)-- (eth0)b  fd00::1,  fd00::2
#   net_router   a(eth0) --(a)[r: forwards](b)----- (eth0)b  10.0.1.1, 10.0.2.2
#                                                            fd00:1::1, fd00:2::2
#
# In net_router every link has `tso off`, so that the router sees packets, not
# the segments that veth would carry whole; net_loss applies there.
#
#   net_pair [MTU]; net_bridge [MTU]; net_router [MTU]    default 1500
#   net_loss LOSS% [REORDER% [DUPLICATE%]]; net_loss 0 ends it
#   net_tso on|off; net_gro on|off; net_mtu BYTES         on every link
#   on HOST COMMAND...                                    runs it on a host
#   net_capture HOST FILE [TCPDUMP-OPTION...]             what crosses its eth0
#   net_capture_end                                       until here; see there
#   net_down                                              kills and removes all
#   sdp_load [PARAMETER=VALUE...]; sdp_unload             the module, see there
#   kernel_clean                                          see there

on() {
	local host=$1
	shift
	ip netns exec "$host" "$@"
}

net_host() {
	local name
	for name; do
		ip netns add "$name"
		ip -n "$name" link set lo up
		on "$name" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
	done
}

# net_link HOST DEVICE HOST DEVICE MTU
net_link() {
	ip link add name "$2" netns "$1" mtu "$5" type veth peer name "$4" netns "$3" mtu "$5"
	ip -n "$1" link set dev "$2" up
	ip -n "$3" link set dev "$4" up
}

# net_address HOST DEVICE ADDRESS/LENGTH...
net_address() {
	local host=$1 device=$2 address
	shift 2
	for address; do
		case $address in
		*:*) ip -n "$host" addr add "$address" dev "$device" nodad ;;
		*) ip -n "$host" addr add "$address" dev "$device" ;;
		esac
	done
}

net_pair() {
	net_host a b
	net_link a eth0 b eth0 "${1:-1500}"
	net_address a eth0 10.0.0.1/24 fd00::1/64
	net_address b eth0 10.0.0.2/24 fd00::2/64
}

net_bridge() {
	net_host a b sw
	ip -n sw link add br0 type bridge
	ip -n sw link set dev br0 up
	net_link a eth0 sw a "${1:-1500}"
	net_link b eth0 sw b "${1:-1500}"
	ip -n sw link set dev a master br0
	ip -n sw link set dev b master br0
	net_address a eth0 10.0.0.1/24 fd00::1/64
	net_address b eth0 10.0.0.2/24 fd00::2/64
}

net_router() {
	local mtu=${1:-1500}
	net_host a b r
	net_link a eth0 r a "$mtu"
	net_link b eth0 r b "$mtu"
	net_address a eth0 10.0.1.1/24 fd00:1::1/64
	net_address b eth0 10.0.2.2/24 fd00:2::2/64
	net_address r a 10.0.1.254/24 fd00:1::fe/64
	net_address r b 10.0.2.254/24 fd00:2::fe/64
	ip -n a route add default via 10.0.1.254
	ip -n b route add default via 10.0.2.254
	ip -n a -6 route add default via fd00:1::fe
	ip -n b -6 route add default via fd00:2::fe
	on r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	net_tso off
}

# Reordering needs a delay to have something to overtake.
net_loss() {
	local device loss=${1%\%} reorder=${2:-} duplicate=${3:-}
	for device in a b; do
		[ "$loss" = 0 ] || {
			tc -n r qdisc replace dev $device root netem limit 100000 loss "$loss%" \
				${reorder:+delay 1ms reorder "${reorder%\%}%"} \
				${duplicate:+duplicate "${duplicate%\%}%"} || return
			continue
		}
		tc -n r qdisc del dev $device root 2>/dev/null || :
	done
}

net_hosts() { ip netns list | cut -d ' ' -f 1; }

# net_each FUNCTION: called with each host and device.
net_each() {
	local host device
	for host in $(net_hosts); do
		for device in $(ip -n "$host" -o link show type veth | sed 's/^[0-9]*: \([^@:]*\).*/\1/'); do
			"$@" "$host" "$device" || return
		done
	done
}
net_set_offload() { on "$3" ethtool -K "$4" "$1" "$2" >/dev/null; }
net_set_mtu() { ip -n "$2" link set dev "$3" mtu "$1"; }
net_tso() { net_each net_set_offload tso "$1" && net_each net_set_offload gso "$1"; }
net_gro() { net_each net_set_offload gro "$1"; }
net_mtu() { net_each net_set_mtu "$1"; }

# net_capture HOST FILE [TCPDUMP-OPTION...]: from when it returns. What tcpdump says
# goes to FILE.log.
net_capture() {
	capture_host=$1 capture_file=$2
	shift 2
	# Not by on(): what is killed has to be tcpdump.
	ip netns exec "$capture_host" tcpdump -i eth0 -n -U -w "$capture_file" "$@" \
		>"$capture_file.log" 2>&1 &
	capture_pid=$!
	while ! grep -q 'listening on' "$capture_file.log"; do
		kill -0 $capture_pid || return
		sleep 0.1
	done
}

# The kernel hands packets to tcpdump a block at a time, up to a second late, and
# those it still holds are lost when tcpdump ends. So the last ones are pings to the
# link's IPv6 hosts, and tcpdump goes on until it has written one; others may still
# come after it. Fails when the capture has gaps.
net_capture_end() {
	local try
	for try in $(seq 60); do
		on "$capture_host" ping -6 -q -c 1 -W 1 -p 7364702d656e64 ff02::1%eth0 >/dev/null 2>&1
		sleep 0.5
		! tail -c 1000000 "$capture_file" | grep -aq sdp-endsdp-end || break
	done
	kill -TERM "$capture_pid"
	wait "$capture_pid"
	[ "$try" != 60 ] && grep -q '^0 packets dropped by kernel' "$capture_file.log" && return
	cat "$capture_file.log"
	return 1
}

net_down() {
	local host
	for host in $(net_hosts); do
		ip netns pids "$host" | xargs -r kill -9
		ip netns del "$host"
	done
}

# The module that was built for the running kernel (in $SDP_MODULE_BUILD, if that is not
# SDP_BUILD), and what it depends on.
sdp_load() {
	local flavour=amd64 module
	case $(uname -r) in
	*deb12-rt-*) flavour=rt ;;
	*deb12-cloud-*) flavour=cloud ;;
	*deb12*) ;;
	*-kcsan) flavour=kcsan ;;
	*) flavour=uml ;;
	esac
	module=${SDP_MODULE_BUILD:-$SDP_BUILD}/$flavour/sdp.ko
	# What udev loads on a machine of this kind.
	grep -qw aes /proc/cpuinfo && modprobe -q aesni_intel
	modinfo -F depends "$module" | tr ',' '\n' | grep -v '^sdp_' |
		xargs -r modprobe -a || return
	# A driver that depends on it has it loaded already.
	[ -e /sys/module/sdp_offload ] || insmod "${module%/*}/sdp_offload.ko" || return
	insmod "$module" "$@"
}

# Fails when anything holds the module, or memory of it remains: its slab caches
# must be empty when the hosts are gone, at the latest when RCU has done its work.
sdp_unload() {
	local try left cache
	for try in $(seq 60) last; do
		# KASAN keeps what is freed for a while, and caches what each CPU may reuse.
		for cache in /sys/kernel/slab/sdp*/shrink; do
			[ ! -e "$cache" ] || echo 1 >"$cache"
		done
		left=$(awk '/^sdp/ && $2 > 0 { print $1 ": " $2 " objects" }' /proc/slabinfo 2>/dev/null)
		[ "$(cat /sys/module/sdp/refcnt)" = 0 ] || left+=" module in use"
		[ -n "$left" ] || break
		[ "$try" = last ] && { echo "sdp_unload: $left"; return 1; }
		sleep 1
	done
	rmmod sdp || return
	# mlx5's driver depends on it, where it is the patched one.
	[ -n "$(ls /sys/module/sdp_offload/holders)" ] || rmmod sdp_offload || return
	! grep '^sdp' /proc/slabinfo
}

# kernel_clean: fails, and shows them, when the kernel has reported something since
# the last call. Tells which of a batch of tests it was; the runner fails anyway.
kernel_clean() {
	local reports total seen=/run/kernel-seen
	total=$(dmesg | wc -l)
	reports=$(dmesg | tail -n +$(($(cat $seen 2>/dev/null || echo 0) + 1)) |
		awk -f "$SDP_TOP/selftests/lib/our-races.awk" |
		grep -E -A 30 -f <(grep -vE '^#|^$' "$SDP_TOP/selftests/lib/reports"))
	echo "$total" >$seen
	[ -z "$reports" ] && return 0
	echo "$reports"
	return 1
}
