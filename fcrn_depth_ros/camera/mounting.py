# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Where the camera sits above the floor, and what that says about the scale of a scene."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from .intrinsics import CameraIntrinsics
from ..errors import ConfigurationError, DepthShapeError

MAX_HEIGHT_M = 100.0

_FIT_POINTS = 4000
_FIT_HYPOTHESES = 600
_REFINEMENTS = 4
# A Kinect's depth step grows with the distance; 1 cm covers carpets and door sills.
_FLOOR_TOLERANCE_M = 0.01
_FLOOR_TOLERANCE_PER_M = 0.01
# Mirrors, windows and noise put a few points below a true floor.
_MAX_SHARE_BELOW = 0.03
# The true floor may not need more than this to meet the one a network drew.
_SCALE_LIMITS = (0.03, 5.0)


@dataclass(frozen=True)
class CameraMounting:
    """
    Pose of the camera above a flat floor.

    Attributes
    ----------
    height_m : float
        Of the optical centre above the floor.
    pitch_deg : float
        Of the optical axis below the horizon, down positive.
    roll_deg : float
        Clockwise positive, seen from behind the camera.

    """

    height_m: float
    pitch_deg: float = 0.0
    roll_deg: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.height_m <= MAX_HEIGHT_M:
            raise ConfigurationError(
                f'camera height must be in (0, {MAX_HEIGHT_M:g}] m, got {self.height_m:g}; '
                'measure from the floor to the lens, or leave the mounting unknown'
            )
        for name, angle, limit in (
            ('pitch', self.pitch_deg, 90.0),
            ('roll', self.roll_deg, 180.0),
        ):
            if not abs(angle) <= limit:
                raise ConfigurationError(
                    f'camera {name} must be in [{-limit:g}, {limit:g}] degrees, got {angle:g}; '
                    'give degrees, not radians'
                )

    def __str__(self) -> str:
        return (
            f'{self.height_m:.3g} m high, pitch {self.pitch_deg:.3g} deg, '
            f'roll {self.roll_deg:.3g} deg'
        )

    @classmethod
    def from_down_vector(cls, down: NDArray[np.floating], height_m: float) -> CameraMounting:
        """Build the mounting from the direction of gravity in the camera's optical frame."""
        x, y, z = (float(value) for value in down / np.linalg.norm(down))
        pitch = math.asin(min(1.0, max(-1.0, z)))
        return cls(height_m, math.degrees(pitch), math.degrees(math.atan2(x, y)))

    def down_vector(self) -> NDArray[np.float64]:
        """Return the unit vector of gravity in the optical frame; point p lies h below at g.p."""
        pitch, roll = math.radians(self.pitch_deg), math.radians(self.roll_deg)
        return np.array(
            [
                math.sin(roll) * math.cos(pitch),
                math.cos(roll) * math.cos(pitch),
                math.sin(pitch),
            ]
        )


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


def inverse_floor_depth(
    intrinsics: CameraIntrinsics, mounting: CameraMounting
) -> NDArray[np.float32]:
    """
    Compute the inverse of the depth that each pixel would have on an empty floor.

    Parameters
    ----------
    intrinsics : CameraIntrinsics
        Of the image whose size the result has.
    mounting : CameraMounting
        Pose above the floor.

    Returns
    -------
    ndarray of float32, shape (H, W)
        In 1/m; 0 at and above the horizon.

    """
    toward_floor = intrinsics.rays() @ mounting.down_vector().astype(np.float32)
    inverse: NDArray[np.float32] = np.maximum(toward_floor, np.float32(0.0)) / np.float32(
        mounting.height_m
    )
    return inverse


