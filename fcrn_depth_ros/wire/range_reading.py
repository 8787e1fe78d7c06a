# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
sensor_msgs/Range as a carrier of a distance and of the uncertainty of its scale.

The message defines a `variance` of 0 as unknown: the metric scale is unverified. Any other value
is the square of relative scale sigma x range.
"""

from __future__ import annotations

import math
from typing import Any

from .stamps import stamp_ns_or_none
from ..alert.source_watch import RangeReading


def range_reading(message: Any) -> RangeReading:
    """
    Read a distance from a message, whatever the message contains.

    Parameters
    ----------
    message : sensor_msgs.msg.Range
        As received.

    Returns
    -------
    RangeReading
        Its stamp is None where the message's is malformed, its scale is None where the
        message's variance is no positive finite number.

    """
    return RangeReading(
        message.range,
        message.min_range,
        message.max_range,
        stamp_ns_or_none(message.header.stamp),
        scale_sigma(message.range, message.variance),
    )


def scale_sigma(distance_m: float, variance_m2: float) -> float | None:
    """
    Return the relative uncertainty of the scale.

    Parameters
    ----------
    distance_m : float
        `range` of the message.
    variance_m2 : float
        `variance` of the message.

    Returns
    -------
    float or None
        None while the scale is unverified.

    """
    if not (0 < variance_m2 < math.inf and 0 < distance_m < math.inf):
        return None
    return math.sqrt(variance_m2) / distance_m
