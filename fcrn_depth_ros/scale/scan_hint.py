# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Scale from a laser scan: many beams at once, of which those in the picture are compared with it.

Each beam is judged as the single one of a range sensor. They must agree in their middle; a scan
that meets hardly anything in view, or that cannot be true, says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from .odometry import CameraPlace
from .range_hint import BeamPlace, compare_beam, HintWitness, RangeHint, RangeReport
from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting
from ..settings import setting, Settings

_MOST_BEAMS, _LEAST_BEAMS = 9, 3
# Of the scanner and its place, which all beams share.
_COMMON_SIGMA = 0.04
_MOST_SPREAD_LOG = 0.5
_CONE_RAD = 0.02


@dataclass(frozen=True)
class ScanHintConfig(Settings):
    """Where a laser scanner sits beside the camera; without TF."""

    scan_hint_x_m: float = setting(
        0.0,
        'Distance of the scanner of `scan_hint` ahead of the optical centre, along the floor, in '
        'metres. With floor_frame, TF gives its place and direction.',
        minimum=-5.0,
        maximum=5.0,
    )
    scan_hint_y_m: float = setting(
        0.0, 'Distance of that scanner to the left of it, in metres.', minimum=-5.0, maximum=5.0
    )
    scan_hint_z_m: float = setting(
        0.0, 'Distance of that scanner above it, in metres.', minimum=-5.0, maximum=5.0
    )
    scan_hint_yaw_deg: float = setting(
        0.0,
        "Direction of the scan's angle 0 against that of the camera along the floor, in degrees. "
        'Positive is to the left; 180 where the scanner looks back.',
        minimum=-180.0,
        maximum=180.0,
    )

    def place(self) -> ScanPlace:
        """Return the place that the parameters state."""
        yaw = math.radians(self.scan_hint_yaw_deg)
        return ScanPlace(
            np.array([self.scan_hint_x_m, self.scan_hint_y_m, self.scan_hint_z_m]),
            np.array([math.cos(yaw), math.sin(yaw), 0.0]),
            np.array([-math.sin(yaw), math.cos(yaw), 0.0]),
        )


@dataclass(frozen=True)
class ScanHint:
    """
    One message of a laser scanner, as it came.

    Attributes
    ----------
    stamp_ns : int or None
        When it was measured; None where the stamp is malformed.
    angle_min_rad, angle_increment_rad : float
        Of the first beam, and from one to the next; to the left positive.
    min_m, max_m : float
        Limits of the scanner.
    ranges_m : ndarray of float64, shape (N,)
        What is no number, or not within the limits, met nothing.

    """

    stamp_ns: int | None
    angle_min_rad: float
    angle_increment_rad: float
    min_m: float
    max_m: float
    ranges_m: NDArray[np.float64]

    def flaw(self) -> str:
        """Return what is wrong with the values; empty when they can be used."""
        if self.stamp_ns is None or self.stamp_ns <= 0:
            return f'stamp must be a time after 0, got {self.stamp_ns} ns'
        if not 0.0 <= self.min_m < self.max_m < math.inf:
            return f'range limits [{self.min_m:g}, {self.max_m:g}] m are malformed'
        if not math.isfinite(self.angle_min_rad):
            return f'angle_min must be finite, got {self.angle_min_rad:g}'
        if not 1e-4 <= abs(self.angle_increment_rad) <= 0.5:
            return (
                'angle_increment must be in [0.0001, 0.5] rad, up or down, got '
                f'{self.angle_increment_rad:g}'
            )
        if not len(self.ranges_m):
            return 'ranges must not be empty'
        return ''


@dataclass(frozen=True)
class ScanPlace:
    """
    Where a scan begins, and in which plane it lies.

    Attributes
    ----------
    origin_m, ahead, left : ndarray of float64, shape (3,)
        Origin, direction of angle 0, and of a quarter turn to the left; as in
        :class:`~fcrn_depth_ros.scale.range_hint.BeamPlace`.
    is_level : bool
        See there.

    """

    origin_m: NDArray[np.float64]
    ahead: NDArray[np.float64]
    left: NDArray[np.float64]
    is_level: bool = True

    @classmethod
    def beside(cls, camera: CameraPlace) -> ScanPlace:
        """Return the place of a scan whose angle 0 is the x axis of a frame with a camera."""
        to_optical = camera.rotation.T
        origin_m = -to_optical @ camera.offset_m
        return cls(origin_m, to_optical[:, 0], to_optical[:, 1], is_level=False)

    def beam(self, angle_rad: float) -> BeamPlace:
        """Return the place of one beam."""
        direction = math.cos(angle_rad) * self.ahead + math.sin(angle_rad) * self.left
        return BeamPlace(self.origin_m, direction, self.is_level)


