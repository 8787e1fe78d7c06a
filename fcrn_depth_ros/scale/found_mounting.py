# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The camera's mounting, found while the robot drives over a floor.

A robot on a floor moves along it, and its camera stays as high above it as it is. Corners that lie
on the floor then move as the plane's homography lets them, H = R + t n^T / d (Hartley and
Zisserman, Multiple View Geometry, 2nd ed., 13.1). Odometry states R and t of the robot; how the
camera is turned on it and how high it is are four numbers that do not change. They are followed
from motion to motion (iterated extended Kalman filter), beginning with the floor's shape in the
network's depth. Nothing is found without odometry, on a floor without texture, and without a
floor output of the network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from .floor_plane import CERTAIN_FLOOR
from .motion import ODOMETRY_SIGMA, rays_at, triangulate, work_picture
from .odometry import angle_of, AXIS_SIGMA_RAD, CameraPose, rotation_by
from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting
from ..camera.orientation import level_axes

Floats = NDArray[np.float64]

# Before the first motion: pitch, heading and roll (a floor's shape knows the roll badly, and
# cameras are mounted upright), and the height (logarithm); of a floor's shape, and as stated.
_SHAPE_SIGMAS = np.array([*np.radians((6.0, 3.0, 2.0)), 0.7])
_STATED_SIGMAS = np.array([*np.radians((2.0, 2.0, 2.0)), 0.5])
# Of one motion: its rotation, with a share of the angle, and its direction aside and upward.
_TURN_SIGMA_RAD, _TURN_SHARE = math.radians(0.5), 0.1
_SIDE_SIGMA_RAD, _LIFT_SIGMA_RAD = math.radians(2.0), math.radians(0.7)
# How far a pair of pictures is apart; what was tried is tried again after so much more.
_LEAST_MOVED_M, _MOST_MOVED_M, _GROWTH = 0.06, 0.3, 1.5
_MOST_TURN_RAD = math.radians(15.0)
# Once found, the next pair begins after so much way.
_REST_M = 1.0
# Corners of the floor: how far they are from what is no floor, and the slope of the ray toward it,
# below which it is too far to be told from what stands on it.
_BORDER_PX, _LEAST_SLOPE = 7, 0.12
_MOST_CORNERS, _LEAST_CORNERS, _QUALITY, _APART_PX = 100, 8, 0.01, 6
_WINDOW_PX, _LEVELS, _ASTRAY_PX = 21, 3, 0.7
# Looked for from another height, a corner must be found in the same place.
_OTHER_LOG, _SAME_PX = -0.2, 0.5
# The errors of a corner: its own, and a share of its way; and what is no error any more.
_CORNER_SIGMA_PX, _WAY_SHARE = 0.7, 0.03
_OUTLIER_PX, _OUTLIER_SHARE, _LEAST_FIT = 1.2, 0.08, 0.6
# Heights within this (logarithm) are one floor, if so many corners share it. Mirror images lie
# below it, nothing above it: of two heights with nearly as many corners the lesser one counts.
_SAME_HEIGHT, _LEAST_SHARE, _NEARLY_AS_MANY = 0.12, 0.3, 0.7
_STEPS, _CHANGE, _FIRST_SCALE_PX, _LAST_SCALE_PX = 4, 1e-5, 4.0, 1.5
# Where the height changes by more than this, the corners are followed once more.
_AGAIN_LOG = 0.1
# When it is found, and from which change on the network is told another one.
_LEAST_MOTIONS, _MOST_HEIGHT_SIGMA, _MOST_PITCH_SIGMA_RAD = 2, 0.06, math.radians(1.5)
_NEWS_LOG, _NEWS_RAD = 0.05, math.radians(2.0)


