# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
A phone's camera and tilt, from the page to topics in a namespace of the phone's own.

The page sends what it knows with every picture: size, focal length, and how the phone is held.
"""

from __future__ import annotations

from collections.abc import Callable
import json
import math
import re
import struct
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_msgs.msg import Header

from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting
from ..errors import FcrnDepthError
from ..ros import quality_of_service as qos
from ..ros.messages import camera_info_message
from ..ros.pose_mounting import pose_of_mounting

FRAME = 'phone_camera_optical_frame'
FLOOR_FRAME = 'phone_floor'
_LARGEST_HEADER = 2000
_SIDES_PX = range(16, 4097)


class Phone:
    """
    The publishers of one phone.

    Parameters
    ----------
    node : rclpy.node.Node
        Publishes.
    name : str
        A name for which `is_name` holds: the namespace is `/` and this name.
    post : callable
        Hands work to the executor's thread.

    """

    def __init__(self, node: Node, name: str, post: Callable[..., None]) -> None:
        self._node, self._post = node, post
        self.namespace = f'/{name}'
        self._publishers: dict[str, Any] = {}
        post(self._open)

    @staticmethod
    def is_name(name: str) -> bool:
        """Tell whether a name is that of a phone: `phone`, or `phone_` and some letters."""
        return re.fullmatch(r'phone(_[a-z0-9]{1,16})?', name) is not None

    def take(self, data: bytes) -> bool:
        """
        Take a picture from the page.

        Parameters
        ----------
        data : bytes
            Length of the header (4 bytes, little-endian), header (JSON), JPEG.

        Returns
        -------
        bool
            False where it is not that.

        """
        if len(data) < 4:
            return False
        length = struct.unpack_from('<I', data)[0]
        picture = data[4 + length :]
        if length > _LARGEST_HEADER or picture[:2] != b'\xff\xd8':
            return False
        try:
            said = json.loads(data[4 : 4 + length])
            intrinsics = _intrinsics(said)
            mounting = _mounting(said)
        except (ValueError, TypeError, KeyError, RecursionError, FcrnDepthError):
            return False
        self._post(self._publish, picture, said['width'], said['height'], intrinsics, mounting)
        return True

    def close(self) -> None:
        """Withdraw the publishers; in the executor's thread."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)
        self._publishers.clear()

    def _open(self) -> None:
        for topic, message_type in (
            ('image/compressed', CompressedImage),
            ('camera_info', CameraInfo),
            ('mounting', PoseStamped),
        ):
            self._publishers[topic] = self._node.create_publisher(
                message_type, f'{self.namespace}/{topic}', qos.sensor_input()
            )

    def _publish(
        self,
        picture: bytes,
        width_px: int,
        height_px: int,
        intrinsics: CameraIntrinsics | None,
        mounting: CameraMounting | None,
    ) -> None:
        if not self._publishers:
            return
        # The clocks of the two machines differ: a stamp of arrival is the honest one.
        header = Header(stamp=self._node.get_clock().now().to_msg(), frame_id=FRAME)
        info = CameraInfo(header=header, width=width_px, height=height_px)
        if intrinsics is not None:
            info = camera_info_message(header, intrinsics)
        # What describes the picture comes before it.
        self._publishers['camera_info'].publish(info)
        if mounting is not None:
            pose = PoseStamped(pose=pose_of_mounting(mounting))
            pose.header = Header(stamp=header.stamp, frame_id=FLOOR_FRAME)
            self._publishers['mounting'].publish(pose)
        self._publishers['image/compressed'].publish(
            CompressedImage(header=header, format='jpeg', data=picture)
        )


def _intrinsics(said: dict[str, Any]) -> CameraIntrinsics | None:
    width, height = said['width'], said['height']
    if not (isinstance(width, int) and isinstance(height, int)):
        raise TypeError('width and height must be integers')
    if width not in _SIDES_PX or height not in _SIDES_PX:
        raise ValueError('width and height must be those of a picture')
    focal_px = said.get('focal_px')
    if focal_px is None:
        return None
    intrinsics = CameraIntrinsics(
        float(focal_px), float(focal_px), (width - 1) / 2, (height - 1) / 2, width, height
    )
    intrinsics.check_plausible()
    return intrinsics


def _mounting(said: dict[str, Any]) -> CameraMounting | None:
    values = [said.get(name) for name in ('height_m', 'pitch_deg', 'roll_deg')]
    if None in values:
        return None
    height_m, pitch_deg, roll_deg = (float(value) for value in values)  # type: ignore[arg-type]
    if not all(map(math.isfinite, (height_m, pitch_deg, roll_deg))):
        raise ValueError('the mounting must be finite')
    return CameraMounting(height_m, pitch_deg, roll_deg)
