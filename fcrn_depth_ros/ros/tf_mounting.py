# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Where the camera sits above the floor, from TF; tf2_ros is imported only when asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.time import Time

from ..camera.mounting import CameraMounting, mounting_from_transform
from ..errors import ConfigurationError
from ..scale.odometry import CameraPlace, rotation_of


class TfMounting:
    """
    Look the mounting up in TF.

    The buffer is cleared by tf2_ros when simulated time jumps back. Everything that tf2_ros adds
    to the node is removed again by :meth:`close`.

    Parameters
    ----------
    node : rclpy.node.Node
        The node that listens to /tf and /tf_static.
    floor_frame : str
        Frame on the floor, z up.

    Raises
    ------
    ConfigurationError
        If tf2_ros is not installed.

    """

    def __init__(self, node: Node, floor_frame: str) -> None:
        try:
            from tf2_ros import Buffer, TransformException, TransformListener
        except ImportError as error:
            raise ConfigurationError(
                f'floor_frame must be empty where tf2_ros is not installed, got {floor_frame!r}; '
                'install tf2_ros, or set camera_height_m and camera_pitch_deg'
            ) from error
        self._node = node
        self._floor_frame = floor_frame
        self._failure = TransformException
        self._buffer: Any = Buffer(node=node)
        self._listener: Any = TransformListener(self._buffer, node)

    def look_up(self, image_frame: str) -> CameraMounting | None:
        """
        Look up where a camera sits.

        Parameters
        ----------
        image_frame : str
            Optical frame of the camera.

        Returns
        -------
        CameraMounting or None
            None while TF does not connect the two frames, where the camera is not above the
            floor, and after `close`.

        """
        buffer = self._buffer
        if buffer is None:
            return None
        try:
            transform = buffer.lookup_transform(self._floor_frame, image_frame, Time()).transform
        except self._failure:
            return None
        position, rotation = transform.translation, transform.rotation
        return mounting_from_transform(
            (position.x, position.y, position.z), (rotation.x, rotation.y, rotation.z, rotation.w)
        )

    def place(self, robot_frame: str, image_frame: str) -> CameraPlace | None:
        """
        Look up where a camera sits on the robot, or beside a sensor.

        Parameters
        ----------
        robot_frame : str
            Frame whose pose odometry states, or of the sensor's messages.
        image_frame : str
            Optical frame of the camera.

        Returns
        -------
        CameraPlace or None
            None while TF does not connect the two frames.

        """
        buffer = self._buffer
        if buffer is None or not robot_frame:
            return None
        try:
            transform = buffer.lookup_transform(robot_frame, image_frame, Time()).transform
        except self._failure:
            return None
        position, rotation = transform.translation, transform.rotation
        return CameraPlace(
            np.array([position.x, position.y, position.z]),
            rotation_of((rotation.x, rotation.y, rotation.z, rotation.w)),
        )

    def close(self) -> None:
        """Destroy the subscriptions and the service that tf2_ros made on the node."""
        buffer, listener = self._buffer, self._listener
        self._buffer = self._listener = None
        if buffer is None:
            return
        listener.unregister()
        # tf2_ros has no way to close a buffer: it leaves its service and, where it watches for
        # jumps of time, its handle to whoever made it.
        if getattr(buffer, 'srv', None) is not None:
            self._node.destroy_service(buffer.srv)
        if getattr(buffer, 'jump_handle', None) is not None:
            buffer.jump_handle.unregister()
