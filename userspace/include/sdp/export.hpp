// SPDX-License-Identifier: Apache-2.0
/** @file SDP_EXPORT marks what the shared library offers; the rest is hidden. */
#ifndef SDP_EXPORT_HPP
#define SDP_EXPORT_HPP

#define SDP_EXPORT __attribute__((visibility("default")))

#endif
