// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * SDP_EXPORT marks what the shared library offers; the rest is hidden. All of it is in the
 * inline namespace v0: programs write sdp::, and their symbols name the ABI.
 */
#ifndef SDP_EXPORT_HPP
#define SDP_EXPORT_HPP

#define SDP_EXPORT __attribute__((visibility("default")))

#endif