@dataclass(frozen=True)
class FoundMounting:
    """
    A mounting that nobody stated.

    Attributes
    ----------
    mounting : CameraMounting
        Height in the metres of the odometry.
    height_sigma : float
        Relative standard deviation of the height.
    turn : ndarray of float64, shape (3, 3)
        From the optical frame to the robot's level one: right, down, ahead.

    """

    mounting: CameraMounting
    height_sigma: float
    turn: NDArray[np.float64]

    def corrected(self, pose: CameraPose | None) -> CameraPose | None:
        """Return the pose of a camera that is turned on the robot as was found."""
        if pose is None:
            return None
        rotation = pose.rotation @ _stated_level(pose).T @ self.turn
        return replace(pose, rotation=rotation, axis_sigma_rad=AXIS_SIGMA_RAD)

    def differs_from(self, other: FoundMounting | None) -> bool:
        """Return whether another one is so different that the network must be told."""
        if other is None:
            return True
        mine, its = self.mounting, other.mounting
        return abs(math.log(mine.height_m / its.height_m)) > _NEWS_LOG or float(
            mine.down_vector() @ its.down_vector()
        ) < math.cos(_NEWS_RAD)


@dataclass(frozen=True)
class _Belief:
    """
    What is believed of the mounting.

    `turn` rotates from the optical frame to the robot's level one (right, down, ahead);
    `covariance` is that of a turn about the axes of the optical frame, and of `log_height`.
    """

    turn: Floats
    log_height: float
    covariance: Floats
    motions: int = 0

    @classmethod
    def begin(cls, mounting: CameraMounting, sigmas: Floats) -> _Belief:
        """Begin with a mounting that may be wrong."""
        return cls(_level(mounting), math.log(mounting.height_m), np.diag(sigmas**2))

    def moved(self, step: Floats, covariance: Floats) -> _Belief:
        """Return the belief after one more motion."""
        return _Belief(
            self.turn @ rotation_by(step[:3]),
            self.log_height + float(step[3]),
            (covariance + covariance.T) / 2,
            self.motions + 1,
        )

    @property
    def down(self) -> Floats:
        """Unit vector toward the floor, in the optical frame."""
        return np.asarray(self.turn[1], np.float64)

    def found(self) -> FoundMounting | None:
        """Return the mounting, where it is certain enough."""
        sigmas = np.sqrt(np.diag(self.covariance))
        if (
            self.motions < _LEAST_MOTIONS
            or sigmas[3] > _MOST_HEIGHT_SIGMA
            or sigmas[0] > _MOST_PITCH_SIGMA_RAD
        ):
            return None
        return FoundMounting(
            CameraMounting.from_down_vector(self.down, math.exp(self.log_height)),
            math.hypot(float(sigmas[3]), ODOMETRY_SIGMA),
            self.turn,
        )


@dataclass(frozen=True)
class _Key:
    """The first picture of a pair."""

    grey: NDArray[np.uint8]
    pose: CameraPose
    shape: tuple[int, ...]


@dataclass(frozen=True)
class _Pair:
    """Two pictures, and the robot's motion from the first to the second in its level frame."""

    before: NDArray[np.uint8]
    now: NDArray[np.uint8]
    camera: CameraIntrinsics
    rotation: Floats
    translation: Floats

    def motion(self, turn: Floats) -> tuple[Floats, Floats]:
        """Return R and t with X_now = R X_before + t in the frame of a camera turned so."""
        return turn.T @ self.rotation @ turn, turn.T @ self.translation


