# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Pictures and true depth of a room through MuJoCo's software renderer."""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
import mujoco
import numpy as np
from numpy.typing import NDArray

from .room_builder import Room


@dataclass(frozen=True)
class CameraPose:
    """
    Where the camera is and where it looks.

    Attributes
    ----------
    x_m, y_m : float
        Place of the optical centre over the floor.
    height_m : float
        Optical centre above the floor.
    yaw_deg : float
        Heading; 0 looks along +x, 90 along +y.
    pitch_deg : float
        Down positive.
    roll_deg : float
        Positive when the camera is turned clockwise, seen from behind it.

    """

    x_m: float
    y_m: float
    height_m: float
    yaw_deg: float
    pitch_deg: float = 0.0
    roll_deg: float = 0.0

    def rotation(self) -> NDArray[np.float64]:
        """Return the 3x3 matrix whose columns are the optical axes x, y, z in the world."""
        yaw, pitch, roll = (math.radians(a) for a in (self.yaw_deg, self.pitch_deg, self.roll_deg))
        forward = np.array(
            [math.cos(yaw) * math.cos(pitch), math.sin(yaw) * math.cos(pitch), -math.sin(pitch)]
        )
        right = np.array([math.sin(yaw), -math.cos(yaw), 0.0])
        down = np.cross(forward, right)
        tilted_right = math.cos(roll) * right + math.sin(roll) * down
        return np.stack([tilted_right, np.cross(forward, tilted_right), forward], axis=1)


@dataclass(frozen=True)
class RenderedView:
    """
    One picture with its truth.

    Attributes
    ----------
    image_rgb : ndarray of uint8, shape (H, W, 3)
        Colour picture.
    depth_m : ndarray of float32, shape (H, W)
        Depth along the optical axis, in metres; NaN at the rare pixel that sees out through the
        seam of two walls.

    """

    image_rgb: NDArray[np.uint8]
    depth_m: NDArray[np.float32]


