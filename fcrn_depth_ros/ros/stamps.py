# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Message stamps as integers of nanoseconds; no stamp a driver may send is an error here."""

from __future__ import annotations

from builtin_interfaces.msg import Time

NS_PER_S = 1_000_000_000


def nanoseconds(stamp: Time) -> int:
    """Return a stamp in nanoseconds; `sec` may be negative (rclpy's Time refuses that)."""
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def stamp_ns_or_none(stamp: Time) -> int | None:
    """Return a stamp in nanoseconds; None where its nanoseconds exceed a second."""
    return nanoseconds(stamp) if stamp.nanosec < NS_PER_S else None


def time_message(stamp_ns: int) -> Time:
    """Return the message of a time in nanoseconds that came from :func:`nanoseconds`."""
    seconds, rest = divmod(stamp_ns, NS_PER_S)
    return Time(sec=seconds, nanosec=rest)
