# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The odometry of the robot, from its topic to the pose of the camera in each picture."""

from __future__ import annotations

from nav_msgs.msg import Odometry
from rclpy.node import Node

from .tracked_input import TrackedInput
from ..odometry import OdometryReading
from ..scale.odometry import CameraPlace, CameraPose, OdometryTrack, RobotPose
from ..wire.odometry_reading import odometry_reading


class OdometryInput(TrackedInput[RobotPose]):
    """
    Listens to `odom`; `frame` is the one whose pose the odometry states.

    Parameters
    ----------
    node : rclpy.node.Node
        The node that subscribes.

    """

    def __init__(self, node: Node) -> None:
        super().__init__(node, Odometry, 'odom', _read, OdometryTrack(), 'odometry begins anew')

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
        robot = self.at(stamp_ns)
        return None if robot is None else place.pose(robot)


def _read(message: Odometry) -> tuple[OdometryReading, str]:
    return odometry_reading(message), message.child_frame_id
