# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What is measured, suite by suite: functions suite_NAME, which run in the guest. Sourced.
#
#   closed      one RPC outstanding, 64 B to 1 MB: what it costs
#   concurrent  8 to 256 outstanding: rate and times
#   paths       as closed, over other ways: a router, veth as it comes, packets that cannot be joined
#   tails       64 B beside messages of 1 MB
#   open        workloads W1 to W5 at random times: slowdown
#   incast      many answers at once, through a short queue
#   peers       many clients of one server
#   loss        0, 1 and 5 % of the packets lost
#   links       the first long messages over links that are slow, far or full
suites="closed concurrent paths tails open incast peers loss links"
# With -q those that it has.
quick_suites="closed concurrent tails"

is_suite() {
	[[ " $suites point check sending " == *" $1 "* ]] || misused "no such suite: $1 ($suites sending)"
}

quick=${SDP_BENCH_QUICK:-}
failed=
server=10.0.0.2:4000
beside=tcp,ktls,sdp-clear,sdp

# load PATH ARG...: what it prints goes to the suite's file, with suite and path before it.
load() {
	local path=$1
	shift
	LD_LIBRARY_PATH=/run /run/load -n a -N b -a $server --seed "${SDP_BENCH_SEED:-1}" "$@" |
		sed -u "s/^/$suite,$path,/" | tee -a "/out/$suite.csv" || failed=yes
}

# A veth that cuts to MTU 1500 in software, with NAPI and GRO at the receiver, as on a real device.
pair() {
	net_pair
	net_each net_set_offload tso off
	net_gro on
	server=10.0.0.2:4000
}

router() {
	net_router
	net_gro on
	server=10.0.2.2:4000
}

# shaped RATE QUEUE [BYTES]: the router's links; QUEUE is fifo, or prio: the eight priorities
# of Homa's packets, by the top bits of TOS.
shaped() {
	local device band
	for device in a b; do
		tc -n r qdisc replace dev $device root handle 1: tbf rate "$1" burst 16kb limit "${3:-1500000}"
		[ "$2" = prio ] || continue
		tc -n r qdisc replace dev $device parent 1: handle 2: prio bands 8 priomap 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7
		for band in 1 2 3 4 5 6 7 8; do
			tc -n r filter add dev $device parent 2: protocol ip prio 1 u32 \
				match ip tos $(((8 - band) << 5)) 0xe0 flowid 2:$band
		done
	done
}
unshaped() {
	local device
	for device in a b; do
		[[ $(tc -n r qdisc show dev $device root) != *tbf* ]] || tc -n r qdisc del dev $device root
	done
}

suite_point() { # what is given, once
	pair
	# shellcheck disable=SC2086
	load veth -t "${SDP_BENCH_TRANSPORTS:-$beside}" $SDP_BENCH_ARGS
}

suite_check() { # that all of it works, in a minute
	pair
	load veth -t udp,tcp,ktls,tls,sdp-clear,sdp,sdp-aes256,sdp-chacha,sdp-clear-homa,sdp-homa,sdp-channel \
		closed -s 64 -c 1 -d 5
	load veth -t tcp,ktls,sdp-clear,sdp closed -s 8192 -c 1 -d 5
	load veth -t $beside tails -b 1 -B 65536 -c 10
	load veth -t $beside open -w w1 -L 50 -m 10 -c 20
	many_addresses
	load veth -t $beside peers -F 10.1.0.1 -p 4
}

suite_closed() {
	pair
	if [ -n "$quick" ]; then
		load veth -t udp,$beside closed -s 64,1024,8192,65536 -c 1 -d 20
		return
	fi
	load veth -t udp,tcp,ktls,tls,sdp-clear,sdp,sdp-aes256,sdp-chacha,sdp-clear-homa,sdp-homa,sdp-channel \
		closed -c 2 -d 50
}

suite_concurrent() {
	pair
	if [ -n "$quick" ]; then
		load veth -t $beside --turns closed -o 16 -s 64,8192 -c 1 -d 20
		return
	fi
	load veth -t udp,tcp,ktls,tls,sdp-clear,sdp --turns closed -o 8,16,32,64,128,256 -s 64,1024,8192 -c 1 -d 50
	load veth -t tcp,ktls,sdp-clear,sdp,sdp-homa,sdp-channel -l default-policy closed -o 16 -s 64,1024 -c 1 -d 50
	load veth -t tcp,ktls -l one-connection --turns --one-connection closed -o 16 -s 64,1024,8192 -c 1 -d 50
}

