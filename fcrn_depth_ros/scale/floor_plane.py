# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The floor found by its shape, in depth whose metres nobody vouches for.

A plane through the camera's view, normal . point = height, is one whatever the scale: a factor in
the depth is the same factor in the height. So its normal gives pitch and roll, the plane tells
floor from what stands on it, and only the height waits for a witness of scale.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import lru_cache
import math

import numpy as np
from numpy.typing import NDArray

from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting, inverse_floor_depth

# A network draws a floor within this share of its depth, over a picture.
_TOLERANCE = 0.1
_POINTS, _HYPOTHESES, _REFINEMENTS = 1200, 200, 4
_LEAST_POINTS = 300
# What a floor may be that nobody measured: seen by a camera that is held roughly upright.
_LEAST_HEIGHT_M, _GREATEST_HEIGHT_M = 0.04, 3.0
_STEEPEST_DOWN = math.sin(math.radians(50.0))
_STEEPEST_UP = math.sin(math.radians(30.0))
_GREATEST_ROLL = math.tan(math.radians(20.0))
# Of all points: on the plane, and below it by more than a quarter of the height.
_LEAST_SHARE, _MOST_BELOW = 0.12, 0.03
_BELOW = 1.25
CERTAIN_FLOOR = 0.8
_LEAST_CLAIM = 0.05
# How long a direction is remembered that later pictures confirm by the height alone.
_MEMORY_S, _MOST_KEPT = 5.0, 15
# A camera on a robot keeps its pitch: what turns by more must do so in several pictures.
_MOST_TURN = math.cos(math.radians(8.0))
_RESTART_AFTER = 5
# The floor does not rise toward the camera by more than this from what it was.
_LEAST_RISE = 0.75
_WINDOW_LOG = 0.1


@dataclass(frozen=True)
class FloorPlane:
    """
    A floor in one depth map.

    Attributes
    ----------
    down : ndarray of float64, shape (3,)
        Unit vector toward the floor, in the optical frame.
    height_m : float
        Of the camera above it, in the metres of the depth map.
    share : float
        Share (0..1) of the points that lie on it.

    """

    down: NDArray[np.float64]
    height_m: float
    share: float

    def scaled(self, factor: float) -> FloorPlane:
        """Return the same floor in a depth map that was multiplied by a factor."""
        return replace(self, height_m=factor * self.height_m)

    def mounting(self) -> CameraMounting:
        """Return the pose of the camera, in the metres of the depth map."""
        return CameraMounting.from_down_vector(self.down, self.height_m)

    def inverse_depth(self, intrinsics: CameraIntrinsics) -> NDArray[np.float32]:
        """Return 1 / depth of the empty floor, as :func:`camera.mounting.inverse_floor_depth`."""
        return inverse_floor_depth(intrinsics, self.mounting())


