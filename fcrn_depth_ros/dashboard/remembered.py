# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What alert_node remembers, as the page draws it: around the camera, as the scan is."""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import Any

import numpy as np
from sensor_msgs.msg import PointCloud2

from ..errors import FrameError
from ..ros.memory_points import read_memory_points

_MOST_POINTS = 300


def remembered(message: PointCloud2, camera: Sequence[object]) -> dict[str, Any]:
    """
    Place what is remembered around the camera.

    Parameters
    ----------
    message : sensor_msgs.msg.PointCloud2
        Of proximity/memory, around the robot's centre of rotation.
    camera : sequence
        alert_node's camera_x_m, camera_y_m and camera_yaw_deg as reported; 0 where one is not a
        number, as they are by default.

    Returns
    -------
    dict
        JSON values: `points`, each x ahead, y to the left (metres), age (seconds) and doubt
        (metres), the nearest first and no more than 300; or `problem` where the cloud is another
        one.

    """
    try:
        points = read_memory_points(message)
    except FrameError as error:
        return {'problem': str(error)}
    points = points[np.isfinite(points).all(axis=1)]
    x_m, y_m, yaw_deg = (
        value if isinstance(value, (int, float)) and math.isfinite(value) else 0.0
        for value in camera
    )
    cosine, sine = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    places = (points[:, :2].astype(np.float64) - (x_m, y_m)) @ turn
    nearest = np.argsort(np.hypot(*places.T), kind='stable')[:_MOST_POINTS]
    return {'points': np.column_stack([places, points[:, 2:]])[nearest].round(2).tolist()}
