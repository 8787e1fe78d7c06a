# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What alert_node remembers, as points for rviz2 and costmaps."""

from __future__ import annotations

from array import array
import sys

import numpy as np
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from ..alert.memory import RememberedPoints


def memory_points_message(header: Header, points: RememberedPoints) -> PointCloud2:
    """
    Make a cloud of obstacles.

    Parameters
    ----------
    header : std_msgs.msg.Header
        Time, and the frame of the robot's centre of rotation.
    points : RememberedPoints
        Around the robot.

    Returns
    -------
    sensor_msgs.msg.PointCloud2
        x, y, z = 0, `age` in seconds since a point was last seen, and `doubt` in metres, by which
        it may be elsewhere.

    """
    count = len(points.xy_m)
    values = np.zeros((count, 5), np.float32)
    values[:, :2] = points.xy_m
    values[:, 3], values[:, 4] = points.age_s, points.doubt_m + points.swing_m
    data = array('B')
    data.frombytes(values.tobytes())
    return PointCloud2(
        header=header,
        height=1,
        width=count,
        fields=[
            PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
            for index, name in enumerate(('x', 'y', 'z', 'age', 'doubt'))
        ],
        is_bigendian=sys.byteorder == 'big',
        point_step=20,
        row_step=20 * count,
        data=data,
        is_dense=True,
    )
