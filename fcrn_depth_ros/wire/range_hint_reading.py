# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""sensor_msgs/Range as a witness of scale takes it."""

from __future__ import annotations

from typing import Any

from .stamps import stamp_ns_or_none
from ..scale.range_hint import RangeHint


def range_hint_reading(message: Any) -> RangeHint:
    """
    Read what a range sensor measured, whatever the message contains.

    Parameters
    ----------
    message : sensor_msgs.msg.Range
        As received.

    Returns
    -------
    RangeHint
        Its stamp is None where the message's is malformed.

    """
    return RangeHint(
        stamp_ns_or_none(message.header.stamp),
        message.range,
        message.min_range,
        message.max_range,
        message.field_of_view,
    )
