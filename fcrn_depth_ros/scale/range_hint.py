# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Scale from one beam: a sonar or time-of-flight sensor measures a distance that the picture shows.

Where its cone lands in the depth map, true distance over drawn distance is the factor that is
looked for. Whatever cannot be true (no number, a jump, a value that stands still while the
picture moves, time that goes back) says nothing, and what was measured before it is forgotten.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import math
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .landing import Landing
from .odometry import CameraPlace
from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting
from ..camera.orientation import level_axes
from ..settings import setting, Settings

# A message belongs to a picture that was taken within this time of it.
_SAME_TIME_NS = 150_000_000
_KEPT = 50
_MOST_HALF_ANGLE_RAD = math.radians(30.0)
# How well the direction of the beam in the picture is known.
_SLACK_RAD = math.radians(1.5)
_LEAST_PIXELS = 4
# Of the sensor and the pixels together; and from which spread in the cone it meets an edge.
_BEAM_SIGMA, _MOST_SPREAD_LOG = 0.05, 0.35
# Beyond this factor the beam and the picture do not see the same thing.
_MOST_LOG_FACTOR = math.log(4.0)
# The same value as often as this while the picture changes by this share: the sensor hangs.
_FROZEN_COUNT, _FROZEN_LOG = 5, math.log(1.15)


@dataclass(frozen=True)
class RangeHintConfig(Settings):
    """Where a range sensor sits beside the camera; without TF."""

    range_hint_x_m: float = setting(
        0.0,
        'Distance of the sensor of `range_hint` ahead of the optical centre, along the floor, in '
        'metres. With floor_frame, TF gives its place and direction.',
        minimum=-5.0,
        maximum=5.0,
    )
    range_hint_y_m: float = setting(
        0.0, 'Distance of that sensor to the left of it, in metres.', minimum=-5.0, maximum=5.0
    )
    range_hint_z_m: float = setting(
        0.0, 'Distance of that sensor above it, in metres.', minimum=-5.0, maximum=5.0
    )
    range_hint_yaw_deg: float = setting(
        0.0,
        'Direction of the beam against that of the camera along the floor, in degrees. Positive '
        'is to the left.',
        minimum=-90.0,
        maximum=90.0,
    )
    range_hint_pitch_deg: float = setting(
        0.0,
        'Direction of the beam below the horizon, in degrees.',
        minimum=-80.0,
        maximum=80.0,
    )

    def place(self) -> BeamPlace:
        """Return the place that the parameters state."""
        yaw, pitch = math.radians(self.range_hint_yaw_deg), math.radians(self.range_hint_pitch_deg)
        return BeamPlace(
            np.array([self.range_hint_x_m, self.range_hint_y_m, self.range_hint_z_m]),
            np.array(
                [
                    math.cos(pitch) * math.cos(yaw),
                    math.cos(pitch) * math.sin(yaw),
                    -math.sin(pitch),
                ]
            ),
        )


@dataclass(frozen=True)
class RangeHint:
    """
    One message of a range sensor, as it came.

    Attributes
    ----------
    stamp_ns : int or None
        When it was measured; None where the stamp is malformed.
    distance_m, min_m, max_m : float
        Of the nearest thing in the cone, and the limits of the sensor. +Inf and `max_m` mean that
        nothing is there.
    field_of_view_rad : float
        Full angle of the cone.

    """

    stamp_ns: int | None
    distance_m: float
    min_m: float
    max_m: float
    field_of_view_rad: float

    def flaw(self) -> str:
        """Return what is wrong with the values; empty when they can be used."""
        if self.stamp_ns is None or self.stamp_ns <= 0:
            return f'stamp must be a time after 0, got {self.stamp_ns} ns'
        if not 0.0 <= self.min_m < self.max_m < math.inf:
            return f'range limits [{self.min_m:g}, {self.max_m:g}] m are malformed'
        if math.isnan(self.distance_m) or self.distance_m == -math.inf:
            return f'range must be a number, got {self.distance_m:g}'
        if not 0.0 <= self.field_of_view_rad <= 2 * _MOST_HALF_ANGLE_RAD:
            return (
                f'field_of_view must be in [0, {2 * _MOST_HALF_ANGLE_RAD:.2f}] rad, got '
                f'{self.field_of_view_rad:g}'
            )
        return ''

    @property
    def hits(self) -> bool:
        """Return whether something is within reach."""
        return self.min_m < self.distance_m < self.max_m


