# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Message stamps as integers of nanoseconds; no stamp a driver may send is an error here."""

from __future__ import annotations

from typing import Any

NS_PER_S = 1_000_000_000


def nanoseconds(stamp: Any) -> int:
    """Return a builtin_interfaces/Time in nanoseconds; `sec` may be negative."""
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def stamp_ns_or_none(stamp: Any) -> int | None:
    """Return a stamp in nanoseconds; None where its nanoseconds exceed a second."""
    return nanoseconds(stamp) if stamp.nanosec < NS_PER_S else None
