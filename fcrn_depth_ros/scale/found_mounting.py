# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The camera's mounting, found while the robot drives over a floor.

A robot on a floor moves along it, and its camera stays as high above it as it is. The picture of
the floor then changes by the plane's homography, H = R + t n^T / d (Hartley and Zisserman,
Multiple View Geometry, 2nd ed., 13.1). Odometry states R and t of the robot; how the camera is
turned on it and how high it is are four numbers that do not change. Two pictures that are 5 to
40 cm apart are laid over each other so that the brightness of the floor agrees (Baker and
Matthews, Lucas-Kanade 20 Years On, IJCV 2004): that takes no corners, a joint across the way is
enough. The four numbers are followed from one such pair to the next (iterated extended Kalman
filter), beginning with the floor's shape in the network's depth. Nothing is found without
odometry, on a floor on which nothing is seen to move, and without a floor output of the network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from .floor_plane import CERTAIN_FLOOR
from .motion import ODOMETRY_SIGMA, rays_at, work_picture
from .odometry import angle_of, AXIS_SIGMA_RAD, CameraPose, rotation_by
from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting
from ..camera.orientation import level_axes

Floats = NDArray[np.float64]

# Before the first motion: pitch, heading and roll (a floor's shape knows the roll badly, and
# cameras are mounted upright), and the height (logarithm); of a floor's shape, of its height
# where straight lines tell the angles, and as stated.
_SHAPE_SIGMAS = np.array([*np.radians((6.0, 3.0, 2.0)), 0.7])
_LINES_SIGMAS = np.array([*np.radians((2.0, 3.0, 1.5)), 0.7])
_STATED_SIGMAS = np.array([*np.radians((2.0, 2.0, 2.0)), 0.5])
# Of one motion: its rotation, with a share of the angle, and its direction aside and upward.
_TURN_SIGMA_RAD, _TURN_SHARE = math.radians(0.5), 0.1
_SIDE_SIGMA_RAD, _LIFT_SIGMA_RAD = math.radians(2.0), math.radians(0.7)
# How far a pair of pictures is apart; what was tried is tried again after so much more, as long as
# that makes the height surer.
_LEAST_MOVED_M, _MOST_MOVED_M, _GROWTH, _SURER = 0.05, 0.4, 1.4, 0.9
_MOST_TURN_RAD = math.radians(15.0)
# Once found, or after so many pairs that found nothing, the next one begins after so much way.
_EAGER_PAIRS, _REST_M = 10, 1.0
# Smoothing, to begin with and in the end; what counts as the brightness around, and grey levels
# that are noise.
_COARSE_PX, _FINE_PX, _AROUND_PX, _NOISE = 3.0, 1.3, 31, 3.0
# Points of the floor: how far they are from what is no floor, and how much they must differ from
# what is next to them (in spreads of the brightness around); and the least share of that along
# their way, without which they look alike all along it.
_BORDER_PX, _LEAST_SLOPE, _LEAST_ALONG = 7, 0.1, 0.35
_LEAST_POINTS, _MOST_POINTS, _FEW_POINTS = 60, 1000, 400
# Where the pictures are compared at first: so many pixels apart, and so far from what is believed.
_SEARCH_PX, _LEAST_STEP, _MOST_STEP, _PITCH_STEP_RAD = 1.5, 0.04, 0.2, math.radians(2.5)
_LEAST_SPREAD, _MOST_REACH, _DOUBT_SHARE = 0.3, 1.2, 0.03
# Normalised correlation of two pictures of one floor.
_LEAST_AGREEMENT, _LEAST_FINE_AGREEMENT = 0.7, 0.65
# The errors of a point: its place, with a share of its way, and its brightness; and of how many
# points they are independent.
_POINT_SIGMA_PX, _WAY_SHARE, _LEAST_NOISE, _OUTLIER, _INDEPENDENT = 0.7, 0.03, 0.1, 2.0, 50.0
# Around a point, what must look alike in both pictures: so far, with so many points, so much.
_CELL_PX, _LEAST_IN_CELL, _LEAST_ALIKE = 32, 8, 0.5
_COARSE_STEPS, _FINE_STEPS, _CHANGE, _MOST_CHANGE = 4, 4, 1e-3, 2.0
# A height so far from what was believed begins anew, and so do so many pairs without an answer.
_CONTRARY_SIGMAS, _CONTRARY_LOG, _MOST_UNANSWERED = 2.5, 0.12, 3
# Motions over one floor share errors: what was believed before counts less from one to the next.
_FORGETTING = 1.5
# When it is found, and from which change on the network is told another one.
_LEAST_MOTIONS, _MOST_HEIGHT_SIGMA, _MOST_PITCH_SIGMA_RAD = 2, 0.08, math.radians(2.0)
_NEWS_LOG, _NEWS_RAD = 0.05, math.radians(2.0)
# A height that is known worse than that still contradicts another one that is so far from it.
_VAGUE_HEIGHT_SIGMA, _FAR_SIGMAS = 0.2, 3.0
# Heights that differ by no more than 15 % confirm each other.
CONFIRMED_LOG = math.log(1.15)


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
    `is_contrary`: the last motion says something else than was believed before.
    """

    turn: Floats
    log_height: float
    covariance: Floats
    motions: int = 0
    is_contrary: bool = False

    @classmethod
    def begin(cls, mounting: CameraMounting, sigmas: Floats) -> _Belief:
        """Begin with a mounting that may be wrong."""
        return cls(_level(mounting), math.log(mounting.height_m), np.diag(sigmas**2))

    def surer_than(self, other: _Belief) -> bool:
        """Return whether it knows the height better, and does not say otherwise."""
        change = abs(self.log_height - other.log_height)
        return (
            self.height_sigma < _SURER * other.height_sigma
            and change < _CONTRARY_SIGMAS * other.height_sigma
        )

    def moved(self, step: Floats, covariance: Floats, is_contrary: bool) -> _Belief:
        """Return the belief after one more motion."""
        return _Belief(
            self.turn @ rotation_by(step[:3]),
            self.log_height + float(step[3]),
            (covariance + covariance.T) / 2,
            self.motions + 1,
            is_contrary,
        )

    @property
    def height_sigma(self) -> float:
        """Standard deviation of `log_height`."""
        return math.sqrt(float(self.covariance[3, 3]))

    @property
    def down(self) -> Floats:
        """Unit vector toward the floor, in the optical frame."""
        return np.asarray(self.turn[1], np.float64)

    def found(self) -> FoundMounting | None:
        """Return the mounting, where it is certain enough."""
        if (
            self.motions < _LEAST_MOTIONS
            or self.height_sigma > _MOST_HEIGHT_SIGMA
            or self.covariance[0, 0] > _MOST_PITCH_SIGMA_RAD**2
        ):
            return None
        return FoundMounting(
            CameraMounting.from_down_vector(self.down, math.exp(self.log_height)),
            math.hypot(self.height_sigma, ODOMETRY_SIGMA),
            self.turn,
        )


@dataclass(frozen=True)
class _Looks:
    """A picture, smoothed much to find the way of a fine floor, and little to measure it."""

    coarse: NDArray[np.float32]
    fine: NDArray[np.float32]

    @classmethod
    def of(cls, image_rgb: NDArray[np.uint8]) -> _Looks:
        """Look at a picture."""
        grey = work_picture(image_rgb).astype(np.float32)
        return cls(_contrast(grey, _COARSE_PX), _contrast(grey, _FINE_PX))


@dataclass(frozen=True)
class _Key:
    """The first picture of a pair."""

    looks: _Looks
    pose: CameraPose
    shape: tuple[int, ...]


@dataclass(frozen=True)
class _Pair:
    """
    Two pictures.

    `rotation` and `translation` are the robot's motion from the first to the second in its level
    frame.
    """

    before: _Looks
    now: _Looks
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
        self._pairs = self._unanswered = 0
        # Whether the floor must confirm what was found, and whether it just did.
        self._is_doubted = self._is_settled = False
        self._rest()

    def _rest(self) -> None:
        self._key: _Key | None = None
        self._tried_m = 0.0
        # What this pair makes of the belief: only its surest answer counts, since all of them
        # share the errors of the first picture.
        self._candidate: _Belief | None = None
        self._is_answered = False

    def take(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics,
        pose: CameraPose | None,
        floor: NDArray[np.floating] | None,
        expected: CameraMounting | None,
        is_stated: bool = False,
        is_level_seen: bool = False,
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
            To begin with: as stated, as found before, or as the floor's shape shows it (its height
            in any unit near a metre).
        is_stated : bool
            Whether it is stated.
        is_level_seen : bool
            Whether its angles come from straight lines in the picture.

        """
        if pose is None or floor is None or (self._belief is None and expected is None):
            self._finish()
            return
        key = self._key
        if key is None or key.pose.epoch != pose.epoch or key.shape != image_rgb.shape:
            self._finish()
            self._key = _Key(_Looks.of(image_rgb), pose, image_rgb.shape)
            return
        moved_m = float(np.linalg.norm(pose.position_m - key.pose.position_m))
        if angle_of(pose.rotation.T @ key.pose.rotation) > _MOST_TURN_RAD:
            self._finish()
            return
        if moved_m < max(_LEAST_MOVED_M, _GROWTH * self._tried_m):
            return
        if not self._is_answered and moved_m <= _MOST_MOVED_M:
            self._tried_m = moved_m
            if self._belief is None:
                assert expected is not None
                unstated = _LINES_SIGMAS if is_level_seen else _SHAPE_SIGMAS
                sigmas = _STATED_SIGMAS if is_stated else unstated
                self._belief = _Belief.begin(expected, sigmas)
            self._try(image_rgb, intrinsics, pose, floor, key)
        is_over = self._is_answered or moved_m > _MOST_MOVED_M
        if is_over and (self._is_eager or moved_m > _REST_M):
            self._finish()

    @property
    def _is_eager(self) -> bool:
        """Whether one pair of pictures follows the other."""
        if self._is_doubted or (self._candidate is not None and self._candidate.is_contrary):
            return True
        return self.found() is None and self._pairs < _EAGER_PAIRS

    def doubt(self) -> None:
        """Look again at once: another witness contradicts what was found."""
        if self._is_doubted or self._is_settled:
            return
        if self._is_answered:
            self._finish()
        self._is_doubted = True

    def _try(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics,
        pose: CameraPose,
        floor: NDArray[np.floating],
        key: _Key,
    ) -> None:
        """Compare the pictures of a pair; it is answered when going on makes it no surer."""
        assert self._belief is not None
        now = _Looks.of(image_rgb)
        height, width = now.fine.shape
        rotation, translation = pose.seen_from(key.pose)
        level = _stated_level(pose)
        pair = _Pair(
            key.looks,
            now,
            intrinsics.scaled_to(width, height),
            level @ rotation @ level.T,
            level @ translation,
        )
        measured = _measure(self._belief, pair, floor)
        last = self._candidate
        if measured is not None and (last is None or measured.surer_than(last)):
            self._candidate = measured
        else:
            self._is_answered = last is not None

    def _finish(self) -> None:
        """Believe what the pair has said, and begin another one."""
        if self._tried_m > 0.0:
            self._pairs += 1
            self._unanswered = 0 if self._candidate is not None else self._unanswered + 1
            self._is_settled = self._is_doubted and self._candidate is not None
            self._is_doubted = self._is_doubted and self._candidate is None
        if self._candidate is not None:
            self._belief = self._candidate
        is_contrary = self._belief is not None and self._belief.is_contrary
        if is_contrary or self._unanswered >= _MOST_UNANSWERED:
            # The camera was moved, or what was believed was wrong; a floor that never answered
            # is no news, and not asked more often for it.
            if is_contrary or self.found() is not None:
                self._pairs = 0
            self._belief = None
            self._unanswered = 0
            self._is_doubted = self._is_settled = False
        self._rest()

    def found(self) -> FoundMounting | None:
        """Return the mounting, once at least two motions have made it certain."""
        return None if self._belief is None else self._belief.found()

    def height_beside(self, mounting: CameraMounting) -> tuple[float, float] | None:
        """
        Compare the height that the floor shows with that of a mounting.

        One motion is enough to confirm a height, as long as the next does not say otherwise; it
        takes two to contradict one.

        Parameters
        ----------
        mounting : CameraMounting
            As it was stated or found.

        Returns
        -------
        tuple of float, or None
            Logarithm of the height seen over that of the mounting, and its standard deviation;
            None where the floor has not shown it.

        """
        belief = self._belief
        if belief is None or belief.motions == 0 or belief.is_contrary:
            return None
        sigma = math.hypot(belief.height_sigma, ODOMETRY_SIGMA)
        ratio = belief.log_height - math.log(mounting.height_m)
        if belief.motions < _LEAST_MOTIONS and abs(ratio) > CONFIRMED_LOG:
            return None
        if belief.height_sigma > _MOST_HEIGHT_SIGMA and (
            belief.height_sigma > _VAGUE_HEIGHT_SIGMA or abs(ratio) < _FAR_SIGMAS * sigma
        ):
            return None
        return ratio, sigma

    def confirms(self, mounting: CameraMounting) -> bool:
        """Return whether the floor shows the height of a mounting, and still does if doubted."""
        seen = self.height_beside(mounting)
        if seen is None or (self._is_doubted and self._unanswered):
            return False
        return abs(seen[0]) <= CONFIRMED_LOG


