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

from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion
import numpy as np

from ..camera.mounting import CameraMounting, mounting_from_transform
from ..errors import ConfigurationError
from ..wire.stamps import nanoseconds

_KEPT = 30
# A pose of another moment counts for a picture where they are this near. Somebody who walks
# tilts a phone by about a degree meanwhile.
NEAR_NS = 100_000_000


class PoseMounting:
    """The poses that came lately, by their stamps. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mountings: OrderedDict[int, CameraMounting | None] = OrderedDict()

    def take(self, message: PoseStamped) -> None:
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
            while len(self._mountings) > _KEPT:
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


def mounting_of_pose(pose: Pose) -> CameraMounting | None:
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


def pose_of_mounting(mounting: CameraMounting) -> Pose:
    """
    Turn a mounting into the pose of an optical frame above the floor, looking along x.

    Parameters
    ----------
    mounting : CameraMounting
        Height, pitch and roll.

    Returns
    -------
    geometry_msgs.msg.Pose
        In a frame on the floor below the camera, z up.

    """
    up = -mounting.down_vector()
    # Rows of the rotation from the optical frame: the axes of the floor's frame seen in it.
    forward = np.array([0.0, 0.0, 1.0])
    forward = forward - up * float(forward @ up)
    norm = float(np.linalg.norm(forward))
    if norm < 1e-6:  # it looks straight down or up: any direction is as good
        forward = np.array([0.0, -1.0, 0.0]) - up * float(-up[1])
        norm = float(np.linalg.norm(forward))
    forward = forward / norm
    left = np.cross(up, forward)
    x, y, z, w = _quaternion(np.vstack([forward, left, up]))
    return Pose(
        position=Point(z=float(mounting.height_m)), orientation=Quaternion(x=x, y=y, z=z, w=w)
    )


def _quaternion(rotation: np.ndarray) -> tuple[float, float, float, float]:
    """Turn a rotation matrix into x, y, z, w, by the largest of the four (Shepperd)."""
    m = rotation
    trace = float(np.trace(m))
    squares = [m[0, 0], m[1, 1], m[2, 2], trace]
    largest = int(np.argmax(squares))
    if largest == 3:
        w = 1.0 + trace
        values = [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], w]
    else:
        i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
        values = [0.0, 0.0, 0.0, m[k, j] - m[j, k]]
        values[i] = 1.0 + 2.0 * m[i, i] - trace
        values[j] = m[i, j] + m[j, i]
        values[k] = m[i, k] + m[k, i]
    length = math.hypot(*(float(value) for value in values))
    x, y, z, w = (float(value) / length for value in values)
    return x, y, z, w