class MountingFinder:
    """Follow what motions over a floor say of the camera's mounting."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget every motion."""
        self._belief: _Belief | None = None
        self._rest()

    def _rest(self) -> None:
        self._key: _Key | None = None
        self._tried_m = 0.0
        # What this pair makes of the belief: only its surest answer counts, since all of them
        # share the errors of the first picture.
        self._candidate: _Belief | None = None

    def take(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics,
        pose: CameraPose | None,
        floor: NDArray[np.floating] | None,
        expected: CameraMounting | None,
        is_stated: bool = False,
    ) -> None:
        """
        Take the next picture.

        Parameters
        ----------
        image_rgb : ndarray of uint8, shape (H, W, 3)
            Without distortion.
        intrinsics : CameraIntrinsics
            Of the picture.
        pose : CameraPose or None
            Where it was taken by odometry, with the camera as it is stated to be on the robot.
        floor : ndarray of float, shape (h, w), or None
            Probability of free floor.
        expected : CameraMounting or None
            To begin with: as stated, or as the floor's shape shows it (its height in any unit
            near a metre).
        is_stated : bool
            Which of both.

        """
        if pose is None or floor is None or (self._belief is None and expected is None):
            self._finish()
            return
        key = self._key
        if key is None or key.pose.epoch != pose.epoch or key.shape != image_rgb.shape:
            self._finish()
            self._key = _Key(work_picture(image_rgb), pose, image_rgb.shape)
            return
        moved_m = float(np.linalg.norm(pose.position_m - key.pose.position_m))
        if angle_of(pose.rotation.T @ key.pose.rotation) > _MOST_TURN_RAD:
            self._finish()
            return
        is_found = self._belief is not None and self._belief.found() is not None
        if moved_m < max(_LEAST_MOVED_M, _GROWTH * self._tried_m) or (
            is_found and moved_m < _MOST_MOVED_M / 2
        ):
            return
        # Once found, a pair is asked until it answers: is the camera still where it was?
        is_enough = is_found and self._candidate is not None
        if moved_m <= 2.0 * _MOST_MOVED_M and not is_enough:
            self._tried_m = moved_m
            if self._belief is None:
                assert expected is not None
                sigmas = _STATED_SIGMAS if is_stated else _SHAPE_SIGMAS
                self._belief = _Belief.begin(expected, sigmas)
            self._try(image_rgb, intrinsics, pose, floor, key)
        if moved_m > (_REST_M if is_found else _MOST_MOVED_M):
            self._finish()

    def _try(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics,
        pose: CameraPose,
        floor: NDArray[np.floating],
        key: _Key,
    ) -> None:
        assert self._belief is not None
        grey = work_picture(image_rgb)
        rotation, translation = pose.seen_from(key.pose)
        level = _stated_level(pose)
        pair = _Pair(
            key.grey,
            grey,
            intrinsics.scaled_to(grey.shape[1], grey.shape[0]),
            level @ rotation @ level.T,
            level @ translation,
        )
        measured = _measure(self._belief, self._candidate or self._belief, pair, floor)
        if measured is not None and (
            self._candidate is None or measured.covariance[3, 3] < self._candidate.covariance[3, 3]
        ):
            self._candidate = measured

    def _finish(self) -> None:
        """Believe what the pair has said, and begin another one."""
        if self._candidate is not None:
            self._belief = self._candidate
        self._rest()

    def found(self) -> FoundMounting | None:
        """Return the mounting, once at least two motions have made it certain."""
        belief = self._candidate or self._belief
        return None if belief is None else belief.found()


def _level(mounting: CameraMounting) -> Floats:
    """Return the rotation from the optical frame to the robot's level one: right, down, ahead."""
    ahead, left, up = level_axes(mounting)
    return np.stack([-left, -up, ahead])


def _stated_level(pose: CameraPose) -> Floats:
    """Return the same for the camera as it is stated to be on the robot."""
    return _level(CameraMounting.from_down_vector(-pose.rotation[2], 1.0))


def _measure(
    prior: _Belief, guess: _Belief, pair: _Pair, floor: NDArray[np.floating]
) -> _Belief | None:
    """Return the belief after a pair of pictures; None where it says nothing."""
    here = _floor_corners(pair, floor)
    if here is None:
        return None
    for _ in range(2):
        followed = _follow(guess, pair, here)
        found = None if followed is None else _solve(prior, pair, *followed)
        if found is None or abs(found.log_height - guess.log_height) < _AGAIN_LOG:
            return found
        guess = found
    return found