def find_floor(
    depth_m: NDArray[np.floating],
    intrinsics: CameraIntrinsics,
    floor: NDArray[np.floating] | None = None,
) -> FloorPlane | None:
    """
    Find the floor in a network's depth (sample consensus, then least squares).

    Parameters
    ----------
    depth_m : ndarray of float, shape (H, W)
        In any unit near a metre; NaN where unknown.
    intrinsics : CameraIntrinsics
        Of the depth map.
    floor : ndarray of float, shape (H, W), optional
        Probability of free floor, where the network gives one: the plane is looked for inside.

    Returns
    -------
    FloorPlane or None
        The plane that most points lie on, that faces up, and has hardly anything below it; None
        where there is none.

    """
    sample = _sample(intrinsics)
    depth = depth_m.ravel()[sample.pixels].astype(np.float64)
    known = np.isfinite(depth) & (depth > 0.0)
    if np.count_nonzero(known) < max(_LEAST_POINTS, len(depth) // 2):
        return None
    rays, depth = sample.rays[known], depth[known]
    points = rays * depth[:, None]
    candidate = np.ones(len(depth), np.bool_)
    if floor is not None:
        claimed = floor.ravel()[sample.pixels][known] >= CERTAIN_FLOOR
        if np.count_nonzero(claimed) < _LEAST_CLAIM * len(claimed):
            return None
        candidate = claimed
    inverse = 1.0 / depth
    rng = np.random.default_rng(0)
    chosen = rng.choice(np.flatnonzero(candidate), (_HYPOTHESES, 3))
    matrices = rays[chosen]
    solvable = np.abs(np.linalg.det(matrices)) > 1e-4
    planes = np.linalg.solve(matrices[solvable], inverse[chosen[solvable]][..., None])[..., 0]
    planes = planes[_is_floor_like(planes)]
    if not len(planes):
        return None
    # Depth times this is 1 on the plane, and more below it.
    beyond = planes.astype(np.float32) @ points.astype(np.float32).T - np.float32(1.0)
    below = np.count_nonzero(beyond > _BELOW - 1.0, axis=1) / len(points)
    on_plane = np.count_nonzero(np.abs(beyond, out=beyond) < _TOLERANCE, axis=1) / len(points)
    plane = planes[int(np.argmax(on_plane - 2.0 * np.maximum(0.0, below - _MOST_BELOW)))]
    for _ in range(_REFINEMENTS):
        inlier = np.abs(points @ plane - 1.0) < _TOLERANCE
        if np.count_nonzero(inlier) < 3:
            return None
        near = points[inlier]
        try:
            plane = np.linalg.solve(near.T @ near, near.sum(axis=0))
        except np.linalg.LinAlgError:
            return None
    ratio_of_all = points @ plane
    share = float((np.abs(ratio_of_all - 1.0) < _TOLERANCE).mean())
    if (
        not _is_floor_like(plane[None])[0]
        or share < _LEAST_SHARE
        or float((ratio_of_all > _BELOW).mean()) > _MOST_BELOW
    ):
        return None
    length = float(np.linalg.norm(plane))
    return FloorPlane(plane / length, 1.0 / length, share)


class FloorWatch:
    """Follow the floor from picture to picture: its direction stays, its height may change."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget every picture."""
        self._planes: deque[tuple[float, FloorPlane]] = deque(maxlen=_MOST_KEPT)
        self._strangers = 0

    def look(
        self,
        depth_m: NDArray[np.floating],
        intrinsics: CameraIntrinsics,
        floor: NDArray[np.floating] | None,
        time_s: float,
        down: NDArray[np.float64] | None = None,
    ) -> FloorPlane | None:
        """
        Take the next depth map.

        Parameters
        ----------
        depth_m, intrinsics, floor
            As for :func:`find_floor`.
        time_s : float
            Of the picture; where it goes back, all is forgotten.
        down : ndarray of float64, shape (3,), optional
            Unit vector toward the floor, where something else knows it: only the height is
            looked for.

        Returns
        -------
        FloorPlane or None
            Its height is not much less than that of the planes before: a floor that seems to rise
            is something that stands on it.

        """
        if self._planes and time_s < self._planes[-1][0]:
            self.restart()
        while self._planes and self._planes[0][0] < time_s - _MEMORY_S:
            self._planes.popleft()
        if down is not None:
            return self._known(down, depth_m, intrinsics, floor, time_s)
        plane = find_floor(depth_m, intrinsics, floor)
        if not self._planes:
            if plane is not None:
                self._planes.append((time_s, plane))
            return plane
        down = np.mean([kept.down for _, kept in self._planes], axis=0)
        down /= np.linalg.norm(down)
        if plane is not None and float(plane.down @ down) < _MOST_TURN:
            self._strangers += 1
            if self._strangers >= _RESTART_AFTER:
                self.restart()
                self._planes.append((time_s, plane))
                return plane
            plane = None
        elif plane is not None:
            self._strangers = 0
            self._planes.append((time_s, plane))
        if plane is None:
            plane = _along(down, depth_m, intrinsics)
        return None if plane is None else self._not_risen(plane)

    def _known(
        self,
        down: NDArray[np.float64],
        depth_m: NDArray[np.floating],
        intrinsics: CameraIntrinsics,
        floor: NDArray[np.floating] | None,
        time_s: float,
    ) -> FloorPlane | None:
        plane = _along(down, depth_m, intrinsics, floor)
        if plane is None:
            return None
        self._planes.append((time_s, plane))
        return self._not_risen(plane)

    def _not_risen(self, plane: FloorPlane) -> FloorPlane:
        usual_m = float(np.median([kept.height_m for _, kept in self._planes]))
        return replace(plane, height_m=max(plane.height_m, _LEAST_RISE * usual_m))


def _along(
    down: NDArray[np.float64],
    depth_m: NDArray[np.floating],
    intrinsics: CameraIntrinsics,
    floor: NDArray[np.floating] | None = None,
) -> FloorPlane | None:
    """Find the floor in a known direction: the most frequent height, of what is claimed for it."""
    sample = _sample(intrinsics)
    depth = depth_m.ravel()[sample.pixels].astype(np.float64)
    toward = sample.rays @ down
    seen = np.isfinite(depth) & (depth > 0.0) & (toward > 0.1)
    count = int(np.count_nonzero(seen))
    if count < _LEAST_SHARE * len(depth):
        return None
    height = np.sort(np.log(depth[seen] * toward[seen]))
    asked = height
    if floor is not None:
        claimed = seen & (floor.ravel()[sample.pixels] >= CERTAIN_FLOOR)
        if np.count_nonzero(claimed) < _LEAST_CLAIM * len(depth):
            return None
        asked = np.sort(np.log(depth[claimed] * toward[claimed]))
    first = np.searchsorted(height, asked - _WINDOW_LOG)
    last = np.searchsorted(height, asked + _WINDOW_LOG)
    below = count - np.searchsorted(height, asked + math.log(_BELOW))
    best = int(np.argmax(last - first - 2.0 * below))
    inside = height[first[best] : last[best]]
    if len(inside) < _LEAST_SHARE * len(depth) or below[best] > 2.0 * _MOST_BELOW * len(depth):
        return None
    return FloorPlane(down, math.exp(float(np.median(inside))), len(inside) / len(depth))


@dataclass(frozen=True)
class _Sample:
    pixels: NDArray[np.int64]
    rays: NDArray[np.float64]


@lru_cache(maxsize=4)
def _sample(intrinsics: CameraIntrinsics) -> _Sample:
    height, width = intrinsics.height_px, intrinsics.width_px
    step = max(1, math.isqrt(height * width // _POINTS))
    rows, columns = np.arange(step // 2, height, step), np.arange(step // 2, width, step)
    pixels = (rows[:, None] * width + columns).ravel()
    return _Sample(pixels, intrinsics.rays().reshape(-1, 3)[pixels].astype(np.float64))


def _is_floor_like(planes: NDArray[np.float64]) -> NDArray[np.bool_]:
    length = np.linalg.norm(planes, axis=1)
    length = np.maximum(length, 1e-12)
    across, down, ahead = (planes / length[:, None]).T
    plausible: NDArray[np.bool_] = (
        (_LEAST_HEIGHT_M * length <= 1.0)
        & (_GREATEST_HEIGHT_M * length >= 1.0)
        & (ahead >= -_STEEPEST_UP)
        & (ahead <= _STEEPEST_DOWN)
        & (np.abs(across) <= _GREATEST_ROLL * down)
    )
    return plausible
