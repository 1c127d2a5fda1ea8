// SPDX-License-Identifier: Apache-2.0
/** @file All of libsdprpc. */
#ifndef SDP_SDP_HPP
#define SDP_SDP_HPP

#include <sdp/address.hpp>
#include <sdp/error.hpp>
#include <sdp/message.hpp>
#include <sdp/psk.hpp>
#include <sdp/rpc.hpp>
#include <sdp/secret.hpp>
#include <sdp/session.hpp>
#include <sdp/socket.hpp>
#include <sdp/version.hpp>

#endif