class RoomRenderer:
    """
    Renders one room; use it as a context manager, a GL context is held from the first picture on.

    Parameters
    ----------
    room : Room
        What is rendered.
    width_px, height_px : int
        Size of the pictures, at most what the room was finished for.
    fx_px : float
        Focal length; pixels are square and the principal point is the image centre.

    """

    def __init__(self, room: Room, width_px: int, height_px: int, fx_px: float) -> None:
        self.model = mujoco.MjModel.from_xml_string(room.xml, room.assets)
        self.data = mujoco.MjData(self.model)
        self.fx_px = float(fx_px)
        self._farthest_m = math.hypot(room.length_m, room.width_m, room.height_m)
        self._camera = self.model.camera('camera').id
        self._probe = self.model.geom('probe').id
        self._probe_mocap = int(self.model.body('probe').mocapid[0])
        self.model.cam_fovy[self._camera] = math.degrees(2 * math.atan(height_px / 2 / fx_px))
        mujoco.mj_forward(self.model, self.data)
        self._size_hw = height_px, width_px
        self._opened: mujoco.Renderer | None = None

    def __enter__(self) -> RoomRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def intrinsics(self) -> CameraIntrinsics:
        """Of every picture that is rendered."""
        height, width = self._size_hw
        center = (width - 1) / 2, (height - 1) / 2
        return CameraIntrinsics(self.fx_px, self.fx_px, *center, width, height)

    def close(self) -> None:
        """Let go of the GL context."""
        if self._opened is not None:
            self._opened.close()

    def render(self, pose: CameraPose) -> RenderedView:
        """Render the view from `pose`."""
        renderer = self._aim(pose)
        image = renderer.render()
        depth = self._read_depth(renderer)
        image = shade_corners(image, depth, self.fx_px)
        return RenderedView(image, self._without_seams(depth))

    def render_depth(self, pose: CameraPose) -> NDArray[np.float32]:
        """Render the depth only, which takes a fraction of the time."""
        return self._without_seams(self._read_depth(self._aim(pose)))

    def _aim(self, pose: CameraPose) -> mujoco.Renderer:
        if self._opened is None:
            self._opened = mujoco.Renderer(self.model, *self._size_hw)
        rotation = pose.rotation() * np.array([1.0, -1.0, -1.0])  # MuJoCo: y up, looks along -z
        self.model.cam_pos[self._camera] = (pose.x_m, pose.y_m, pose.height_m)
        mujoco.mju_mat2Quat(self.model.cam_quat[self._camera], rotation.reshape(-1))
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        self._opened.update_scene(self.data, self._camera)
        return self._opened

    @staticmethod
    def _read_depth(renderer: mujoco.Renderer) -> NDArray[np.float32]:
        renderer.enable_depth_rendering()
        depth: NDArray[np.float32] = renderer.render()
        renderer.disable_depth_rendering()
        return depth

    def _without_seams(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        depth[depth > self._farthest_m] = np.nan
        return depth

    def clearance_m(self, x_m: float, y_m: float, z_m: float, limit_m: float = 1.0) -> float:
        """
        Measure the distance from a point to the nearest surface.

        Parameters
        ----------
        x_m, y_m, z_m : float
            The point.
        limit_m : float
            Greater distances are not distinguished.

        Returns
        -------
        float
            At most `limit_m`; negative inside an object.

        """
        self.data.mocap_pos[self._probe_mocap] = (x_m, y_m, z_m)
        mujoco.mj_kinematics(self.model, self.data)
        radius = float(self.model.geom_size[self._probe, 0])
        distance_m: float = min(
            mujoco.mj_geomDistance(self.model, self.data, self._probe, other, limit_m, None)
            for other in range(self.model.ngeom)
            if other != self._probe
        )
        return radius + distance_m


def shade_corners(
    image_rgb: NDArray[np.uint8],
    depth_m: NDArray[np.float32],
    fx_px: float,
    strength: float = 0.75,
) -> NDArray[np.uint8]:
    """
    Darken corners and contacts, which the renderer's light does not (ambient occlusion).

    On a plane inverse depth is linear in the image, so where the mean of two opposite neighbours
    is nearer than the pixel itself the surface is hollow and gets less light.

    Parameters
    ----------
    image_rgb : ndarray of uint8, shape (H, W, 3)
        Rendered picture.
    depth_m : ndarray of float32, shape (H, W)
        Its depth along the optical axis, in metres.
    fx_px : float
        Focal length of the picture.
    strength : float
        0 leaves the picture as it is.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        The shaded picture.

    """
    inverse = (1.0 / depth_m).astype(np.float32)
    rows, columns = np.indices(depth_m.shape, dtype=np.float32)
    shade = np.zeros_like(inverse)
    reaches_m = (0.04, 0.08, 0.15, 0.3)
    directions = 5
    for reach_m in reaches_m:
        step = np.clip(reach_m * fx_px * inverse, 1.0, 0.2 * depth_m.shape[1])
        for angle in (math.pi * index / directions + reach_m for index in range(directions)):
            along, across = step * math.cos(angle), step * math.sin(angle)
            first, second = (
                cv2.remap(
                    inverse, columns + sign * along, rows + sign * across,
                    cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
                )
                for sign in (1.0, -1.0)
            )  # fmt: skip
            hollow = ((first + second) / 2 - inverse) * depth_m * fx_px / step
            # What stands far in front of the pixel casts no shade on it.
            shade += np.clip(hollow, 0.0, 1.0) * np.clip(2.0 - hollow, 0.0, 1.0)
    blur_px = depth_m.shape[1] / 200.0
    shade = cv2.GaussianBlur(shade / (len(reaches_m) * directions), (0, 0), blur_px)
    light = 1.0 - strength * np.clip(shade, 0.0, 1.0)
    shaded: NDArray[np.uint8] = (image_rgb * light[..., None]).astype(np.uint8)
    return shaded
