# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""sensor_msgs/LaserScan as the alert takes it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .stamps import stamp_ns_or_none
from ..alert.memory import RangeScan


def scan_reading(message: Any) -> RangeScan:
    """
    Read a scan from a message, whatever the message contains.

    Parameters
    ----------
    message : sensor_msgs.msg.LaserScan
        As received, in a frame whose x axis looks ahead.

    Returns
    -------
    RangeScan
        Its stamp is None where the message's is malformed.

    """
    return RangeScan(
        stamp_ns_or_none(message.header.stamp),
        message.angle_min,
        message.angle_increment,
        message.range_min,
        message.range_max,
        np.asarray(message.ranges, np.float64),
    )
