# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""nav_msgs/Odometry as the domain takes it."""

from __future__ import annotations

from typing import Any

from .stamps import stamp_ns_or_none
from ..odometry import OdometryReading


def odometry_reading(message: Any) -> OdometryReading:
    """
    Read a pose from a message, whatever the message contains.

    Parameters
    ----------
    message : nav_msgs.msg.Odometry
        As received.

    Returns
    -------
    OdometryReading
        Its stamp is None where the message's is malformed.

    """
    position, turn = message.pose.pose.position, message.pose.pose.orientation
    return OdometryReading(
        stamp_ns_or_none(message.header.stamp),
        (position.x, position.y, position.z),
        (turn.x, turn.y, turn.z, turn.w),
    )