@dataclass(frozen=True)
class BeamPlace:
    """
    Where a beam begins, and where it points.

    Attributes
    ----------
    origin_m, direction : ndarray of float64, shape (3,)
        From the optical centre. Ahead, to the left and up where `is_level`, else in the optical
        frame.
    is_level : bool
        False where TF gives the pose against the optical frame itself.

    """

    origin_m: NDArray[np.float64]
    direction: NDArray[np.float64]
    is_level: bool = True

    @classmethod
    def beside(cls, camera: CameraPlace) -> BeamPlace:
        """Return the place of a beam along the x axis of the frame in which a camera sits."""
        to_optical = camera.rotation.T
        return cls(-to_optical @ camera.offset_m, to_optical[:, 0], is_level=False)

    def in_optical_frame(
        self, mounting: CameraMounting | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return origin and direction in the optical frame; None while its tilt is unknown."""
        if not self.is_level:
            return self.origin_m, self.direction
        if mounting is None:
            return None
        axes = np.column_stack(level_axes(mounting))
        return axes @ self.origin_m, axes @ self.direction


@dataclass(frozen=True)
class RangeBeam:
    """A message of a range sensor at the time of a picture, and its place, None where unknown."""

    hint: RangeHint
    place: BeamPlace | None


class _Hint(Protocol):
    @property
    def stamp_ns(self) -> int | None: ...

    def flaw(self) -> str: ...


Hint = TypeVar('Hint', bound=_Hint)


class HintTrack(Generic[Hint]):
    """
    Recent messages of a sensor of distance; whatever cannot be true forgets those before.

    Attributes
    ----------
    fault : str
        What was wrong with the latest message; empty where nothing was.

    """

    def __init__(self) -> None:
        self._hints: deque[Hint] = deque(maxlen=_KEPT)
        self.fault = ''

    def add(self, hint: Hint) -> None:
        """Take one message."""
        self.fault = hint.flaw()
        if self.fault or hint.stamp_ns is None:
            self._hints.clear()
            return
        if self._hints and hint.stamp_ns < (self._hints[-1].stamp_ns or 0):
            self._hints.clear()
            self.fault = 'time went back'
        self._hints.append(hint)

    def at(self, stamp_ns: int) -> Hint | None:
        """Return the message nearest in time to a picture; None where none is near enough."""
        nearest = min(
            self._hints, key=lambda hint: abs((hint.stamp_ns or 0) - stamp_ns), default=None
        )
        if nearest is None or abs((nearest.stamp_ns or 0) - stamp_ns) > _SAME_TIME_NS:
            return None
        return nearest


RangeHintTrack = HintTrack[RangeHint]


@dataclass(frozen=True)
class RangeReport:
    """
    What one beam says about the scale of one picture.

    Attributes
    ----------
    silence : str
        Why it says nothing; empty where it does.
    log_factor, sigma : float
        Logarithm of true depth over that of the network, and its standard deviation.
    is_contrary : bool
        The beam and the picture cannot both be true: what was measured before is in doubt.
    value_m : float
        What was compared with the picture; NaN where nothing was.
    landing : Landing or None
        Where a beam lands in the depth map.

    """

    silence: str = ''
    log_factor: float = math.nan
    sigma: float = math.nan
    is_contrary: bool = False
    value_m: float = math.nan
    landing: Landing | None = None


class _Place(Protocol):
    @property
    def is_level(self) -> bool: ...


class _Sensed(Protocol):
    @property
    def hint(self) -> _Hint: ...

    @property
    def place(self) -> _Place | None: ...


Sensed = TypeVar('Sensed', bound=_Sensed)


class HintWitness(Generic[Sensed]):
    """Compare what a sensor of distance measures with the depth, picture after picture."""

    sensor = ''

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget every message."""
        self._stamp_ns = 0
        self._hang = HangWatch()

    def look(
        self,
        sensed: Sensed | None,
        depth_m: NDArray[np.floating],
        intrinsics: CameraIntrinsics | None,
        mounting: CameraMounting | None,
    ) -> RangeReport:
        """
        Take the next picture.

        Parameters
        ----------
        sensed : RangeBeam, ScanBeams or None
            At the time of the picture.
        depth_m : ndarray of float, shape (H, W)
            What the network made of it.
        intrinsics : CameraIntrinsics or None
            Of the depth map; None where the camera is not known.
        mounting : CameraMounting or None
            As given, or as the floor's shape shows it: only its angles are used.

        Returns
        -------
        RangeReport
            See there.

        """
        if sensed is None:
            return RangeReport(f'no {self.sensor}')
        hint = sensed.hint
        if hint.flaw() or hint.stamp_ns is None:
            self.restart()
            return RangeReport(hint.flaw(), is_contrary=True)
        if hint.stamp_ns < self._stamp_ns:
            self.restart()
            self._stamp_ns = hint.stamp_ns
            return RangeReport('time went back', is_contrary=True)
        if hint.stamp_ns == self._stamp_ns:
            return RangeReport('no news')
        self._stamp_ns = hint.stamp_ns
        if sensed.place is None:
            return RangeReport('TF does not connect its frame with that of the picture')
        if intrinsics is None:
            return RangeReport('no camera_info')
        if sensed.place.is_level and mounting is None:
            return RangeReport('the tilt of the camera is unknown')
        report = self._compare(sensed, depth_m, intrinsics, mounting)
        if math.isfinite(report.value_m) and self._hang.hangs(
            report.value_m, report.value_m / math.exp(report.log_factor)
        ):
            return RangeReport('the value stands still, the picture does not', is_contrary=True)
        return report

    def _compare(
        self,
        sensed: Sensed,
        depth_m: NDArray[np.floating],
        intrinsics: CameraIntrinsics,
        mounting: CameraMounting | None,
    ) -> RangeReport:
        """Compare one message, whose place is known, with the depth."""
        raise NotImplementedError


class RangeWitness(HintWitness[RangeBeam]):
    """Compare a beam with the depth where it lands."""

    sensor = 'range hint'

    def _compare(
        self,
        sensed: RangeBeam,
        depth_m: NDArray[np.floating],
        intrinsics: CameraIntrinsics,
        mounting: CameraMounting | None,
    ) -> RangeReport:
        if not sensed.hint.hits:
            return RangeReport('nothing within its reach')
        pose = None if sensed.place is None else sensed.place.in_optical_frame(mounting)
        assert pose is not None
        return compare_beam(sensed.hint, pose, depth_m, intrinsics)


def compare_beam(
    hint: RangeHint,
    pose: tuple[NDArray[np.float64], NDArray[np.float64]],
    depth_m: NDArray[np.floating],
    intrinsics: CameraIntrinsics,
) -> RangeReport:
    """
    Compare one beam with the depth where it lands.

    Parameters
    ----------
    hint : RangeHint
        It hits something.
    pose : tuple of ndarray
        Origin and direction of the beam, in the optical frame.
    depth_m, intrinsics
        As for :class:`HintWitness`.

    Returns
    -------
    RangeReport
        See there.

    """
    origin_m, direction = pose
    # About here the beam lands, whatever the scale: the sensor is near the camera.
    target = origin_m + hint.distance_m * direction
    if target[2] <= 0.0:
        return RangeReport('outside the picture')
    rays = intrinsics.rays().astype(np.float64)
    column = target[0] / target[2] * intrinsics.fx_px + intrinsics.cx_px
    row = target[1] / target[2] * intrinsics.fy_px + intrinsics.cy_px
    if not (0 <= column < intrinsics.width_px and 0 <= row < intrinsics.height_px):
        return RangeReport('outside the picture')
    half_rad = hint.field_of_view_rad / 2 + _SLACK_RAD
    cosine = (rays @ (target / np.linalg.norm(target))) / np.linalg.norm(rays, axis=2)
    inside = cosine >= math.cos(half_rad)
    points = rays[inside] * depth_m[inside].astype(np.float64)[:, None]
    if np.count_nonzero(inside) < _LEAST_PIXELS or not np.isfinite(points).all():
        return RangeReport('the depth is unknown there')
    # |f p - origin| = distance, for each pixel.
    along = points @ origin_m
    square = (points**2).sum(axis=1)
    root = along**2 - square * (origin_m @ origin_m - hint.distance_m**2)
    if (root <= 0.0).any() or (square <= 0.0).any():
        return RangeReport('the beam begins beyond what it meets')
    factors = (along + np.sqrt(root)) / square
    if (factors <= 0.0).any():
        return RangeReport('the beam begins beyond what it meets')
    low, centre, high = np.quantile(np.log(factors), (0.1, 0.5, 0.9)).tolist()
    if high - low > _MOST_SPREAD_LOG:
        return RangeReport('it meets an edge')
    if abs(centre) > _MOST_LOG_FACTOR:
        return RangeReport('it and the picture differ beyond belief', is_contrary=True)
    sigma = math.hypot(_BEAM_SIGMA, (high - low) / 2)
    px_per_rad = math.sqrt(intrinsics.fx_px * intrinsics.fy_px)
    landing = Landing(
        float(column),
        float(row),
        half_rad * px_per_rad,
        px_per_rad,
        float(np.median(points[:, 2])),
    )
    return RangeReport('', centre, sigma, value_m=hint.distance_m, landing=landing)


class HangWatch:
    """Find out that a sensor repeats one value while the picture changes."""

    def __init__(self) -> None:
        self._value_m, self._drawn_m, self._count = math.nan, math.nan, 0

    def hangs(self, value_m: float, drawn_m: float) -> bool:
        """Take what was measured and what the network drew there."""
        if value_m != self._value_m:
            self._value_m, self._drawn_m, self._count = value_m, drawn_m, 1
            return False
        self._count += 1
        changed = abs(math.log(drawn_m / self._drawn_m)) > _FROZEN_LOG
        return self._count >= _FROZEN_COUNT and changed
