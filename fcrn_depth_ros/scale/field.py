# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
A smooth correction of depth over the picture, from points whose depth is known.

The logarithm of true depth over that of the network is taken as a Gaussian process over place in
the picture and logarithm of depth: a common factor, a slope in each of the three, and what
neighbours share. Where there are no points near, the common part is left; where there are none at
all, what earlier pictures left, and in the beginning the network is right.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from .motion import MotionPoints
from ..camera.intrinsics import CameraIntrinsics

# Standard deviations of a factor before anything is known, of the slopes (per width of the picture
# and per factor of e in depth), and of what neighbours share, with its reach in the same units.
_FACTOR_SIGMA, _SLOPE_SIGMA = 0.4, 0.25
_LOCAL_SIGMA, _REACH, _DEPTH_REACH = 0.20, 0.12, 0.25
# Of a single point besides its own: edges, and what is thinner than the network sees.
_POINT_SIGMA = 0.10
# Of all points of one picture together: its pose.
_COMMON_SIGMA = 0.06
_MOST_POINTS, _LEAST_POINTS = 400, 20
_ROBUST_STEPS = 4
# The common part forgets what it learnt, a step a picture.
_DRIFT, _FORGET = 0.05, 0.97
# A correction is applied in full once so many of the last pictures have points that agree with it.
_FULL_EVIDENCE, _EVIDENCE_KEPT = 4.0, 0.9
# The field is computed on so many places of the picture, and of logarithms of depth.
_GRID = 24
_MOST_LOG = math.log(4.0)


@dataclass(frozen=True)
class FieldReport:
    """
    The correction of one picture.

    Attributes
    ----------
    log_factor : ndarray of float32, shape (h, w)
        For each pixel of the depth map.
    middle : float
        Common part at the middle of the points, or of the picture.
    sigma : float
        Of the common part.
    spread : float
        Standard deviation of the points around the field; NaN without points.
    points : int
        How many points it follows.

    """

    log_factor: NDArray[np.float32]
    middle: float
    sigma: float
    spread: float
    points: int


class DepthField:
    """Follow the correction from picture to picture."""

    def __init__(self) -> None:
        self._mean = np.zeros(4)
        self._start = np.diag(np.array([_FACTOR_SIGMA, *[_SLOPE_SIGMA] * 3]) ** 2)
        self._covariance = self._start.copy()
        self._evidence = 0.0

    def look(
        self,
        points: MotionPoints | None,
        depth_m: NDArray[np.floating],
        intrinsics: CameraIntrinsics,
    ) -> FieldReport:
        """
        Correct the next picture.

        Parameters
        ----------
        points : MotionPoints or None
            What is known of this picture.
        depth_m : ndarray of float, shape (h, w)
            Of the network, NaN where unknown.
        intrinsics : CameraIntrinsics
            Of the depth map.

        Returns
        -------
        FieldReport
            See there.

        """
        limit = np.sqrt(np.diag(self._start))
        grown = self._covariance + _DRIFT**2 * np.eye(4)
        # Never less certain than in the beginning.
        shrink = np.minimum(1.0, limit / np.sqrt(np.diag(grown)))
        self._covariance = grown * np.outer(shrink, shrink)
        self._mean = _FORGET * self._mean
        self._evidence *= _EVIDENCE_KEPT
        places = _places_of_pixels(depth_m)
        count = 0 if points is None else len(points.depth_m)
        if points is None or count < _LEAST_POINTS:
            log_factor = _basis(places.reshape(-1, 3)) @ self._mean
            return self._report(log_factor.reshape(depth_m.shape), np.zeros(3), math.nan, 0)
        at, ratio, noise = _thinned(points, intrinsics)
        basis = _basis(at)
        common = basis @ self._covariance @ basis.T
        prior = common + _kernel(at, at)
        shared = _COMMON_SIGMA**2
        residual = ratio - basis @ self._mean
        weight = np.ones(len(ratio))
        for _ in range(_ROBUST_STEPS):
            solved = np.linalg.solve(prior + shared + np.diag(noise / weight), residual)
            off = residual - prior @ solved - shared * solved.sum()
            weight = 1.0 / (1.0 + off**2 / (2.0 * noise))
        total = prior + shared + np.diag(noise / weight)
        solved = np.linalg.solve(total, residual)
        gain = self._covariance @ basis.T
        local = _on_grid(places, at, solved)
        self._mean = self._mean + gain @ solved
        self._covariance = self._covariance - gain @ np.linalg.solve(total, gain.T)
        self._covariance = (self._covariance + self._covariance.T) / 2
        log_factor = (_basis(places.reshape(-1, 3)) @ self._mean).reshape(depth_m.shape) + local
        spread = 1.4826 * float(np.median(np.abs(off)))
        self._evidence += 1.0
        return self._report(log_factor, np.median(at, axis=0), spread, count)

    def _report(
        self, log_factor: NDArray[np.floating], at: NDArray[np.floating], spread: float, count: int
    ) -> FieldReport:
        basis = _basis(at[None])[0]
        log_factor = min(1.0, self._evidence / _FULL_EVIDENCE) * log_factor
        return FieldReport(
            np.clip(log_factor, -_MOST_LOG, _MOST_LOG).astype(np.float32),
            float(basis @ self._mean),
            math.sqrt(float(basis @ self._covariance @ basis)),
            spread,
            count,
        )


def _basis(places: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.column_stack([np.ones(len(places)), places])


def _kernel(some: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    scale = np.array([_REACH, _REACH, _DEPTH_REACH])
    one, other = some / scale, others / scale
    apart = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2.0 * one @ other.T
    kernel: NDArray[np.float64] = _LOCAL_SIGMA**2 * np.exp(-0.5 * np.maximum(apart, 0.0))
    return kernel


def _places_of_pixels(depth_m: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return x and y in widths of the picture, from its middle, and log depth, (h, w, 3)."""
    height, width = depth_m.shape
    places = np.zeros((height, width, 3), np.float32)
    places[..., 0] = (np.arange(width) + 0.5) / width - 0.5
    places[..., 1] = ((np.arange(height)[:, None] + 0.5) - height / 2) / width
    known = np.isfinite(depth_m) & (depth_m > 0)
    places[..., 2] = np.log(np.where(known, depth_m, 2.0) / 2.0)
    return places


def _thinned(
    points: MotionPoints, camera: CameraIntrinsics
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return places, log ratios and variances of the surest points."""
    order = np.argsort(points.sigma)[:_MOST_POINTS]
    rays = points.rays[order]
    at = np.column_stack(
        [
            (rays[:, 0] * camera.fx_px + camera.cx_px + 0.5) / camera.width_px - 0.5,
            (rays[:, 1] * camera.fy_px + camera.cy_px + 0.5 - camera.height_px / 2)
            / camera.width_px,
            np.log(points.network_m[order] / 2.0),
        ]
    )
    ratio = np.log(points.depth_m[order] / points.network_m[order])
    return at, ratio, points.sigma[order] ** 2 + _POINT_SIGMA**2


def _on_grid(
    places: NDArray[np.float32], at: NDArray[np.float64], solved: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what neighbours share at each pixel, of a few of them where there are many."""
    height, width = places.shape[:2]
    step = max(1, round(width / 72))
    few = places[::step, ::step]
    values = _kernel(few.reshape(-1, 3), at) @ solved
    small = values.reshape(few.shape[:2])
    if step == 1:
        return np.asarray(small, np.float64)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))