def fit_floor(
    depth_m: NDArray[np.floating],
    intrinsics: CameraIntrinsics,
    *,
    min_height_m: float = 0.05,
    max_height_m: float = 2.5,
    max_pitch_deg: float = 75.0,
    max_roll_deg: float = 25.0,
    min_share: float = 0.05,
    slack: float = 0.0,
    seed: int = 0,
) -> CameraMounting | None:
    """
    Find the floor in a depth map (RANSAC, then least squares).

    The floor is the largest plane that faces up and has almost nothing below it. A table top
    that hides the floor passes for one: bound the height where that matters.

    Parameters
    ----------
    depth_m : ndarray of float, shape (H, W)
        Depth along the optical axis in metres; NaN or <= 0 where unknown.
    intrinsics : CameraIntrinsics
        Of the depth map.
    min_height_m, max_height_m, max_pitch_deg, max_roll_deg : float
        What a mounting may be.
    min_share : float
        Least share of the measured pixels that must lie on the floor.
    slack : float
        Share of the depth by which the floor may be off, beyond what sensors are: 0 for measured
        depth, more for that of a network.
    seed : int
        Of the random hypotheses; the result is reproducible.

    Returns
    -------
    CameraMounting or None
        None where no plane satisfies all of this.

    Raises
    ------
    DepthShapeError
        If `depth_m` and `intrinsics` differ in size.

    """
    rays, depth = _measured_pixels(depth_m, intrinsics)
    if len(depth) < 100:
        return None
    random = np.random.default_rng(seed)
    # Three neighbours lie on one surface far more often than three pixels of anywhere do.
    order = np.lexsort((rays[:, 0], np.round(rays[:, 1], 1)))
    rays, depth = rays[order], depth[order]
    first = random.integers(0, len(depth), _FIT_HYPOTHESES)
    reach = len(depth) // 4
    others = first[:, None] + random.integers(-reach, reach + 1, (_FIT_HYPOTHESES, 2))
    chosen = np.column_stack([first, np.clip(others, 0, len(depth) - 1)])
    # A plane g.p = h is linear in the inverse depth: 1/z = (g/h).r, so three pixels give g/h.
    matrices = rays[chosen]
    solvable = np.abs(np.linalg.det(matrices)) > 1e-5
    normals = np.linalg.solve(matrices[solvable], 1.0 / depth[chosen][solvable][..., None])[..., 0]
    normals = normals[_is_floor_like(normals, min_height_m, max_height_m, max_pitch_deg,
                                     max_roll_deg)]  # fmt: skip
    if not len(normals):
        return None
    points = rays * depth[:, None]
    tolerance = _FLOOR_TOLERANCE_M + (_FLOOR_TOLERANCE_PER_M + slack) * depth
    above = (1.0 - points @ normals.T) / np.linalg.norm(normals, axis=1) / tolerance[:, None]
    on_floor = np.mean(np.abs(above) < 1.0, axis=0)
    below = np.mean(above < -3.0, axis=0)
    score = on_floor - 2.0 * np.maximum(below - _MAX_SHARE_BELOW, 0.0)
    normal = normals[np.argmax(score)]
    for _ in range(_REFINEMENTS):
        inlier = np.abs(_height_above(points, normal)) < tolerance
        if np.count_nonzero(inlier) < 3:
            return None
        # Weighted so that the residual is a height above the plane, in tolerances.
        weight = (depth / tolerance)[inlier] / np.linalg.norm(normal)
        normal = np.linalg.lstsq(
            rays[inlier] * weight[:, None], weight / depth[inlier], rcond=None
        )[0]
    above_floor = _height_above(points, normal) / tolerance
    plausible = _is_floor_like(
        normal[None], min_height_m, max_height_m, max_pitch_deg, max_roll_deg
    )
    if (
        not plausible[0]
        or np.mean(np.abs(above_floor) < 1.0) < min_share
        or np.mean(above_floor < -3.0) > _MAX_SHARE_BELOW
    ):
        return None
    return CameraMounting.from_down_vector(normal, float(1.0 / np.linalg.norm(normal)))


def floor_scale(
    depth_m: NDArray[np.floating], intrinsics: CameraIntrinsics, mounting: CameraMounting
) -> float | None:
    """
    Find the factor that puts the floor a network drew at the height where it is known to be.

    For networks that cannot take the mounting as an input. The drawn floor is the most frequent
    height below the camera along the known direction of gravity.

    Parameters
    ----------
    depth_m : ndarray of float, shape (H, W)
        Depth drawn by the network, in metres; NaN where unknown.
    intrinsics : CameraIntrinsics
        Of the depth map.
    mounting : CameraMounting
        Pose above the floor.

    Returns
    -------
    float or None
        Factor for the depth; None where no floor is in view, or it would need a factor outside
        0.03..5.

    Raises
    ------
    DepthShapeError
        If `depth_m` and `intrinsics` differ in size.

    """
    rays, depth = _measured_pixels(depth_m, intrinsics)
    toward_floor = rays @ mounting.down_vector()
    # Near the horizon a small error of the pitch is a large one of the height.
    seen = toward_floor > 0.1
    if np.count_nonzero(seen) < max(20, 0.05 * len(depth)):
        return None
    log_height = np.log(depth[seen] * toward_floor[seen])
    bin_width = 0.05
    low = float(log_height.min()) - bin_width
    bins = ((log_height - low) / bin_width).astype(np.int64)
    share = np.convolve(np.bincount(bins), np.ones(3), 'same') / len(bins)
    peak = int(np.argmax(share))
    near_peak = np.abs(bins - peak) <= 1
    if share[peak] < 0.15 or np.mean(bins > peak + 4) > 0.25:
        return None
    scale = mounting.height_m / math.exp(float(np.median(log_height[near_peak])))
    return scale if _SCALE_LIMITS[0] <= scale <= _SCALE_LIMITS[1] else None


def _measured_pixels(
    depth_m: NDArray[np.floating], intrinsics: CameraIntrinsics
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rays (N, 3) and depths (N,) of a regular sample of the known pixels."""
    expected = (intrinsics.height_px, intrinsics.width_px)
    if depth_m.shape != expected:
        raise DepthShapeError(
            f'depth map must have the shape {expected} of its intrinsics, got {depth_m.shape}; '
            'scale the intrinsics to the depth map'
        )
    step = max(1, math.isqrt(depth_m.size // _FIT_POINTS))
    depth = depth_m[::step, ::step].astype(np.float64).ravel()
    rays = intrinsics.rays()[::step, ::step].reshape(-1, 3)
    known = np.isfinite(depth) & (depth > 0.0)
    return rays[known].astype(np.float64), depth[known]


def _is_floor_like(
    normals: NDArray[np.float64],
    min_height_m: float,
    max_height_m: float,
    max_pitch_deg: float,
    max_roll_deg: float,
) -> NDArray[np.bool_]:
    length = np.linalg.norm(normals, axis=1)
    pitch = np.degrees(np.arcsin(np.clip(normals[:, 2] / np.maximum(length, 1e-12), -1.0, 1.0)))
    roll = np.degrees(np.arctan2(normals[:, 0], normals[:, 1]))
    plausible: NDArray[np.bool_] = (
        (length * max_height_m >= 1.0)
        & (length * min_height_m <= 1.0)
        & (np.abs(pitch) <= max_pitch_deg)
        & (np.abs(roll) <= max_roll_deg)
    )
    return plausible


def _height_above(points: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.float64]:
    above: NDArray[np.float64] = (1.0 - points @ normal) / np.linalg.norm(normal)
    return above
