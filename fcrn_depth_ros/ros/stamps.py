# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Stamps as messages of rclpy (its own Time refuses a negative `sec`)."""

from __future__ import annotations

import struct

from builtin_interfaces.msg import Time

from ..wire.stamps import nanoseconds, NS_PER_S, stamp_ns_or_none

__all__ = [
    'ENCAPSULATION_BYTES',
    'NS_PER_S',
    'STAMP_BYTES',
    'nanoseconds',
    'serialized_stamp_ns',
    'stamp_ns_or_none',
    'time_message',
]
# Of a message in CDR that begins with a header.
ENCAPSULATION_BYTES, STAMP_BYTES = 4, 8


def time_message(stamp_ns: int) -> Time:
    """Return the message of a time in nanoseconds that came from :func:`nanoseconds`."""
    seconds, rest = divmod(stamp_ns, NS_PER_S)
    return Time(sec=seconds, nanosec=rest)


def serialized_stamp_ns(data: bytes) -> int:
    """
    Read the stamp of a message that begins with a header, without the rest of it.

    Parameters
    ----------
    data : bytes
        The message as a raw subscription gets it: four bytes of CDR encapsulation, whose second
        one is odd for little-endian, then `sec` and `nanosec`.

    Returns
    -------
    int
        As :func:`nanoseconds` returns it; 0 where the message is too short to have one.

    """
    if len(data) < ENCAPSULATION_BYTES + STAMP_BYTES:
        return 0
    seconds, rest = struct.unpack_from('<iI' if data[1] & 1 else '>iI', data, ENCAPSULATION_BYTES)
    return int(seconds) * NS_PER_S + int(rest)
