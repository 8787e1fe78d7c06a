# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Where the camera sits above the floor, from TF; tf2_ros is imported only when asked for."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from rclpy.time import Time

from ..camera.mounting import CameraMounting
from ..errors import ConfigurationError


def mounting_from_transform(
    translation_m: tuple[float, float, float], quaternion_xyzw: tuple[float, float, float, float]
) -> CameraMounting | None:
    """
    Turn the pose of an optical frame in a floor frame into a mounting.

    Parameters
    ----------
    translation_m : tuple of 3 float
        Camera position in the floor frame, z up (REP 103).
    quaternion_xyzw : tuple of 4 float
        Rotation from the optical frame to the floor frame, of unit length.

    Returns
    -------
    CameraMounting or None
        None where the camera is not above the floor.

    """
    x, y, z, w = quaternion_xyzw
    # Third row of the rotation matrix: the floor's z axis in the optical frame.
    up = np.array([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)])
    return CameraMounting.from_down_vector(-up, translation_m[2]) if translation_m[2] > 0 else None


class TfMounting:
    """
    The mounting of a camera, as TF has it.

    Parameters
    ----------
    node : rclpy.node.Node
        The node that listens to TF.
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
        self._floor_frame = floor_frame
        self._exception = TransformException
        # Given a node, the buffer would offer a service that nobody takes away again.
        self._buffer = Buffer()
        self._listener = TransformListener(self._buffer, node)

    def look_up(self, optical_frame: str) -> CameraMounting | None:
        """
        Return where a camera is now.

        Parameters
        ----------
        optical_frame : str
            Frame of the image.

        Returns
        -------
        CameraMounting or None
            None while TF does not connect the two frames, or has the camera below the floor.

        """
        try:
            found = self._buffer.lookup_transform(self._floor_frame, optical_frame, Time())
        except self._exception:
            return None
        position, rotation = found.transform.translation, found.transform.rotation
        return mounting_from_transform(
            (position.x, position.y, position.z), (rotation.x, rotation.y, rotation.z, rotation.w)
        )

    def close(self) -> None:
        """Stop listening: the node's subscriptions would keep the listener for ever."""
        self._listener.unregister()
