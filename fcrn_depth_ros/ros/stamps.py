# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Stamps as messages of rclpy (its own Time refuses a negative `sec`)."""

from __future__ import annotations

from builtin_interfaces.msg import Time

from ..wire.stamps import nanoseconds, NS_PER_S, stamp_ns_or_none

__all__ = ['NS_PER_S', 'nanoseconds', 'stamp_ns_or_none', 'time_message']


def time_message(stamp_ns: int) -> Time:
    """Return the message of a time in nanoseconds that came from :func:`nanoseconds`."""
    seconds, rest = divmod(stamp_ns, NS_PER_S)
    return Time(sec=seconds, nanosec=rest)
