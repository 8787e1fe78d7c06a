# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What alert_node remembers, as points for rviz2, costmaps and the page."""

from __future__ import annotations

from array import array
import sys

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from ..alert.memory import RememberedPoints
from ..errors import FrameError

_NAMES = ('x', 'y', 'z', 'age', 'doubt')
_STEP = 4 * len(_NAMES)


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
            for index, name in enumerate(_NAMES)
        ],
        is_bigendian=sys.byteorder == 'big',
        point_step=_STEP,
        row_step=_STEP * count,
        data=data,
        is_dense=True,
    )


def read_memory_points(message: PointCloud2) -> NDArray[np.float32]:
    """
    Read what :func:`memory_points_message` has made.

    Parameters
    ----------
    message : sensor_msgs.msg.PointCloud2
        Of proximity/memory.

    Returns
    -------
    ndarray of float32, shape (N, 4)
        x ahead, y to the left, age in seconds, doubt in metres.

    Raises
    ------
    FrameError
        If it is another cloud.

    """
    fields = [(field.name, field.offset, field.datatype) for field in message.fields]
    wanted = [(name, 4 * index, PointField.FLOAT32) for index, name in enumerate(_NAMES)]
    count = message.width * message.height
    if fields != wanted or message.point_step != _STEP or len(message.data) != count * _STEP:
        raise FrameError(
            f'proximity/memory must hold {", ".join(_NAMES)} as float32 without padding, got '
            f'{[name for name, _, _ in fields]} in {len(message.data)} bytes for {count} points; '
            'look at what publishes it beside alert_node'
        )
    order = '>' if message.is_bigendian else '<'
    values = np.frombuffer(bytes(message.data), f'{order}f4').reshape(-1, len(_NAMES))
    return values[:, [0, 1, 3, 4]].astype(np.float32)
