# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Where the camera sits above the floor, as a stamped pose of each picture.

For a camera that moves against its robot and knows how it is held: a phone, a gimbal, an IMU. The
pose is that of the optical frame in a frame on the floor, z up.
"""

from __future__ import annotations

from collections import OrderedDict
import math
import threading
from typing import Any

from .stamps import nanoseconds
from ..camera.mounting import CameraMounting, mounting_from_transform
from ..errors import ConfigurationError

KEPT = 30
# A pose of another moment counts for a picture where they are this near. Somebody who walks
# tilts a phone by about a degree meanwhile.
NEAR_NS = 100_000_000


class PoseMounting:
    """The poses that came lately, by their stamps. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mountings: OrderedDict[int, CameraMounting | None] = OrderedDict()

    def take(self, message: Any) -> None:
        """
        Take a pose.

        Parameters
        ----------
        message : geometry_msgs.msg.PoseStamped
            One that is no mounting makes the mounting at its stamp unknown.

        """
        mounting = mounting_of_pose(message.pose)
        with self._lock:
            self._mountings[nanoseconds(message.header.stamp)] = mounting
            while len(self._mountings) > KEPT:
                self._mountings.popitem(last=False)

    def look_up(self, stamp_ns: int) -> CameraMounting | None:
        """
        Return the mounting at the time of a picture.

        Parameters
        ----------
        stamp_ns : int
            Of the picture.

        Returns
        -------
        CameraMounting or None
            That of the nearest pose; None where none is near in time.

        """
        with self._lock:
            nearest_ns = min(self._mountings, key=lambda t: abs(t - stamp_ns), default=None)
            if nearest_ns is None or abs(nearest_ns - stamp_ns) > NEAR_NS:
                return None
            return self._mountings[nearest_ns]


def mounting_of_pose(pose: Any) -> CameraMounting | None:
    """
    Turn the pose of an optical frame above the floor into a mounting.

    Parameters
    ----------
    pose : geometry_msgs.msg.Pose
        In a frame on the floor, z up.

    Returns
    -------
    CameraMounting or None
        None where the pose is not finite, its quaternion not of unit length, or the camera not
        above the floor.

    """
    position, rotation = pose.position, pose.orientation
    values = (rotation.x, rotation.y, rotation.z, rotation.w)
    numbers = (position.x, position.y, position.z, *values)
    if not all(map(math.isfinite, numbers)) or abs(math.hypot(*values) - 1.0) > 0.01:
        return None
    try:
        return mounting_from_transform((position.x, position.y, position.z), values)
    except ConfigurationError:
        return None