def _floor_corners(pair: _Pair, floor: NDArray[np.floating]) -> NDArray[np.float32] | None:
    """Return corners of the floor in the second picture, (N, 1, 2)."""
    certain = (floor >= CERTAIN_FLOOR).astype(np.uint8)
    mask = cv2.resize(certain, pair.now.shape[::-1], interpolation=cv2.INTER_NEAREST)
    mask = cv2.erode(mask, np.ones((_BORDER_PX, _BORDER_PX), np.uint8), borderValue=1)
    found = cv2.goodFeaturesToTrack(
        pair.now, _MOST_CORNERS, _QUALITY, _APART_PX, mask=np.asarray(mask, np.uint8)
    )
    if found is None or len(found) < _LEAST_CORNERS:
        return None
    return np.asarray(found, np.float32).reshape(-1, 1, 2)


def _follow(
    guess: _Belief, pair: _Pair, here: NDArray[np.float32]
) -> tuple[Floats, Floats] | None:
    """Return rays before and now of the corners that can be followed."""
    there, kept = _find_before(guess, pair, here)
    there, here = there[kept], here[kept]
    if len(here) < _LEAST_CORNERS:
        return None
    # What is only an edge is found wherever it is looked for.
    elsewhere = replace(guess, log_height=guess.log_height + _OTHER_LOG)
    again, kept = _find_before(elsewhere, pair, here, and_back=False)
    kept &= np.linalg.norm(there - again, axis=1) < _SAME_PX
    if np.count_nonzero(kept) < _LEAST_CORNERS:
        return None
    now = here.reshape(-1, 2)[kept].astype(np.float64)
    return rays_at(there[kept], pair.camera), rays_at(now, pair.camera)


