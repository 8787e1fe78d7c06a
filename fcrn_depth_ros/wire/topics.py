# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The topics of an observation and their types, for depth_node and the command `bag` alike.

Names are relative to the namespace of the camera; types are written as ROS 2 writes them.
"""

from __future__ import annotations

_IMAGE, _FLOAT = 'sensor_msgs/msg/Image', 'std_msgs/msg/Float32'
PICTURES = {
    'depth/camera_info': 'sensor_msgs/msg/CameraInfo',
    'depth/image_rect': _IMAGE,
    'depth/floor': _IMAGE,
    'depth/confidence': _IMAGE,
    'depth/near': _IMAGE,
    'depth/image_color': _IMAGE,
    'depth/points': 'sensor_msgs/msg/PointCloud2',
    'depth/scan': 'sensor_msgs/msg/LaserScan',
}
SIGNALS = {
    'proximity': _FLOAT,
    'proximity/near': 'std_msgs/msg/Bool',
    'proximity/range': 'sensor_msgs/msg/Range',
    'proximity/time_to_collision': _FLOAT,
    'depth/scale/factor': _FLOAT,
    'depth/scale/sigma': _FLOAT,
}
# Late subscribers are told what was published last.
LATCHED = {
    'proximity/scale_verified': 'std_msgs/msg/Bool',
    'depth/scale': 'std_msgs/msg/String',
    'depth/scale/state': 'std_msgs/msg/UInt8',
}
DEPTH_TOPICS = PICTURES | SIGNALS | LATCHED
# Those of the alert that do not depend on who drives.
ALERT_TOPICS = {'alert/level': 'std_msgs/msg/UInt8', 'alert/state': 'std_msgs/msg/String'}
