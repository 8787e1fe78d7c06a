# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Scale from motion: how far the camera moved, and by how much the picture moved with it.

Corners are followed from a keyframe on (Lucas-Kanade). Once the camera has moved far enough, the
motion that odometry states is tested against the epipolar geometry of the corners, corrected
within its uncertainty in all but its length, and the corners are triangulated. Their depths over
those of the network are the factor that is looked for. Whatever does not fit says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from .odometry import angle_of, CameraPose, rotation_by
from ..camera.intrinsics import CameraIntrinsics

# Pictures are made smaller until they are no wider: half the pixels cost half the time.
_WORK_WIDTH_PX = 400
_MOST_CORNERS, _LEAST_CORNERS, _LEAST_POINTS = 200, 30, 15
# Followed back to the picture before, a corner must arrive where it came from.
_ASTRAY_PX = 0.7
# From one measurement to the next one of the same keyframe.
_GROWTH = 1.25
_LEAST_BASELINE_M, _MOST_BASELINE_M = 0.04, 1.0
_MOST_TURN_RAD = math.radians(20.0)
# Of Lucas-Kanade at corners, over tens of pictures.
_CORNER_SIGMA_PX = 0.5
# A corner counts where its own parallax fixes its depth within this share.
_MOST_POINT_SIGMA = 0.25
_EPIPOLAR_PX = 1.5
_REFINEMENTS = 6
_CHANGE = 1e-5
# Slip to the side, play of the wheels and delayed stamps bend the direction of a motion.
_BEND_SIGMA_RAD = math.radians(2.0)
_LEAST_AXIS_SIGMA_RAD = math.radians(0.7)
# Below this share of corners that move as odometry says, something is wrong with either.
_LEAST_SHARE = 0.5
# Wheel odometry of a robot on its own floor.
ODOMETRY_SIGMA = 0.03
# Where every corner asks for more than this factor, the wheels slip or something lies.
_MOST_LOG_FACTOR = math.log(4.0)


@dataclass(frozen=True)
class MotionPoints:
    """
    Corners with a triangulated depth.

    Attributes
    ----------
    rays : ndarray of float64, shape (N, 3)
        In the optical frame, z = 1.
    depth_m, network_m : ndarray of float64, shape (N,)
        Triangulated depth, and what the network gave there.
    sigma : ndarray of float64, shape (N,)
        Of the triangulated depth, relative, from the parallax of that corner.

    """

    rays: NDArray[np.float64]
    depth_m: NDArray[np.float64]
    network_m: NDArray[np.float64]
    sigma: NDArray[np.float64]


@dataclass(frozen=True)
class MotionReport:
    """
    What one picture says about the scale.

    Attributes
    ----------
    silence : str
        Why it says nothing; empty where it does.
    log_factor, sigma : float
        Logarithm of true depth over that of the network, and its standard deviation; NaN where
        silent.
    moved_m : float
        Length of the base line.
    is_contrary : bool
        The motion of the picture and that of the odometry cannot both be true.
    points : MotionPoints or None
        The corners behind it.

    """

    silence: str = ''
    log_factor: float = math.nan
    sigma: float = math.nan
    moved_m: float = 0.0
    is_contrary: bool = False
    points: MotionPoints | None = field(default=None, repr=False)