suite_paths() {
	local device few="closed -s 64,1024,8192,65536 -c 1 -d 20"
	router
	# shellcheck disable=SC2086
	load routed -t $beside $few
	net_down
	net_pair
	# shellcheck disable=SC2086
	server=10.0.0.2:4000 load veth-default -t $beside $few
	net_down
	pair
	# Not below /sys, which a host has of its own.
	mkdir -p /run/bpf && mount -t bpf bpf /run/bpf
	for device in a b; do
		on $device "$SDP_BUILD/userspace/bench/xdp_pass" eth0 /run/bpf/pass-$device
	done
	# shellcheck disable=SC2086
	load unjoined -t $beside $few
	umount /run/bpf
}

suite_tails() {
	local rate queue
	# On one processor, which is all there is.
	pair
	tails processor
	[ -z "$quick" ] || return 0
	net_down
	router
	for rate in 200 400; do
		for queue in fifo prio; do
			unshaped
			shaped ${rate}mbit $queue
			tails "${rate}mbit-$queue"
		done
	done
}
tails() { # PATH
	local what="tails -b 0,1,8 -c 300 -g 2000"
	[ -z "$quick" ] || what="tails -b 0,1 -c 50 -g 1000"
	# shellcheck disable=SC2086
	load "$1" -t $beside $what
	# shellcheck disable=SC2086
	load "$1" -t tcp,ktls -l one-connection --one-connection $what
}

# Links so slow that they are full before the processor is.
suite_open() {
	local each workload rate
	router
	local all=(w1:10 w2:20 w3:50 w4:100 w5:100) what="-L 20,50,80 -c 600"
	[ -z "$quick" ] || all=(w1:10 w3:50 w4:100) what="-L 80 -c 300"
	for each in "${all[@]}"; do
		workload=${each%:*} rate=${each#*:}
		unshaped
		shaped "${rate}mbit" fifo
		# shellcheck disable=SC2086
		load "${rate}mbit-fifo" -t $beside open -w "$workload" -m "$rate" $what
	done
}

suite_incast() {
	router
	modprobe sch_tbf
	shaped 200mbit fifo 150000
	load 200mbit-fifo-150KB -t $beside closed -s 64 -A 65536 -o 8,32,128 -c 1 -d 1000
}

# Addresses 10.1.0.0 to 10.1.255.255 are the client's.
many_addresses() {
	ip -n a route add local 10.1.0.0/16 dev lo
	ip -n b route add 10.1.0.0/16 via 10.0.0.1
}

suite_peers() {
	local host
	pair
	many_addresses
	for host in a b; do on $host sysctl -qw net.sdp.user_sessions=65536; done
	ulimit -n 65536
	load veth -t udp,$beside peers -F 10.1.0.1 -p 10,1000
	[ -n "$quick" ] || load veth -t $beside peers -F 10.1.0.1 -p 10000
}

suite_loss() {
	local percent
	router
	modprobe sch_netem
	for percent in 0 1 5; do
		net_loss $percent
		if [ -n "$quick" ]; then
			load "loss-$percent%" -t $beside closed -s 64,65536 -o 1 -c 1 -d 500
			continue
		fi
		load "loss-$percent%" -t $beside closed -s 64,8192,65536 -o 1 -c 1 -d 2000
		load "loss-$percent%" -t $beside closed -s 65536 -o 16 -c 1 -d 1000
	done
}

# over PATH NETEM...: one echo of 700 KB, then six of 500 KB at once.
over() {
	local path=$1 device
	shift
	for device in a b; do tc -n r qdisc replace dev $device root netem "$@"; done
	long "$path"
}
long() {
	load "$1" -t $beside closed -f 1 -o 1 -s 700000 -c 1
	load "$1" -t $beside closed -f 6 -o 6 -s 500000 -c 1
}

suite_links() {
	local device
	modprobe sch_netem
	router
	over 100mbit rate 100mbit limit 1000
	over 20mbit rate 20mbit limit 1000
	over 20mbit-queue-of-40 rate 20mbit limit 40
	over 5mbit rate 5mbit limit 1000
	over 100mbit-50ms rate 100mbit delay 25ms limit 10000
	over 100mbit-loss-1% rate 100mbit loss 1% limit 1000
	for device in a b; do tc -n r qdisc del dev $device root; done
	modprobe wireguard
	(umask 077 && for host in a b; do wg genkey | tee /run/key-$host | wg pubkey >/run/pub-$host; done)
	tunnel a 10.5.0.1 b 10.0.2.2
	tunnel b 10.5.0.2 a 10.0.1.1
	server=10.5.0.2:4000 long wireguard
}
tunnel() { # HOST ADDRESS OTHER ENDPOINT
	ip -n "$1" link add wg0 type wireguard
	on "$1" wg set wg0 listen-port 51820 private-key "/run/key-$1" \
		peer "$(cat "/run/pub-$3")" allowed-ips 10.5.0.0/24 endpoint "$4:51820"
	ip -n "$1" addr add "$2/24" dev wg0
	ip -n "$1" link set dev wg0 mtu 1420 up
}