def _find_before(
    guess: _Belief, pair: _Pair, here: NDArray[np.float32], and_back: bool = True
) -> tuple[Floats, NDArray[np.bool_]]:
    """
    Return where corners of the floor were in the picture before, in pixels, and which were found.

    That picture is first turned into what the floor would look like now, by the homography of the
    guess: a floor that comes nearer grows by more than Lucas-Kanade follows without a bias.
    """
    matrix = pair.camera.matrix()
    rotation, translation = pair.motion(guess.turn)
    plane = np.eye(3) - np.outer(translation, guess.down) / math.exp(guess.log_height)
    homography = matrix @ rotation.T @ plane @ np.linalg.inv(matrix)
    warped = cv2.warpPerspective(
        pair.before,
        homography,
        pair.now.shape[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    window = (_WINDOW_PX, _WINDOW_PX)
    there, seen, _ = cv2.calcOpticalFlowPyrLK(
        pair.now, warped, here, here.copy(), winSize=window, maxLevel=_LEVELS
    )
    kept = np.asarray(seen).ravel() == 1
    if and_back:
        back, seen_back, _ = cv2.calcOpticalFlowPyrLK(
            warped, pair.now, there, there.copy(), winSize=window, maxLevel=_LEVELS
        )
        kept &= np.asarray(seen_back).ravel() == 1
        kept &= np.linalg.norm((back - here).reshape(-1, 2), axis=1) < _ASTRAY_PX
    source = np.column_stack([there.reshape(-1, 2), np.ones(len(there))]) @ homography.T
    kept &= source[:, 2] > 0.1
    px = source[:, :2] / np.where(kept, source[:, 2], 1.0)[:, None]
    size = np.array(pair.before.shape[::-1])
    kept &= (px > 2.0).all(axis=1) & (px < size - 3.0).all(axis=1)
    return px, kept


def _solve(prior: _Belief, pair: _Pair, before: Floats, now: Floats) -> _Belief | None:
    """
    Fit turn and height of the camera, and the errors of this motion, to corners of the floor.

    The ten numbers are a turn of the camera, its log height, a turn of the motion and a bend of
    its direction; the last six are this motion's own and not kept.
    """
    near = (now @ prior.down > _LEAST_SLOPE) & (before @ prior.down > 0.02)
    before, now = before[near], now[near]
    if len(now) < _LEAST_CORNERS:
        return None
    focal_px = math.sqrt(pair.camera.fx_px * pair.camera.fy_px)
    depth_m, _ = triangulate(before, now, *pair.motion(prior.turn), 1.0)
    ahead = np.isfinite(depth_m) & (depth_m > 0.0)
    log_heights = np.log(np.where(ahead, depth_m, 1e-6) * (now @ prior.down))
    chosen = _one_floor(log_heights, prior)
    if chosen is None:
        return None
    way_px = np.linalg.norm((now - before)[:, :2], axis=1) * focal_px
    noise = _CORNER_SIGMA_PX**2 + (_WAY_SHARE * way_px) ** 2
    information = _information(prior, pair)

    def off_px(step: Floats) -> Floats:
        turn = prior.turn @ rotation_by(step[:3])
        rotation, translation = pair.motion(turn)
        slope = np.maximum(before @ turn[1], 1e-3)
        floor_m = before * (math.exp(prior.log_height + step[3]) / slope)[:, None]
        place_m = floor_m @ (rotation_by(step[4:7]) @ rotation).T
        place_m = place_m + rotation_by(step[7:]) @ translation
        seen = place_m[:, :2] / np.maximum(place_m[:, 2:], 1e-2)
        return np.asarray((seen - now[:, :2]) * focal_px, np.float64)

    step, scale_px = np.zeros(10), _FIRST_SCALE_PX
    step[3] = float(np.median(log_heights[chosen])) - prior.log_height
    for _ in range(_STEPS):
        off = off_px(step)
        slopes = np.stack(
            [(off_px(step + change) - off) / _CHANGE for change in _CHANGE * np.eye(10)], axis=-1
        ).reshape(-1, 10)
        weight = np.repeat(chosen / (1.0 + (off**2).sum(axis=1) / scale_px**2) / noise, 2)
        normal = (slopes * weight[:, None]).T @ slopes + information
        gradient = slopes.T @ (weight * off.ravel()) + information @ step
        step = step - np.linalg.solve(normal, gradient)
        scale_px = max(_LAST_SCALE_PX, 0.6 * scale_px)
    fits = np.linalg.norm(off_px(step), axis=1) < np.maximum(_OUTLIER_PX, _OUTLIER_SHARE * way_px)
    if np.count_nonzero(fits & chosen) < _LEAST_CORNERS or fits.mean() < _LEAST_FIT:
        return None
    return prior.moved(step, np.linalg.inv(normal)[:4, :4])


def _one_floor(log_heights: Floats, prior: _Belief) -> NDArray[np.bool_] | None:
    """Return which corners lie at the height that most of them share; None where few do."""
    order = np.sort(log_heights)
    first = np.searchsorted(order, order - _SAME_HEIGHT)
    last = np.searchsorted(order, order + _SAME_HEIGHT)
    sigma = math.hypot(math.sqrt(prior.covariance[3, 3]), _SAME_HEIGHT)
    score = (last - first) * np.exp(-0.5 * ((order - prior.log_height) / sigma) ** 2)
    best = int(np.argmax(score >= _NEARLY_AS_MANY * score.max()))  # the first of them
    if last[best] - first[best] < max(_LEAST_CORNERS, _LEAST_SHARE * len(order)):
        return None
    middle = float(np.median(order[first[best] : last[best]]))
    chosen: NDArray[np.bool_] = np.abs(log_heights - middle) < 2.0 * _SAME_HEIGHT
    return chosen


def _information(prior: _Belief, pair: _Pair) -> Floats:
    """Return what is known of the ten numbers before the corners."""
    turn_sigma = _TURN_SIGMA_RAD + _TURN_SHARE * angle_of(pair.rotation)
    information = np.zeros((10, 10))
    information[:4, :4] = np.linalg.inv(prior.covariance)
    information[4:7, 4:7] = np.eye(3) / turn_sigma**2
    bend = np.array([_LIFT_SIGMA_RAD, _SIDE_SIGMA_RAD, _LIFT_SIGMA_RAD])
    information[7:, 7:] = np.diag(bend**-2)
    return information