class MotionWitness:
    """Follow corners through the pictures of a moving camera, and triangulate them."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget every picture."""
        self._grey: NDArray[np.uint8] | None = None
        self._key_pose: CameraPose | None = None
        self._key_px = self._now_px = np.zeros((0, 2), np.float32)
        self._counted_m = 0.0
        self._axis: AxisBelief | None = None
        self._axis_sigma_rad = 0.0

    def look(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics,
        pose: CameraPose | None,
        depth_m: NDArray[np.floating],
    ) -> MotionReport:
        """
        Take the next picture.

        Parameters
        ----------
        image_rgb : ndarray of uint8, shape (H, W, 3)
            Without distortion.
        intrinsics : CameraIntrinsics
            Of the picture.
        pose : CameraPose or None
            Where it was taken; None where that is unknown.
        depth_m : ndarray of float, shape (h, w)
            What the network made of the picture.

        Returns
        -------
        MotionReport
            See there.

        """
        if pose is None:
            self.restart()
            return MotionReport('no odometry')
        grey = work_picture(image_rgb)
        camera = intrinsics.scaled_to(grey.shape[1], grey.shape[0])
        key = self._key_pose
        if (
            key is None
            or self._grey is None
            or key.epoch != pose.epoch
            or self._grey.shape != grey.shape
        ):
            self._begin(grey, pose)
            return MotionReport('the first picture')
        self._follow(grey)
        if len(self._now_px) < _LEAST_CORNERS:
            self._begin(grey, pose)
            return MotionReport('too few corners in the picture')
        rotation, translation = pose.seen_from(key)
        moved_m = float(np.linalg.norm(translation))
        if moved_m > _MOST_BASELINE_M or angle_of(rotation) > _MOST_TURN_RAD:
            self._begin(grey, pose)
            return MotionReport('turned, or moved on; begins anew')
        if moved_m < _LEAST_BASELINE_M:
            return MotionReport('no base line', moved_m=moved_m)
        if moved_m < _GROWTH * self._counted_m:
            # Nearly the same base line again would be no news, and costs the same.
            return MotionReport('the base line has hardly grown', moved_m=moved_m)
        if self._axis is None or self._axis_sigma_rad != pose.axis_sigma_rad:
            self._axis = AxisBelief.stated(pose.axis_sigma_rad)
            self._axis_sigma_rad = pose.axis_sigma_rad
        report = self._measure(camera, rotation, translation, self._axis, depth_m)
        if report.is_contrary:
            self._begin(grey, pose)
        else:
            self._counted_m = moved_m
        return report

    def _begin(self, grey: NDArray[np.uint8], pose: CameraPose) -> None:
        self._grey, self._key_pose, self._counted_m = grey, pose, 0.0
        corners = cv2.goodFeaturesToTrack(grey, _MOST_CORNERS, 0.01, 7)
        self._key_px = (
            np.zeros((0, 2), np.float32)
            if corners is None
            else np.asarray(corners, np.float32).reshape(-1, 2)
        )
        self._now_px = self._key_px

    def _follow(self, grey: NDArray[np.uint8]) -> None:
        assert self._grey is not None
        before, self._grey = self._grey, grey
        if not len(self._now_px):
            return
        start = self._now_px[:, None]
        after, found = _flow(before, grey, start)
        back, found_back = _flow(grey, before, after)
        px = after.reshape(-1, 2)
        astray_px = np.linalg.norm((back - start).reshape(-1, 2), axis=1)
        inside = (px > 4).all(axis=1) & (px < np.array(grey.shape[::-1]) - 5).all(axis=1)
        kept = found & found_back & inside & (astray_px < _ASTRAY_PX)
        self._key_px, self._now_px = self._key_px[kept], px[kept]

    def _measure(
        self,
        camera: CameraIntrinsics,
        rotation: NDArray[np.float64],
        translation: NDArray[np.float64],
        axis: AxisBelief,
        depth_m: NDArray[np.floating],
    ) -> MotionReport:
        moved_m = float(np.linalg.norm(translation))
        before, now = rays_at(self._key_px, camera), rays_at(self._now_px, camera)
        network_m = depth_at(depth_m, self._now_px, camera)
        focal_px = math.sqrt(camera.fx_px * camera.fy_px)
        motion = refine_motion(before, now, rotation, translation, axis, focal_px)
        fits = np.abs(motion.distance_px) < _EPIPOLAR_PX
        if np.count_nonzero(fits) < _LEAST_SHARE * len(fits):
            return MotionReport(
                'the picture moves as the odometry does not', moved_m=moved_m, is_contrary=True
            )
        corner_sigma_rad = _CORNER_SIGMA_PX / focal_px
        depth, _ = triangulate(before, now, motion.rotation, motion.translation, corner_sigma_rad)
        known = fits & np.isfinite(network_m) & (network_m > 0.0)
        sigma = expected_sigma(now, motion.translation, network_m, depth, known, corner_sigma_rad)
        good = known & np.isfinite(depth) & (depth > 0.0) & (sigma < _MOST_POINT_SIGMA)
        if np.count_nonzero(good) < _LEAST_POINTS:
            # With the network's own depth, how many should have moved enough?
            expected = _parallax(now, motion.translation, network_m) * focal_px
            due = known & (expected * _MOST_POINT_SIGMA > 3.0 * _CORNER_SIGMA_PX)
            if np.count_nonzero(due) > 2 * _LEAST_POINTS + np.count_nonzero(good):
                return MotionReport(
                    'the odometry moves, the picture does not', moved_m=moved_m, is_contrary=True
                )
            return MotionReport('too little parallax', moved_m=moved_m)
        points = MotionPoints(now[good], depth[good], network_m[good], sigma[good])
        log_factor, spread = robust_log_ratio(points)
        if abs(log_factor) > _MOST_LOG_FACTOR:
            return MotionReport(
                'the odometry and the picture differ beyond belief',
                moved_m=moved_m,
                is_contrary=True,
            )
        # How the uncertainty of the motion moves all depths together.
        pull = np.zeros(6)
        for index, variant in enumerate(motion.variants):
            moved = triangulate(before[good], now[good], *variant, corner_sigma_rad)[0]
            pull[index] = np.median((moved / depth[good] - 1.0) / _CHANGE)
        common = math.sqrt(float(pull @ motion.covariance @ pull))
        independent = max(1.0, np.count_nonzero(good) / 5.0)
        total = math.hypot(spread / math.sqrt(independent), common, ODOMETRY_SIGMA)
        self._axis = axis.learnt(motion.bend_rad, motion.covariance[3:, 3:])
        return MotionReport('', log_factor, total, moved_m, points=points)


