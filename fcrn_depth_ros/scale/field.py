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
# Share of the points that are nearer than what counts as the nearest; where later pictures have
# points farther away only, it follows them by this share a picture.
_NEAREST_SHARE, _NEAREST_GAIN = 0.05, 0.1
# What makes things farther has faded at so much nearer than the points (logarithm of depth).
_FADES = 1.0
# The field is computed on so many places of the picture, and of logarithms of depth.
_GRID = 24
_MOST_LOG = math.log(4.0)
# Depths are compared with this one.
REFERENCE_M = 2.0


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


@dataclass(frozen=True)
class _Fit:
    """What the points of one picture leave to their neighbours."""

    at: NDArray[np.float64]
    solved: NDArray[np.float64]
    off: NDArray[np.float64]


@dataclass(frozen=True)
class FieldPrior:
    """
    What is believed before the first point, and how much is asked of points.

    Attributes
    ----------
    factor_sigma : float
        Standard deviation of the logarithm of the factor.
    across_sigma, depth_sigma : float
        Of its slopes over the picture, per width, and per factor of e in depth.
    beyond_sigma : float
        Of what a slope does not know, per factor of e by which something is nearer than the
        nearest points were.
    most_points : int
        How many points of a picture are used, the surest ones: their number costs time.

    """

    factor_sigma: float = _FACTOR_SIGMA
    across_sigma: float = _SLOPE_SIGMA
    depth_sigma: float = _SLOPE_SIGMA
    beyond_sigma: float = 0.0
    most_points: int = _MOST_POINTS

    def covariance(self) -> NDArray[np.float64]:
        """Return the covariance of the common part."""
        return np.diag(
            np.square([self.factor_sigma, self.across_sigma, self.across_sigma, self.depth_sigma])
        )


class DepthField:
    """
    Follow the correction from picture to picture.

    Parameters
    ----------
    prior : FieldPrior, optional
        What is believed before the first point.

    """

    def __init__(self, prior: FieldPrior = FieldPrior()) -> None:
        self._prior = prior
        self._start = prior.covariance()
        self.restart()

    def restart(self) -> None:
        """Forget every picture."""
        self._mean = np.zeros(4)
        self._covariance = self._start.copy()
        self._evidence = 0.0
        self._nearest = math.nan

    def drift(self, variance: float) -> None:
        """Let factor and slopes become less certain by a variance, yet never than they began."""
        limit = np.sqrt(np.diag(self._start))
        grown = self._covariance + variance * np.eye(4)
        shrink = np.minimum(1.0, limit / np.sqrt(np.diag(grown)))
        self._covariance = grown * np.outer(shrink, shrink)

    def at(self, places: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Return the common part somewhere.

        Parameters
        ----------
        places : ndarray of float, shape (N, 3)
            x and y in widths of the picture, from its middle; logarithm of the network's depth
            over 2 m.

        Returns
        -------
        tuple of ndarray of float64, shape (N,)
            Logarithm of the factor, and its variance: the farther from all points, the larger.

        """
        basis = _basis(places)
        mean: NDArray[np.float64] = basis @ self._mean
        variance: NDArray[np.float64] = ((basis @ self._covariance) * basis).sum(axis=1)
        if math.isfinite(self._nearest):
            beyond = np.maximum(0.0, self._nearest - places[:, 2])
            variance = variance + (self._prior.beyond_sigma * beyond) ** 2
            # Nothing nearer than the points is made farther than they are, and the less the
            # nearer it is: far things that are drawn too near go with near ones drawn too far.
            bounded = np.maximum(0.0, mean + self._mean[3] * beyond)
            mean = np.minimum(mean, bounded * np.maximum(0.0, 1.0 - beyond / _FADES))
        return mean, variance

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
        self.drift(_DRIFT**2)
        self._mean = _FORGET * self._mean
        self._evidence *= _EVIDENCE_KEPT
        places = _places_of_pixels(depth_m)
        count = 0 if points is None else len(points.depth_m)
        if points is None or count < _LEAST_POINTS:
            log_factor = _basis(places.reshape(-1, 3)) @ self._mean
            return self._report(log_factor.reshape(depth_m.shape), np.zeros(3), math.nan, 0)
        fit = self.take(points, intrinsics)
        self._evidence += 1.0
        log_factor = (_basis(places.reshape(-1, 3)) @ self._mean).reshape(depth_m.shape)
        log_factor = log_factor + _on_grid(places, fit.at, fit.solved)
        spread = 1.4826 * float(np.median(np.abs(fit.off)))
        return self._report(log_factor, np.median(fit.at, axis=0), spread, count)

    def take(
        self, points: MotionPoints, intrinsics: CameraIntrinsics, common_sigma: float = 0.0
    ) -> _Fit:
        """
        Learn from the points of one picture.

        Parameters
        ----------
        points : MotionPoints
            At least one.
        intrinsics : CameraIntrinsics
            Of the picture, of any size.
        common_sigma : float, optional
            By how much all points of this picture may be off together; a pose alone is off by
            `_COMMON_SIGMA`.

        Returns
        -------
        _Fit
            For those who want what neighbours share, too.

        """
        at, ratio, noise = _thinned(points, intrinsics, self._prior.most_points)
        nearest = float(np.quantile(at[:, 2], _NEAREST_SHARE))
        if math.isfinite(self._nearest):
            nearest = min(nearest, self._nearest + _NEAREST_GAIN * (nearest - self._nearest))
        self._nearest = nearest
        basis = _basis(at)
        prior = basis @ self._covariance @ basis.T + _kernel(at, at)
        shared = max(_COMMON_SIGMA, common_sigma) ** 2
        residual = ratio - basis @ self._mean
        weight = np.ones(len(ratio))
        for _ in range(_ROBUST_STEPS):
            solved = np.linalg.solve(prior + shared + np.diag(noise / weight), residual)
            off = residual - prior @ solved - shared * solved.sum()
            weight = 1.0 / (1.0 + off**2 / (2.0 * noise))
        total = prior + shared + np.diag(noise / weight)
        solved = np.linalg.solve(total, residual)
        gain = self._covariance @ basis.T
        self._mean = self._mean + gain @ solved
        self._covariance = self._covariance - gain @ np.linalg.solve(total, gain.T)
        self._covariance = (self._covariance + self._covariance.T) / 2
        return _Fit(at, solved, off)

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
    places[..., 2] = np.log(np.where(known, depth_m, REFERENCE_M) / REFERENCE_M)
    return places


def _thinned(
    points: MotionPoints, camera: CameraIntrinsics, most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return places, log ratios and variances of the surest points."""
    order = np.argsort(points.sigma)[:most]
    rays = points.rays[order]
    at = np.column_stack(
        [
            (rays[:, 0] * camera.fx_px + camera.cx_px + 0.5) / camera.width_px - 0.5,
            (rays[:, 1] * camera.fy_px + camera.cy_px + 0.5 - camera.height_px / 2)
            / camera.width_px,
            np.log(points.network_m[order] / REFERENCE_M),
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
