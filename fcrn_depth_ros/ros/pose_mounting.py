# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A mounting as the pose that :class:`~fcrn_depth_ros.wire.pose_mounting.PoseMounting` takes."""

from __future__ import annotations

import math

from geometry_msgs.msg import Point, Pose, Quaternion
import numpy as np

from ..camera.mounting import CameraMounting


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