def _flow(
    before: NDArray[np.uint8], after: NDArray[np.uint8], px: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return where corners went from one picture to the next one, and whether they were found."""
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, px, px.copy(), winSize=(15, 15), maxLevel=3
    )
    return np.asarray(moved, np.float32), np.asarray(found).ravel() == 1


def work_picture(image_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the grey picture in the size in which corners are followed."""
    grey = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    step = math.ceil(width / _WORK_WIDTH_PX)
    if step > 1:
        size = max(1, width // step), max(1, height // step)
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)


def robust_log_ratio(points: MotionPoints) -> tuple[float, float]:
    """Return the centre of log(triangulated / network) over the points, and their spread."""
    ratio = np.log(points.depth_m / points.network_m)
    weight = 1.0 / (points.sigma**2 + 0.1**2)
    order = np.argsort(ratio)
    share = np.cumsum(weight[order]) / weight.sum()
    centre = float(ratio[order][np.searchsorted(share, 0.5)])
    spread = 1.4826 * float(np.median(np.abs(ratio - centre)))
    for _ in range(3):
        scale = max(0.03, 2.0 * spread)
        robust = weight / (1.0 + ((ratio - centre) / scale) ** 2)
        centre = float((robust * ratio).sum() / robust.sum())
    return centre, spread


@dataclass(frozen=True)
class AxisBelief:
    """
    How far the camera's direction on the robot is from where it is said to be.

    Attributes
    ----------
    turn_rad : ndarray of float64, shape (3,)
        Rotation in the optical frame that puts the stated direction right.
    covariance : ndarray of float64, shape (3, 3)
        Of that rotation.

    """

    turn_rad: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def stated(cls, sigma_rad: float) -> AxisBelief:
        """Begin with what is stated, and its standard deviation."""
        return cls(np.zeros(3), sigma_rad**2 * np.eye(3))

    def learnt(self, bend_rad: NDArray[np.float64], covariance: NDArray[np.float64]) -> AxisBelief:
        """Take in the direction of one motion, which `_BEND_SIGMA_RAD` bends as well."""
        total = self.covariance + _BEND_SIGMA_RAD**2 * np.eye(3)
        gain = self.covariance @ np.linalg.inv(total)
        left = self.covariance - gain @ (total - covariance) @ gain.T
        # Measurements of one keyframe are not independent: certainty has its limit.
        values, vectors = np.linalg.eigh((left + left.T) / 2)
        values = np.maximum(values, _LEAST_AXIS_SIGMA_RAD**2)
        return AxisBelief(
            self.turn_rad + gain @ (bend_rad - self.turn_rad), (vectors * values) @ vectors.T
        )


@dataclass(frozen=True)
class RefinedMotion:
    """
    A motion that the corners have corrected in all but its length.

    Attributes
    ----------
    rotation, translation : ndarray of float64
        X_now = R X_before + t.
    distance_px : ndarray of float64, shape (N,)
        Of each corner from its epipolar line, with a sign.
    variants : list of 6 tuples
        Rotation and translation with one of six numbers changed by `_CHANGE`.
    covariance : ndarray of float64, shape (6, 6)
        Of the six numbers: turn, and bend of the direction, in radians.
    bend_rad : ndarray of float64, shape (3,)
        The last three of them.

    """

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    distance_px: NDArray[np.float64]
    variants: list[tuple[NDArray[np.float64], NDArray[np.float64]]]
    covariance: NDArray[np.float64]
    bend_rad: NDArray[np.float64]


def refine_motion(
    before: NDArray[np.float64],
    now: NDArray[np.float64],
    rotation: NDArray[np.float64],
    translation: NDArray[np.float64],
    axis: AxisBelief,
    focal_px: float,
) -> RefinedMotion:
    """
    Correct a stated motion with the corners, in all but its length.

    Parameters
    ----------
    before, now : ndarray of float64, shape (N, 3)
        Rays of the corners, z = 1.
    rotation, translation : ndarray of float64
        X_now = R X_before + t, as stated.
    axis : AxisBelief
        How well the direction of the translation in the picture is known.
    focal_px : float
        Makes angles into pixels.

    Returns
    -------
    RefinedMotion
        See there.

    """
    length = float(np.linalg.norm(translation))
    ahead = translation / length
    axis_sigma = math.sqrt(float(np.trace(axis.covariance)) / 3.0)
    turned_rad = angle_of(rotation)
    turn_sigma = math.radians(0.3) + (0.05 + axis_sigma) * turned_rad
    prior = np.zeros((6, 6))
    prior[:3, :3] = np.eye(3) / turn_sigma**2
    prior[3:, 3:] = np.linalg.inv(axis.covariance + _BEND_SIGMA_RAD**2 * np.eye(3))
    start = np.concatenate([np.zeros(3), axis.turn_rad])

    def moved(step: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return rotation_by(step[:3]) @ rotation, rotation_by(step[3:]) @ ahead

    def around(step: NDArray[np.float64]) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        return [moved(step + change) for change in _CHANGE * np.eye(6)]

    step, scale_px = start, 4.0
    for _ in range(_REFINEMENTS):
        distance = epipolar_distance(before, now, [moved(step), *around(step)]) * focal_px
        residual, slopes = distance[0], (distance[1:] - distance[0]).T / _CHANGE
        weight = 1.0 / (1.0 + (residual / scale_px) ** 2) / _CORNER_SIGMA_PX**2
        normal = (slopes * weight[:, None]).T @ slopes + prior
        gradient = slopes.T @ (weight * residual) + prior @ (step - start)
        step = step - np.linalg.solve(normal, gradient)
        scale_px = max(1.0, 0.6 * scale_px)
    turned, direction = moved(step)
    return RefinedMotion(
        turned,
        direction * length,
        epipolar_distance(before, now, [(turned, direction)])[0] * focal_px,
        [(turned, direction * length) for turned, direction in around(step)],
        np.linalg.inv(normal),
        step[3:],
    )


def epipolar_distance(
    before: NDArray[np.float64],
    now: NDArray[np.float64],
    motions: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> NDArray[np.float64]:
    """
    Return the distance (Sampson) of rays from where motions let them be, on z = 1.

    Parameters
    ----------
    before, now : ndarray of float64, shape (N, 3)
        Rays, z = 1.
    motions : sequence of M tuples of ndarray
        Rotation, and the direction of the translation.

    Returns
    -------
    ndarray of float64, shape (M, N)
        With a sign.

    """
    essential = np.stack(
        [
            np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]) @ rotation
            for rotation, (x, y, z) in motions
        ]
    )
    line_now, line_before = before @ essential.transpose(0, 2, 1), now @ essential
    gradient = (line_now[..., :2] ** 2).sum(axis=2) + (line_before[..., :2] ** 2).sum(axis=2)
    found: NDArray[np.float64] = (now * line_now).sum(axis=2) / np.sqrt(gradient + 1e-12)
    return found


def triangulate(
    before: NDArray[np.float64],
    now: NDArray[np.float64],
    rotation: NDArray[np.float64],
    translation: NDArray[np.float64],
    corner_sigma_rad: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Intersect rays from two places.

    Parameters
    ----------
    before, now : ndarray of float64, shape (N, 3)
        Rays, z = 1.
    rotation, translation : ndarray of float64
        X_now = R X_before + t.
    corner_sigma_rad : float
        Of the direction of a ray.

    Returns
    -------
    tuple of ndarray of float64, shape (N,)
        Depth along the optical axis now, and its relative standard deviation; both +Inf where
        the rays are parallel.

    """
    turned = before @ rotation.T
    across = np.cross(now, turned)
    square = (across**2).sum(axis=1)
    # now * z = turned * s + t: the cross product with `turned` leaves z.
    with np.errstate(divide='ignore', invalid='ignore'):
        depth = (np.cross(translation, turned) * across).sum(axis=1) / square
        sine = np.sqrt(square) / np.linalg.norm(now, axis=1) / np.linalg.norm(turned, axis=1)
        sigma = corner_sigma_rad * math.sqrt(2.0) / sine
    parallel = square < 1e-14
    return np.where(parallel, np.inf, depth), np.where(parallel, np.inf, sigma)


def expected_sigma(
    now: NDArray[np.float64],
    translation: NDArray[np.float64],
    network_m: NDArray[np.float64],
    depth_m: NDArray[np.float64],
    known: NDArray[np.bool_],
    corner_sigma_rad: float,
) -> NDArray[np.float64]:
    """
    Return how well the parallax that points should have fixes their depth.

    Points are chosen and weighed by it, not by the parallax that was measured: an error that adds
    to that would make a point chosen, and too near.

    Parameters
    ----------
    now : ndarray of float64, shape (N, 3)
        Rays, z = 1.
    translation : ndarray of float64, shape (3,)
        Of the motion, in the frame of the rays.
    network_m, depth_m : ndarray of float64, shape (N,)
        What the network gave there, and what was triangulated; the factor between them that most
        points share says what the network's depth is worth.
    known : ndarray of bool, shape (N,)
        Points that tell of that factor.
    corner_sigma_rad : float
        Of the direction of a ray.

    Returns
    -------
    ndarray of float64, shape (N,)
        Relative standard deviation of the depth; +Inf where no parallax is due.

    """
    parallax = _parallax(now, translation, network_m)
    parallax /= _common_ratio(network_m[known], depth_m[known], parallax[known])
    with np.errstate(divide='ignore', invalid='ignore'):
        sigma: NDArray[np.float64] = corner_sigma_rad * math.sqrt(2.0) / parallax
    return sigma


def _common_ratio(
    network_m: NDArray[np.float64], depth: NDArray[np.float64], weight: NDArray[np.float64]
) -> float:
    """Return the weighted median of triangulated depth over that of the network, roughly."""
    # Behind the camera, as beyond all things, the ratio is that of the farthest.
    with np.errstate(divide='ignore'):
        ratio = np.where(depth > 0.0, network_m / depth, 0.0)
    order = np.argsort(ratio)
    share = np.cumsum(weight[order])
    if not len(order) or share[-1] <= 0.0:
        return 1.0
    inverse = float(ratio[order[int(np.searchsorted(share, 0.5 * share[-1]))]])
    most = math.exp(_MOST_LOG_FACTOR)
    return 1.0 / min(max(inverse, 1.0 / most), most)


def rays_at(px: NDArray[np.floating], camera: CameraIntrinsics) -> NDArray[np.float64]:
    """Return rays through places in a picture, z = 1."""
    rays = np.ones((len(px), 3))
    rays[:, 0] = (px[:, 0] - camera.cx_px) / camera.fx_px
    rays[:, 1] = (px[:, 1] - camera.cy_px) / camera.fy_px
    return rays


def depth_at(
    depth_m: NDArray[np.floating], px: NDArray[np.floating], camera: CameraIntrinsics
) -> NDArray[np.float64]:
    """Return what a depth map of any size holds at places in a picture."""
    height, width = depth_m.shape
    columns = ((px[:, 0] + 0.5) * width / camera.width_px).astype(int).clip(0, width - 1)
    rows = ((px[:, 1] + 0.5) * height / camera.height_px).astype(int).clip(0, height - 1)
    sampled: NDArray[np.float64] = depth_m[rows, columns].astype(np.float64)
    return sampled


def _parallax(
    now: NDArray[np.float64], translation: NDArray[np.float64], depth_m: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return by which angle points of a depth should have moved against their direction."""
    length = np.linalg.norm(now, axis=1)
    across = np.linalg.norm(np.cross(translation, now), axis=1) / length
    with np.errstate(divide='ignore', invalid='ignore'):
        angle: NDArray[np.float64] = across / (depth_m * length)
    return np.where(np.isfinite(angle), angle, 0.0)
