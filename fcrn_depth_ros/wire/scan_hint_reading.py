# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""sensor_msgs/LaserScan as a witness of scale takes it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .stamps import stamp_ns_or_none
from ..scale.scan_hint import ScanHint


def scan_hint_reading(message: Any) -> ScanHint:
    """
    Read what a laser scanner measured, whatever the message contains.

    Parameters
    ----------
    message : sensor_msgs.msg.LaserScan
        As received.

    Returns
    -------
    ScanHint
        Its stamp is None where the message's is malformed.

    """
    return ScanHint(
        stamp_ns_or_none(message.header.stamp),
        message.angle_min,
        message.angle_increment,
        message.range_min,
        message.range_max,
        np.asarray(message.ranges, np.float64),
    )
