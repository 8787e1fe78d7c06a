# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Time to collision from the growth of the picture, without the network.

What grows by a share s in a time t is reached in t / s, whatever its size and distance. Corners
around the point that the robot drives toward are followed (Lucas-Kanade), and one growth is fitted
to all of them. A turn moves them alike and is no growth.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting
from ..settings import setting, Settings

_WORK_WIDTH_PX = 320
# Half the angle of view, around the heading, in which something is in the way.
_HALF_WIDE_RAD, _HALF_HIGH_RAD = math.radians(14.0), math.radians(9.0)
_MOST_CORNERS, _LEAST_CORNERS = 80, 15
# The corners must be spread over this share of the window, or one small thing grows alone.
_LEAST_SPREAD = 0.3
_LEAST_SHARE = 0.6
_INLIER_PX = 1.5
# Growth between pictures that are this far apart: nearer ones drown in noise, farther ones lose
# their corners.
_LEAST_SPAN_S, _MOST_SPAN_S = 0.15, 0.6
# Slower growth than this is noise.
_LEAST_GROWTH = 0.02


@dataclass(frozen=True)
class LoomingConfig(Settings):
    """Time to collision from the growth of the picture."""

    looming: bool = setting(
        False,
        'Publish proximity/time_to_collision from the growth of the picture around the heading '
        'of the robot, independent of the network. alert_node stops for it.',
    )


class LoomingWatch:
    """Follow the picture, one frame after the other."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget every picture."""
        self._key: tuple[NDArray[np.uint8], NDArray[np.float32], int] | None = None
        self._previous: tuple[NDArray[np.uint8], NDArray[np.float32]] | None = None

    def update(
        self,
        image_rgb: NDArray[np.uint8],
        stamp_ns: int,
        intrinsics: CameraIntrinsics,
        mounting: CameraMounting | None,
    ) -> float:
        """
        Take a picture.

        Parameters
        ----------
        image_rgb : ndarray of uint8, shape (H, W, 3)
            Without lens distortion, or with little.
        stamp_ns : int
            When it was taken.
        intrinsics : CameraIntrinsics
            Of any size of the same view.
        mounting : CameraMounting or None
            Its pitch says where the heading is in the picture; None takes the optical axis.

        Returns
        -------
        float
            Seconds until what is ahead is reached; +Inf where nothing grows, NaN where nothing
            can be said.

        """
        factor = min(1.0, _WORK_WIDTH_PX / image_rgb.shape[1])
        size = round(image_rgb.shape[1] * factor), round(image_rgb.shape[0] * factor)
        small = cv2.resize(image_rgb, size, interpolation=cv2.INTER_AREA)
        grey: NDArray[np.uint8] = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        window = _window(size, intrinsics, mounting)
        if self._key is None or self._previous is None or grey.shape != self._key[0].shape:
            self._begin(grey, stamp_ns, window)
            return math.nan
        span_s = (stamp_ns - self._key[2]) / 1e9
        if not 0.0 <= span_s <= _MOST_SPAN_S:
            self._begin(grey, stamp_ns, window)
            return math.nan
        start, corners = self._follow(grey)
        ttc_s = math.nan
        if span_s >= _LEAST_SPAN_S:
            ttc_s = _time_to_collision(start, corners, span_s, window)
            self._begin(grey, stamp_ns, window)
        elif len(start) < _LEAST_CORNERS:
            self._begin(grey, stamp_ns, window)
        else:
            self._key = self._key[0], start, self._key[2]
            self._previous = grey, corners
        return ttc_s

    def _begin(
        self, grey: NDArray[np.uint8], stamp_ns: int, window: tuple[int, int, int, int]
    ) -> None:
        left, top, right, bottom = window
        mask = np.zeros_like(grey)
        mask[top:bottom, left:right] = 255
        corners = cv2.goodFeaturesToTrack(grey, _MOST_CORNERS, 0.01, 5, mask=mask)
        points = np.zeros((0, 2), np.float32) if corners is None else corners.reshape(-1, 2)
        self._key, self._previous = (grey, points, stamp_ns), (grey, points)

    def _follow(self, grey: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return where the corners that are still there were in the key picture, and are now."""
        assert self._key is not None and self._previous is not None
        start, (before, points) = self._key[1], self._previous
        if not len(points):
            return start, points
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 0.02)
        settings = {'winSize': (13, 13), 'maxLevel': 3, 'criteria': criteria}
        there, found, _ = cv2.calcOpticalFlowPyrLK(before, grey, points, None, **settings)
        back, found_back, _ = cv2.calcOpticalFlowPyrLK(grey, before, there, None, **settings)
        good = (found.ravel() == 1) & (found_back.ravel() == 1)
        good &= np.hypot(*(back - points).T) < 0.7
        return start[good], there[good]


def _window(
    size: tuple[int, int], intrinsics: CameraIntrinsics, mounting: CameraMounting | None
) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what is around the heading, in pixels."""
    scale = size[0] / intrinsics.width_px
    pitch = 0.0 if mounting is None else math.radians(mounting.pitch_deg)
    column = intrinsics.cx_px * scale
    row = (intrinsics.cy_px - intrinsics.fy_px * math.tan(pitch)) * scale
    wide = intrinsics.fx_px * scale * math.tan(_HALF_WIDE_RAD)
    high = intrinsics.fy_px * scale * math.tan(_HALF_HIGH_RAD)
    left, right = (round(min(size[0], max(0.0, column + side * wide))) for side in (-1, 1))
    top, bottom = (round(min(size[1], max(0.0, row + side * high))) for side in (-1, 1))
    return left, top, right, bottom


def _time_to_collision(
    start: NDArray[np.float32],
    now: NDArray[np.float32],
    span_s: float,
    window: tuple[int, int, int, int],
) -> float:
    if len(start) < _LEAST_CORNERS:
        return math.nan
    width_px, height_px = window[2] - window[0], window[3] - window[1]
    fit, inliers = cv2.estimateAffinePartial2D(start, now, ransacReprojThreshold=_INLIER_PX)
    if fit is None or inliers.mean() < _LEAST_SHARE:
        return math.nan
    kept = start[inliers.ravel() == 1]
    spread = np.ptp(kept, axis=0) / (max(1, width_px), max(1, height_px))
    if len(kept) < _LEAST_CORNERS or spread.min() < _LEAST_SPREAD:
        return math.nan
    growth = math.hypot(fit[0, 0], fit[1, 0]) - 1.0
    # The plane of the last picture is nearer by now than where the growth began.
    return span_s / growth if growth > _LEAST_GROWTH else math.inf