@dataclass(frozen=True)
class ScanBeams:
    """A scan at the time of a picture, and its place; None where TF does not connect the two."""

    hint: ScanHint
    place: ScanPlace | None


class ScanWitness(HintWitness[ScanBeams]):
    """Compare scans with the depth where their beams land."""

    sensor = 'scan hint'

    def _compare(
        self,
        sensed: ScanBeams,
        depth_m: NDArray[np.floating],
        intrinsics: CameraIntrinsics,
        mounting: CameraMounting | None,
    ) -> RangeReport:
        hint, place = sensed.hint, sensed.place
        assert place is not None
        beams = _beams_in_view(hint, place, intrinsics, mounting)
        if not len(beams):
            return RangeReport('nothing within its reach in the picture')
        logs, values_m = [], []
        for index in beams:
            distance_m = float(hint.ranges_m[index])
            single = RangeHint(hint.stamp_ns, distance_m, hint.min_m, hint.max_m, _CONE_RAD)
            pose = place.beam(_angle(hint, index)).in_optical_frame(mounting)
            assert pose is not None
            report = compare_beam(single, pose, depth_m, intrinsics)
            if not report.silence:
                logs.append(report.log_factor)
                values_m.append(distance_m)
        if len(logs) < _LEAST_BEAMS:
            return RangeReport('too few of its beams land on what the picture shows plainly')
        low, centre, high = np.quantile(logs, (0.1, 0.5, 0.9)).tolist()
        disagree = high - low > _MOST_SPREAD_LOG
        return RangeReport(
            'its beams disagree about the picture' if disagree else '',
            centre,
            math.hypot(_COMMON_SIGMA, (high - low) / 2),
            value_m=float(np.median(values_m)),
        )


def _angle(hint: ScanHint, index: int) -> float:
    return hint.angle_min_rad + index * hint.angle_increment_rad


def _beams_in_view(
    hint: ScanHint,
    place: ScanPlace,
    intrinsics: CameraIntrinsics,
    mounting: CameraMounting | None,
) -> NDArray[np.int64]:
    """Return some of the beams that land in the picture, evenly spread."""
    angles = hint.angle_min_rad + np.arange(len(hint.ranges_m)) * hint.angle_increment_rad
    ahead = BeamPlace(place.origin_m, place.ahead, place.is_level).in_optical_frame(mounting)
    left = BeamPlace(place.origin_m, place.left, place.is_level).in_optical_frame(mounting)
    assert ahead is not None and left is not None
    hits = np.isfinite(hint.ranges_m) & (hint.ranges_m > hint.min_m) & (hint.ranges_m < hint.max_m)
    ranges_m = np.where(hits, hint.ranges_m, 1.0)
    directions = np.outer(np.cos(angles), ahead[1]) + np.outer(np.sin(angles), left[1])
    targets = ahead[0] + ranges_m[:, None] * directions
    deep = np.where(targets[:, 2] > 0.0, targets[:, 2], np.inf)
    column = targets[:, 0] / deep * intrinsics.fx_px + intrinsics.cx_px
    row = targets[:, 1] / deep * intrinsics.fy_px + intrinsics.cy_px
    inside = (
        hits
        & np.isfinite(deep)
        & (column >= 0.0)
        & (column < intrinsics.width_px)
        & (row >= 0.0)
        & (row < intrinsics.height_px)
    )
    found = np.flatnonzero(inside)
    if len(found) <= _MOST_BEAMS:
        return found
    spread: NDArray[np.int64] = found[
        np.linspace(0, len(found) - 1, _MOST_BEAMS).round().astype(int)
    ]
    return spread
