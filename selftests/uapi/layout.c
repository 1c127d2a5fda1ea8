// SPDX-License-Identifier: Apache-2.0
// The layout of what programs and the kernel exchange, to the byte: compiled
// for 32 and 64 bit, as C and as C++, and with either header first.
#include <stddef.h>

#ifdef SDP_FIRST
#include <linux/sdp.h>
#endif
#include <linux/homa.h>
#include <linux/sdp.h>

#ifdef __cplusplus
#define IS(a, b) static_assert((a) == (b), #a)
#else
#define IS(a, b) _Static_assert((a) == (b), #a)
#endif
#define AT(type, field, offset) IS(offsetof(struct type, field), offset)

IS(sizeof(struct homa_sendmsg_args), 24);
AT(homa_sendmsg_args, id, 0);
AT(homa_sendmsg_args, completion_cookie, 8);
AT(homa_sendmsg_args, flags, 16);
AT(homa_sendmsg_args, reserved, 20);

IS(sizeof(struct homa_recvmsg_args), 88);
AT(homa_recvmsg_args, id, 0);
AT(homa_recvmsg_args, completion_cookie, 8);
AT(homa_recvmsg_args, num_bpages, 16);
AT(homa_recvmsg_args, reserved, 20);
AT(homa_recvmsg_args, bpage_offsets, 24);

IS(sizeof(struct homa_rcvbuf_args), 16);
AT(homa_rcvbuf_args, start, 0);
AT(homa_rcvbuf_args, length, 8);

IS(sizeof(struct homa_abort_args), 32);
AT(homa_abort_args, id, 0);
AT(homa_abort_args, error, 8);
AT(homa_abort_args, _pad1, 12);
AT(homa_abort_args, _pad2, 16);

IS(sizeof(struct homa_rpc_info), 184);
AT(homa_rpc_info, id, 0);
AT(homa_rpc_info, peer, 8);
IS(sizeof(((struct homa_rpc_info *)0)->peer), 128);
AT(homa_rpc_info, completion_cookie, 136);
AT(homa_rpc_info, tx_length, 144);
AT(homa_rpc_info, tx_sent, 148);
AT(homa_rpc_info, tx_granted, 152);
AT(homa_rpc_info, tx_prio, 156);
AT(homa_rpc_info, rx_length, 160);
AT(homa_rpc_info, rx_remaining, 164);
AT(homa_rpc_info, rx_gaps, 168);
AT(homa_rpc_info, rx_gap_bytes, 172);
AT(homa_rpc_info, rx_granted, 176);
AT(homa_rpc_info, flags, 180);

IS(sizeof(struct homa_info), 136);
AT(homa_info, rpc_info, 0);
AT(homa_info, rpc_info_length, 8);
AT(homa_info, bpool_avail_bytes, 16);
AT(homa_info, port, 24);
AT(homa_info, num_rpcs, 28);
AT(homa_info, error_msg, 32);

IS(IPPROTO_HOMA, 146);
IS(SO_HOMA_RCVBUF, 10);
IS(SO_HOMA_SERVER, 11);
IS(HOMA_MAX_MESSAGE_LENGTH, 1000000);
IS(HOMA_BPAGE_SIZE, 65536);
IS(HOMA_BPAGE_SHIFT, 16);
IS(HOMA_MAX_BPAGES, 16);
IS(HOMA_MIN_DEFAULT_PORT, 0x8000);
IS(HOMA_SENDMSG_PRIVATE, 1);
IS(HOMA_SENDMSG_VALID_FLAGS, 1);
IS(HOMA_FLAG_DONT_THROTTLE, 2);
IS(HOMA_ERROR_MSG_SIZE, 104);
IS(HOMA_RPC_BUF_STALL, 1);
IS(HOMA_RPC_PRIVATE, 2);
IS(HOMA_RPC_RX_READY, 4);
IS(HOMA_RPC_RX_COPY, 8);
IS(HOMAIOCINFO, 0xc0886890u);
IS(HOMAIOCABORT, 0xc0206891u);
IS(HOMAIOCFREEZE, 0x6892u);

