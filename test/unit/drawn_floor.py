# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Pictures of a floor and a wall, as a robot sees them that drives toward the wall."""

from __future__ import annotations

from functools import lru_cache
import math

import cv2
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.odometry import planar_odometry
from fcrn_depth_ros.scale.odometry import CameraPlace, CameraPose, OdometryTrack
import numpy as np
from numpy.typing import NDArray

CAMERA = CameraIntrinsics(220.0, 220.0, 159.5, 119.5, 320, 240)
MOUNTING = CameraMounting(0.4, 15.0)
WALL_M = 3.0
NS = 1_000_000_000
_TEXTURE = cv2.resize(
    np.random.default_rng(0).integers(0, 256, (500, 1000), np.uint8),
    (4000, 2000),
    interpolation=cv2.INTER_CUBIC,
)


@lru_cache(maxsize=64)
def scene(
    x_m: float,
    heading_rad: float = 0.0,
    mounting: CameraMounting = MOUNTING,
    floor: str = 'rough',
    yaw_deg: float = 0.0,
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """
    Draw a floor and a textured wall at WALL_M; return picture, depth, and what is floor.

    The floor is rough, plain, grained (it changes across the robot's way only) or jointed (along
    it only).
    """
    rays = CAMERA.rays().astype(np.float64)
    place = CameraPlace.stated(mounting, yaw_deg=yaw_deg)
    cosine, sine = math.cos(heading_rad), math.sin(heading_rad)
    heading = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    world = rays @ (heading @ place.rotation).T
    with np.errstate(divide='ignore', invalid='ignore'):
        floor_m = np.where(world[..., 2] < 0, -mounting.height_m / world[..., 2], np.inf)
        wall_m = np.where(world[..., 0] > 0, (WALL_M - x_m) / world[..., 0], np.inf)
    depth = np.minimum(floor_m, wall_m)
    point = np.nan_to_num(world * depth[..., None], posinf=0.0, neginf=0.0)
    on_floor = floor_m < wall_m
    across = point[..., 1]
    along = np.where(on_floor, point[..., 0] + x_m, 3.0 + point[..., 2])
    if floor in ('plain', 'grained'):
        along = np.where(on_floor, 0.0, along)
    if floor in ('plain', 'jointed'):
        across = np.where(on_floor, 0.0, across)
    picture = cv2.remap(
        _TEXTURE,
        (2000.0 + 400.0 * along).astype(np.float32) % 4000,
        (1000.0 + 400.0 * across).astype(np.float32) % 2000,
        cv2.INTER_LINEAR,
    )
    image = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)
    return image, depth.astype(np.float32), on_floor.astype(np.float32)


def pose_at(
    x_m: float, heading_rad: float = 0.0, mounting: CameraMounting | None = MOUNTING
) -> CameraPose:
    track = OdometryTrack()
    for stamp_ns in (NS, NS + 1000000):
        track.add(planar_odometry(stamp_ns, x_m, 0.0, heading_rad))
    robot = track.at(NS)
    assert robot is not None
    return CameraPlace.stated(mounting).pose(robot)
