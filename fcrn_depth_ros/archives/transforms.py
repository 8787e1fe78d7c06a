# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Where a camera sits above the floor, from the transforms in a bag."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..camera.mounting import CameraMounting, mounting_from_transform
from ..scale.odometry import CameraPlace


class TransformTree:
    """The newest transform from each frame to its parent."""

    def __init__(self) -> None:
        self._parents: dict[str, tuple[str, NDArray[np.float64]]] = {}

    def hear(self, message: Any) -> None:
        """Take a tf2_msgs/TFMessage, of /tf or /tf_static."""
        for stamped in message.transforms:
            self._parents[stamped.child_frame_id.lstrip('/')] = (
                stamped.header.frame_id.lstrip('/'),
                _matrix(stamped.transform),
            )

    def mounting(self, floor_frame: str, image_frame: str) -> CameraMounting | None:
        """
        Return the mounting of a camera.

        Parameters
        ----------
        floor_frame : str
            Frame on the floor, z up.
        image_frame : str
            Optical frame of the camera.

        Returns
        -------
        CameraMounting or None
            None where the transforms do not connect the frames, or the camera is not above the
            floor.

        """
        pose = self._pose(floor_frame, image_frame)
        if pose is None:
            return None
        x, y, z, w = _quaternion(pose[:3, :3])
        return mounting_from_transform(
            (float(pose[0, 3]), float(pose[1, 3]), float(pose[2, 3])), (x, y, z, w)
        )

    def place(self, robot_frame: str, image_frame: str) -> CameraPlace | None:
        """Return where a camera sits on a robot or beside a sensor; None as `mounting`."""
        pose = self._pose(robot_frame, image_frame) if robot_frame else None
        return None if pose is None else CameraPlace(pose[:3, 3], pose[:3, :3])

    def _pose(self, frame: str, image_frame: str) -> NDArray[np.float64] | None:
        """Return the pose of the image in another frame, (4, 4)."""
        from_image = self._to_ancestors(image_frame.lstrip('/'))
        from_frame = self._to_ancestors(frame.lstrip('/'))
        common = next((each for each in from_image if each in from_frame), None)
        if common is None:
            return None
        pose: NDArray[np.float64] = np.linalg.inv(from_frame[common]) @ from_image[common]
        return pose

    def _to_ancestors(self, frame: str) -> dict[str, NDArray[np.float64]]:
        """Return the pose of a frame in itself, its parent, and so on up to the root."""
        poses = {frame: np.eye(4)}
        pose = np.eye(4)
        while frame in self._parents:
            parent, step = self._parents[frame]
            if parent in poses:  # a circle
                break
            pose = step @ pose
            poses[parent] = pose
            frame = parent
        return poses


def _matrix(transform: Any) -> NDArray[np.float64]:
    rotation, position = transform.rotation, transform.translation
    quaternion = np.array([rotation.x, rotation.y, rotation.z, rotation.w], np.float64)
    length = float(np.linalg.norm(quaternion))
    x, y, z, w = quaternion / length if length > 0 else (0.0, 0.0, 0.0, 1.0)
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, 3] = position.x, position.y, position.z
    return matrix


def _quaternion(rotation: NDArray[np.float64]) -> tuple[float, float, float, float]:
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    symmetric = np.array(
        [
            [xx - yy - zz, 0.0, 0.0, 0.0],
            [yx + xy, yy - xx - zz, 0.0, 0.0],
            [zx + xz, zy + yz, zz - xx - yy, 0.0],
            [zy - yz, xz - zx, yx - xy, xx + yy + zz],
        ]
    )
    vector = np.linalg.eigh(symmetric, UPLO='L')[1][:, -1]
    x, y, z, w = (float(value) for value in vector)
    return x, y, z, w
