# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Record what one robot publishes into an MCAP file, as it comes, until somebody stops it."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan, PointCloud2, Range
from std_msgs.msg import Bool, Float32, String, UInt8

from .mcap_file import McapFile, RawMessage
from ..ros import quality_of_service as qos

# Of one robot, beside the picture that its depth_node reads. What is absolute belongs to all.
TOPICS: dict[str, type] = {
    'camera_info': CameraInfo,
    'mounting': PoseStamped,
    'depth/image_rect': Image,
    'depth/camera_info': CameraInfo,
    'depth/near': Image,
    'depth/scan': LaserScan,
    'proximity': Float32,
    'proximity/near': Bool,
    'proximity/range': Range,
    'proximity/memory': PointCloud2,
    'proximity/scale_verified': Bool,
    'depth/scale': String,
    'depth/scale/state': UInt8,
    'alert/level': UInt8,
    'alert/state': String,
    'stop': Bool,
    '/diagnostics': DiagnosticArray,
}
try:
    from tf2_msgs.msg import TFMessage
except ModuleNotFoundError:  # the ROS 2 wheels of PyPI lack it
    pass
else:
    TOPICS |= {'/tf': TFMessage, '/tf_static': TFMessage}
LATCHED = (
    'proximity/scale_verified',
    'depth/scale',
    'depth/scale/state',
    'alert/level',
    'alert/state',
    '/tf_static',
)
TYPE_NAMES = {
    message_type: f'{message_type.__module__.split(".")[0]}/msg/{message_type.__name__}'
    for message_type in (*TOPICS.values(), CompressedImage)
}


def new_path(folder: Path, namespace: str, now: datetime) -> Path:
    """Return the file of a recording that begins now."""
    robot = namespace.strip('/').replace('/', '_')
    return folder / f'{robot + "_" if robot else ""}{now:%Y-%m-%d_%H-%M-%S}.mcap'


class Recording:
    """
    The topics of one namespace, into one file.

    Parameters
    ----------
    node : rclpy.node.Node
        Subscribes; everything here happens in its executor's thread.
    namespace : str
        Of the robot.
    file : McapFile
        Open.

    """

    def __init__(self, node: Node, namespace: str, file: McapFile) -> None:
        self._node, self._namespace, self.file = node, namespace, file
        self._begun_s = time.monotonic()
        self._seconds = 0
        self._subscriptions: dict[str, Any] = {}
        for name, message_type in TOPICS.items():
            topic = name if name.startswith('/') else f'{namespace.rstrip("/")}/{name}'
            self._subscribe(topic, message_type, name in LATCHED)

    def follow_picture(self, topic: str, message_type: type) -> None:
        """Record the picture that depth_node reads, too, whatever its name."""
        if topic and topic not in self._subscriptions:
            self._subscribe(topic, message_type, False)

    def close(self) -> None:
        """Unsubscribe, and write the rest."""
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        self.file.close()

    def status(self) -> dict[str, Any]:
        """Return what the page shows, as JSON values."""
        if self.file.is_open:
            self._seconds = round(time.monotonic() - self._begun_s)
        return {'on': self.file.is_open, 'text': self.summary(), 'problem': self.file.problem}

    def summary(self) -> str:
        """Return what is in the file, for people."""
        file = self.file
        dropped = f', {file.dropped} messages dropped: the disk is slow' if file.dropped else ''
        ended = f', ended because {file.problem}' if file.problem else ''
        size = f'{self._seconds} s, {file.bytes / 1e6:.1f} MB'
        return f'{size} in {file.path}{dropped}{ended}'

    def _subscribe(self, topic: str, message_type: type, is_latched: bool) -> None:
        self._subscriptions[topic] = self._node.create_subscription(
            message_type,
            topic,
            partial(self._take, topic, TYPE_NAMES[message_type]),
            qos.latched() if is_latched else qos.sensor_input(),
            raw=True,
        )

    def _take(self, topic: str, type_name: str, data: bytes) -> None:
        now_ns = int(self._node.get_clock().now().nanoseconds)
        self.file.put(RawMessage(topic, type_name, data, now_ns, now_ns))
