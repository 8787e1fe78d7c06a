# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The odometry of the robot, from its topic to the pose of the camera in each picture."""

from __future__ import annotations

import threading

from nav_msgs.msg import Odometry
from rclpy.node import Node

from . import quality_of_service as qos
from ..scale.odometry import CameraPlace, CameraPose, OdometryTrack
from ..wire.odometry_reading import odometry_reading


class OdometryInput:
    """
    Listens to `odom`; filled by the executor's thread, asked by the worker's.

    Parameters
    ----------
    node : rclpy.node.Node
        The node that subscribes.

    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._track = OdometryTrack()
        self._robot_frame = ''
        self._subscription = node.create_subscription(
            Odometry,
            'odom',
            self._on_odometry,
            qos.sensor_input(),
            qos_overriding_options=qos.overridable(),
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    @property
    def robot_frame(self) -> str:
        """The frame whose pose the odometry states; empty before the first message."""
        return self._robot_frame

    def pose(self, stamp_ns: int, place: CameraPlace) -> CameraPose | None:
        """
        Return where a picture was taken.

        Parameters
        ----------
        stamp_ns : int
            Of the picture.
        place : CameraPlace
            Of the camera on the robot.

        Returns
        -------
        CameraPose or None
            None where odometry says nothing about that time.

        """
        with self._lock:
            robot = self._track.at(stamp_ns)
        return None if robot is None else place.pose(robot)

    def _on_odometry(self, message: Odometry) -> None:
        reading = odometry_reading(message)
        self._robot_frame = message.child_frame_id
        with self._lock:
            before = self._track.fault
            self._track.add(reading)
            fault = self._track.fault
        if fault and fault != before:
            self._node.get_logger().warning(
                f'odometry begins anew: {fault}', throttle_duration_sec=5.0
            )