IS(sizeof(struct sdp_session_add), 168);
AT(sdp_session_add, size, 0);
AT(sdp_session_add, flags, 4);
AT(sdp_session_add, local, 8);
AT(sdp_session_add, peer, 36);
AT(sdp_session_add, role, 64);
AT(sdp_session_add, cipher, 66);
AT(sdp_session_add, record_size, 68);
AT(sdp_session_add, reserved, 70);
AT(sdp_session_add, secret, 72);
AT(sdp_session_add, own_nonce, 104);
AT(sdp_session_add, peer_nonce, 120);
AT(sdp_session_add, context, 136);
IS(SDP_SESSION_ADD_V1, 136);

IS(sizeof(struct sdp_session_ref), 36);
AT(sdp_session_ref, id, 4);
AT(sdp_session_ref, peer, 8);

IS(sizeof(struct sdp_session_info), 224);
AT(sdp_session_info, id, 4);
AT(sdp_session_info, peer, 8);
AT(sdp_session_info, local, 36);
AT(sdp_session_info, role, 64);
AT(sdp_session_info, cipher, 66);
AT(sdp_session_info, record_size, 68);
AT(sdp_session_info, offload, 70);
AT(sdp_session_info, tx_epoch, 72);
AT(sdp_session_info, rx_epoch, 80);
AT(sdp_session_info, tx_messages, 88);
AT(sdp_session_info, tx_messages_left, 96);
AT(sdp_session_info, tx_blocks, 104);
AT(sdp_session_info, tx_blocks_left, 112);
AT(sdp_session_info, rx_messages, 120);
AT(sdp_session_info, rx_failed, 128);
AT(sdp_session_info, silent_ns, 136);
AT(sdp_session_info, driver, 144);
AT(sdp_session_info, wire, 208);
AT(sdp_session_info, state, 212);
AT(sdp_session_info, nic_records, 216);
IS(SDP_SESSION_INFO_V1, 208);
IS(SDP_SESSION_INFO_V2, 216);

IS(sizeof(struct sdp_version), 16);
AT(sdp_version, uapi, 4);
AT(sdp_version, wire, 8);

IS(sizeof(struct sdp_raw_keys), 304);
AT(sdp_raw_keys, id, 168);
AT(sdp_raw_keys, tx_key, 176);
AT(sdp_raw_keys, rx_key, 208);
AT(sdp_raw_keys, tx_iv, 240);
AT(sdp_raw_keys, rx_iv, 256);
AT(sdp_raw_keys, tx_hdr, 272);
AT(sdp_raw_keys, rx_hdr, 288);

IS(sizeof(struct sdp_rpc_cmsg), 32);
AT(sdp_rpc_cmsg, size, 0);
AT(sdp_rpc_cmsg, flags, 4);
AT(sdp_rpc_cmsg, id, 8);
AT(sdp_rpc_cmsg, cookie, 16);
AT(sdp_rpc_cmsg, error, 24);
AT(sdp_rpc_cmsg, session, 28);
IS(SDP_RPC_CMSG_SHORT, 16);

IS(sizeof(struct sdp_abort_args), 24);
AT(sdp_abort_args, size, 0);
AT(sdp_abort_args, error, 4);
AT(sdp_abort_args, id, 8);
AT(sdp_abort_args, cookie, 16);

IS(SDP_NONCE, 64);
IS(SDP_SESSION_ADD, 65);
IS(SDP_SESSION_DEL, 66);
IS(SDP_SESSION_REKEY, 67);
IS(SDP_SESSION_INFO, 68);
IS(SDP_POLICY, 69);
IS(SDP_RAW_KEYS, 70);
IS(SDP_PADDING, 71);
IS(SDP_VERSION, 72);
IS(SDP_PADDING_MAX, 65536);
IS(SDP_CMSG_RPC, 64);
IS(SDPIOCABORT, 0xc01868a0u);