def _level(mounting: CameraMounting) -> Floats:
    """Return the rotation from the optical frame to the robot's level one: right, down, ahead."""
    ahead, left, up = level_axes(mounting)
    return np.stack([-left, -up, ahead])


def _stated_level(pose: CameraPose) -> Floats:
    """Return the same for the camera as it is stated to be on the robot."""
    return _level(CameraMounting.from_down_vector(-pose.rotation[2], 1.0))


@dataclass(frozen=True)
class _FloorPoints:
    """
    Pixels of the floor in the second picture that differ from what is next to them.

    `px` is where they are, `rays` their rays (z = 1), `shown` their brightness, and `slope` its
    change a pixel; `before` is the first picture.
    """

    px: Floats
    rays: Floats
    shown: Floats
    slope: Floats
    before: NDArray[np.float32]

    def chosen(self, which: NDArray[np.int64] | slice) -> _FloorPoints:
        """Return those."""
        return replace(
            self,
            px=self.px[which],
            rays=self.rays[which],
            shown=self.shown[which],
            slope=self.slope[which],
        )

    def few(self) -> _FloorPoints:
        """Return some of them."""
        return self.chosen(slice(None, None, max(1, len(self.px) // _FEW_POINTS)))


def _contrast(grey: NDArray[np.float32], smooth_px: float) -> NDArray[np.float32]:
    """Return brightness against that around, in spreads: other light and exposure do not count."""
    smooth = cv2.GaussianBlur(grey, (0, 0), smooth_px)
    around = (_AROUND_PX, _AROUND_PX)
    smooth -= cv2.blur(smooth, around)
    spread = np.sqrt(cv2.blur(smooth * smooth, around))
    return np.asarray(smooth / (spread + _NOISE), np.float32)


def _certain_floor(pair: _Pair, floor: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return where the second picture shows floor, and nothing else next to it."""
    size = pair.now.fine.shape[::-1]
    certain = (floor >= CERTAIN_FLOOR).astype(np.uint8)
    mask = cv2.resize(certain, size, interpolation=cv2.INTER_NEAREST)
    around = np.ones((_BORDER_PX, _BORDER_PX), np.uint8)
    return np.asarray(cv2.erode(mask, around, borderValue=1), np.uint8)


def _floor_points(
    prior: _Belief,
    pair: _Pair,
    before: NDArray[np.float32],
    now: NDArray[np.float32],
    mask: NDArray[np.uint8],
    least_along: float,
) -> _FloorPoints | None:
    """
    Return points of the floor whose brightness changes along their way; None where few do.

    `least_along`: the least share of the change that must be along the way.
    """
    # Scharr's weights add up to 32 for a slope of 1.
    slope_x = cv2.Scharr(now, cv2.CV_32F, 1, 0, scale=1 / 32)
    slope_y = cv2.Scharr(now, cv2.CV_32F, 0, 1, scale=1 / 32)
    slope = cv2.magnitude(slope_x, slope_y)
    rows, columns = _some(np.nonzero((slope > _LEAST_SLOPE) & (mask > 0)), 4 * _MOST_POINTS)
    if len(rows) < _LEAST_POINTS:
        return None
    px = np.column_stack([columns, rows]).astype(np.float64)
    points = _FloorPoints(
        px,
        rays_at(px, pair.camera),
        now[rows, columns].astype(np.float64),
        slope[rows, columns].astype(np.float64),
        before,
    )
    way = _before(prior, pair, points, np.zeros((1, 10)))[0][0] - px
    along = slope_x[rows, columns] * way[:, 0] + slope_y[rows, columns] * way[:, 1]
    needed = np.maximum(_LEAST_SLOPE, least_along * points.slope)
    moves = np.abs(along) > needed * np.linalg.norm(way, axis=1)
    if np.count_nonzero(moves) < _LEAST_POINTS:
        return None
    return points.chosen(*_some(np.nonzero(moves), _MOST_POINTS))


def _some(found: tuple[NDArray[np.int64], ...], most: int) -> tuple[NDArray[np.int64], ...]:
    """Return at most so many of the places, from all over."""
    count = len(found[0])
    kept = np.linspace(0, count - 1, min(count, most)).astype(int)
    return tuple(each[kept] for each in found)


def _homography(prior: _Belief, pair: _Pair, step: Floats) -> Floats:
    """Return the matrix from rays of the second picture to those of the first, on the floor."""
    turn = prior.turn @ rotation_by(step[:3])
    rotation, translation = pair.motion(turn)
    back = (rotation_by(step[4:7]) @ rotation).T
    shift = back @ rotation_by(step[7:]) @ translation
    homography: Floats = back - np.outer(shift, turn[1]) * math.exp(-prior.log_height - step[3])
    return homography


def _before(
    prior: _Belief, pair: _Pair, points: _FloorPoints, steps: Floats
) -> tuple[NDArray[np.float32], Floats, NDArray[np.bool_]]:
    """
    Return where the points were in the first picture, what it shows there, and whether it does.

    `steps` are K times the ten numbers of `_solve`; (K, N, 2) px, (K, N), (K, N).
    """
    matrices = np.stack([_homography(prior, pair, step) for step in steps])
    x, y, z = (matrices.astype(np.float32) @ points.rays.astype(np.float32).T).swapaxes(0, 1)
    ahead = np.maximum(z, 1e-3)
    x_px = pair.camera.fx_px * (x / ahead) + pair.camera.cx_px
    y_px = pair.camera.fy_px * (y / ahead) + pair.camera.cy_px
    height, width = points.before.shape
    seen = (z > 0.1) & (x_px > 2.0) & (x_px < width - 3.0)
    seen &= (y_px > 2.0) & (y_px < height - 3.0)
    shown = cv2.remap(points.before, x_px, y_px, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.stack([x_px, y_px], axis=-1), np.asarray(shown, np.float64), seen


def _measure(prior: _Belief, pair: _Pair, floor: NDArray[np.floating]) -> _Belief | None:
    """Return the belief after a pair of pictures; None where it says nothing."""
    mask = _certain_floor(pair, floor)
    coarse = _floor_points(prior, pair, pair.before.coarse, pair.now.coarse, mask, _LEAST_ALONG)
    fine = _floor_points(prior, pair, pair.before.fine, pair.now.fine, mask, 0.0)
    if coarse is None or fine is None:
        return None
    few = coarse.few()
    begin = _search(prior, pair, few)
    if begin is None:
        return None
    nearer = _solve(prior, pair, few, begin, _COARSE_STEPS)
    if nearer is None or nearer.agreement < _LEAST_AGREEMENT:
        return None
    found = _solve(prior, pair, fine, nearer.step, _FINE_STEPS)
    if found is None or found.agreement < _LEAST_FINE_AGREEMENT:
        return None
    limit = _CONTRARY_SIGMAS * prior.height_sigma + _CONTRARY_LOG
    return prior.moved(found.step, found.covariance, bool(abs(begin[3]) > limit))


@dataclass(frozen=True)
class _Fit:
    """The ten numbers of `_solve`, the covariance of those that are kept, and the agreement."""

    step: Floats
    covariance: Floats
    agreement: float


def _search(prior: _Belief, pair: _Pair, points: _FloorPoints) -> Floats | None:
    """Return from where the pictures agree best, near what is believed; None where they do not."""
    pitch_sigma, height_sigma = np.sqrt(np.diag(prior.covariance))[[0, 3]]
    height_sigma = max(_LEAST_SPREAD, float(height_sigma))
    px, _, _ = _before(prior, pair, points, np.zeros((1, 10)))
    way_px = float(np.median(np.linalg.norm(px[0] - points.px, axis=1)))
    step = float(np.clip(_SEARCH_PX / max(way_px, 1.0), _LEAST_STEP, _MOST_STEP))
    heights = _around(min(_MOST_REACH, 2.0 * height_sigma), step)
    pitches = _around(1.5 * float(pitch_sigma), _PITCH_STEP_RAD)
    steps = np.zeros((len(pitches) * len(heights), 10))
    steps[:, 0], steps[:, 3] = np.repeat(pitches, len(heights)), np.tile(heights, len(pitches))
    _, shown, seen = _before(prior, pair, points, steps)
    agreement = _agreement(points.shown, shown, seen)
    doubt = (steps[:, 0] / pitch_sigma) ** 2 + (steps[:, 3] / height_sigma) ** 2
    best = int(np.argmax(agreement - _DOUBT_SHARE * doubt / 2))
    begin: Floats = steps[best]
    return begin if agreement[best] >= _LEAST_FINE_AGREEMENT else None


def _around(reach: float, step: float) -> Floats:
    count = math.floor(reach / step)
    return np.asarray(step * np.arange(-count, count + 1), np.float64)


def _agreement(shown: Floats, before: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Return normalised correlations, (K,); 0 where half of the points are out of the picture."""
    count = np.maximum(np.count_nonzero(seen, axis=1), 1)
    now = np.where(seen, shown, 0.0)
    then = np.where(seen, before, 0.0)
    now = np.where(seen, now - (now.sum(axis=1) / count)[:, None], 0.0)
    then = np.where(seen, then - (then.sum(axis=1) / count)[:, None], 0.0)
    size = np.sqrt((now**2).sum(axis=1) * (then**2).sum(axis=1))
    correlation = (now * then).sum(axis=1) / np.maximum(size, 1e-9)
    return np.asarray(np.where(count >= 0.5 * len(shown), correlation, 0.0), np.float64)


def _where_it_agrees(points: _FloorPoints, before: Floats, known: NDArray[np.bool_]) -> Floats:
    """
    Return how much each point counts, 0 to 1: what is around it must look alike in both pictures.

    Noise on a plain floor differs from what is next to it as much as texture does.
    """
    place = points.px // _CELL_PX @ (1.0, 1000.0)
    cell = np.unique(place, return_inverse=True)[1]
    count = np.bincount(cell, known) + 1e-9

    def mean(values: Floats) -> Floats:
        return np.asarray(np.bincount(cell, values * known) / count, np.float64)

    now, then = points.shown - mean(points.shown)[cell], before - mean(before)[cell]
    alike = mean(now * then) / np.sqrt(mean(now**2) * mean(then**2) + 1e-9)
    alike = np.where((count >= _LEAST_IN_CELL) & (alike >= _LEAST_ALIKE), alike, 0.0)
    return np.asarray(known * alike[cell], np.float64)


def _solve(
    prior: _Belief, pair: _Pair, points: _FloorPoints, begin: Floats, steps: int
) -> _Fit | None:
    """
    Fit turn and height of the camera, and the errors of this motion, to the floor's brightness.

    The ten numbers are a turn of the camera, its log height, a turn of the motion and a bend of
    its direction; the last six are this motion's own and not kept.
    """
    information = _information(prior, pair)
    step, changes = begin, np.vstack([np.zeros(10), _CHANGE * np.eye(10)])
    for _ in range(steps):
        px, shown, seen = _before(prior, pair, points, step + changes)
        known = np.asarray(seen.all(axis=0), bool)
        count = np.count_nonzero(known)
        if count < _LEAST_POINTS:
            return None
        off = shown[0] - points.shown
        slopes = (shown[1:] - shown[0]).T / _CHANGE
        noise = max(_LEAST_NOISE, 1.4826 * float(np.median(np.abs(off[known]))))
        agrees = _where_it_agrees(points, shown[0], known)
        if np.count_nonzero(agrees) < _LEAST_POINTS:
            return None
        way_px = np.linalg.norm(px[0] - points.px, axis=1)
        place_px2 = _POINT_SIGMA_PX**2 + (_WAY_SHARE * way_px) ** 2
        variance = noise**2 + points.slope**2 * place_px2
        weight = agrees / (variance + (off / _OUTLIER) ** 2)
        weight *= min(1.0, _INDEPENDENT / max(1.0, agrees.sum()))
        normal = (slopes * weight[:, None]).T @ slopes + information
        gradient = slopes.T @ (weight * off) + information @ step
        step = np.clip(step - np.linalg.solve(normal, gradient), -_MOST_CHANGE, _MOST_CHANGE)
    _, shown, seen = _before(prior, pair, points, step[None])
    agreement = float(_agreement(points.shown, shown, seen)[0])
    return _Fit(step, np.linalg.inv(normal)[:4, :4], agreement)


def _information(prior: _Belief, pair: _Pair) -> Floats:
    """Return what is known of the ten numbers before the pictures are compared."""
    turn_sigma = _TURN_SIGMA_RAD + _TURN_SHARE * angle_of(pair.rotation)
    information = np.zeros((10, 10))
    forgetting = _FORGETTING if prior.motions else 1.0
    information[:4, :4] = np.linalg.inv(prior.covariance) / forgetting
    information[4:7, 4:7] = np.eye(3) / turn_sigma**2
    bend = np.array([_LIFT_SIGMA_RAD, _SIDE_SIGMA_RAD, _LIFT_SIGMA_RAD])
    information[7:, 7:] = np.diag(bend**-2)
    return information
