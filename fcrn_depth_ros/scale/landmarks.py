# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Points of a picture whose depth earlier pictures fix: features matched over wide base lines.

For recordings, where the pose of every picture is known well and time does not matter. Only
earlier pictures are used, so what is found could have been found while the camera moved.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from .motion import (
    AxisBelief,
    depth_at,
    expected_sigma,
    MotionPoints,
    rays_at,
    refine_motion,
    triangulate,
)
from .odometry import angle_of, CameraPose
from ..camera.intrinsics import CameraIntrinsics

_FEATURES = 1500
# A match counts where the second best is this much worse (Lowe, IJCV 2004).
_RATIO = 0.8
_LEAST_BASELINE_M, _MOST_BASELINE_M = 0.10, 0.80
_MOST_TURN_RAD = math.radians(40.0)
# A camera that mostly turned fixes no depth: what is wrong with its turn is as large as parallax.
_LEAST_M_PER_RAD = 0.5
# Pictures that are remembered, and how many of them a new one is matched with.
_KEPT, _MATCHED = 40, 6
_EPIPOLAR_PX, _FEATURE_SIGMA_PX = 1.5, 0.5
_LEAST_SHARE, _LEAST_MATCHES = 0.4, 12
_MOST_POINT_SIGMA = 0.15
# Of the direction of a base line between two stated poses, and of each position.
_AXIS_SIGMA_RAD, _POSITION_SIGMA_M = math.radians(1.0), 0.005
# Depths of one feature from several base lines must agree.
_MOST_DISAGREEMENT = 3.0


@dataclass(frozen=True)
class _SeenPicture:
    pose: CameraPose
    rays: NDArray[np.float64]
    descriptors: NDArray[np.float32]


class LandmarkFinder:
    """Match each picture with earlier ones, and triangulate what they share."""

    def __init__(self) -> None:
        self._detector = cv2.SIFT_create(nfeatures=_FEATURES)
        self._matcher = cv2.BFMatcher(cv2.NORM_L2)
        self._seen: deque[_SeenPicture] = deque(maxlen=_KEPT)

    def look(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics,
        pose: CameraPose,
        depth_m: NDArray[np.floating],
    ) -> MotionPoints | None:
        """
        Take the next picture.

        Parameters
        ----------
        image_rgb : ndarray of uint8, shape (H, W, 3)
            Without distortion.
        intrinsics : CameraIntrinsics
            Of the picture.
        pose : CameraPose
            Where it was taken.
        depth_m : ndarray of float, shape (h, w)
            What the network made of it.

        Returns
        -------
        MotionPoints or None
            None where earlier pictures fix no depth.

        """
        grey = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY)
        found, descriptors = self._detector.detectAndCompute(grey, None)
        px = np.array([feature.pt for feature in found], np.float64).reshape(-1, 2)
        rays = rays_at(px, intrinsics)
        network_m = depth_at(depth_m, px, intrinsics)
        if descriptors is None:
            descriptors = np.zeros((0, 128), np.float32)
        # Hellinger distance of the histograms (Arandjelovic and Zisserman, CVPR 2012).
        share = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
        now = _SeenPicture(pose, rays, share.astype(np.float32))
        sums = _DepthSums(len(rays))
        focal_px = math.sqrt(intrinsics.fx_px * intrinsics.fy_px)
        for before in self._partners(pose):
            self._measure(before, now, network_m, focal_px, sums)
        self._seen.append(now)
        depth, sigma = sums.result()
        good = np.isfinite(depth) & (sigma < _MOST_POINT_SIGMA)
        if not good.any():
            return None
        return MotionPoints(rays[good], depth[good], network_m[good], sigma[good])

    def _partners(self, pose: CameraPose) -> list[_SeenPicture]:
        """Return earlier pictures with a base line, spread over its length, latest first."""
        fitting = []
        for seen in reversed(self._seen):
            if seen.pose.epoch != pose.epoch:
                continue
            moved_m = float(np.linalg.norm(pose.position_m - seen.pose.position_m))
            turned = angle_of(pose.rotation.T @ seen.pose.rotation)
            if not _LEAST_BASELINE_M <= moved_m <= _MOST_BASELINE_M:
                continue
            if turned < min(_MOST_TURN_RAD, moved_m / _LEAST_M_PER_RAD):
                fitting.append(seen)
        chosen = np.linspace(0, len(fitting) - 1, min(_MATCHED, len(fitting))).round().astype(int)
        return [fitting[index] for index in chosen]

    def _measure(
        self,
        before: _SeenPicture,
        now: _SeenPicture,
        network_m: NDArray[np.float64],
        focal_px: float,
        sums: _DepthSums,
    ) -> None:
        if min(len(before.rays), len(now.rays)) < _LEAST_MATCHES:
            return
        pairs = [
            (best.queryIdx, best.trainIdx)
            for best, second in self._matcher.knnMatch(now.descriptors, before.descriptors, k=2)
            if best.distance < _RATIO * second.distance
        ]
        if len(pairs) < _LEAST_MATCHES:
            return
        here, there = np.array(pairs).T
        rotation, translation = now.pose.seen_from(before.pose)
        axis = AxisBelief.stated(_AXIS_SIGMA_RAD)
        rays_before, rays_now = before.rays[there], now.rays[here]
        motion = refine_motion(rays_before, rays_now, rotation, translation, axis, focal_px)
        fits = np.abs(motion.distance_px) < _EPIPOLAR_PX
        if np.count_nonzero(fits) < max(_LEAST_MATCHES, _LEAST_SHARE * len(fits)):
            return
        sigma_rad = _FEATURE_SIGMA_PX / focal_px
        depth, _ = triangulate(
            rays_before, rays_now, motion.rotation, motion.translation, sigma_rad
        )
        drawn_m = network_m[here]
        known = fits & (drawn_m > 0.0)
        sigma = expected_sigma(rays_now, motion.translation, drawn_m, depth, known, sigma_rad)
        length_m = float(np.linalg.norm(translation))
        sigma = np.hypot(sigma, _POSITION_SIGMA_M * math.sqrt(2.0) / length_m)
        good = known & np.isfinite(depth) & (depth > 0.0) & (sigma < 2.0 * _MOST_POINT_SIGMA)
        sums.add(here[good], depth[good], sigma[good])


class _DepthSums:
    """Inverse depths of features from several base lines, each weighted by its certainty."""

    def __init__(self, count: int) -> None:
        self._values: list[list[tuple[float, float]]] = [[] for _ in range(count)]

    def add(
        self, index: NDArray[np.intp], depth: NDArray[np.float64], sigma: NDArray[np.float64]
    ) -> None:
        """Take depths of features, and the standard deviation that is due, as a share."""
        for i, z, s in zip(index, depth, sigma, strict=True):
            self._values[i].append((1.0 / float(z), float(s)))

    def result(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return depth and relative sigma; NaN where there is none or they disagree."""
        depth = np.full(len(self._values), np.nan)
        sigma = np.full(len(self._values), np.inf)
        for i, values in enumerate(self._values):
            if not values:
                continue
            inverse, error = np.array(values).T
            middle = float(np.median(inverse))
            agrees = np.abs(inverse / middle - 1.0) < _MOST_DISAGREEMENT * error
            if np.count_nonzero(agrees) < max(1, 0.6 * len(inverse)):
                continue
            weight = error[agrees] ** -2
            depth[i] = weight.sum() / float((weight * inverse[agrees]).sum())
            sigma[i] = float(weight.sum() ** -0.5)
            if len(values) == 1:
                # Nobody has checked it: a wrong match along the epipolar line looks like this.
                sigma[i] *= 1.5
        return depth, sigma
