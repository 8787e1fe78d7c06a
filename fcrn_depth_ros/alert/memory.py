# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Obstacles that were seen a moment ago, kept while the robot moves on.

A scan puts its points into cells of a frame that stands still. A cell is forgotten when it is
old, when it is far, when scan after scan sees past it, or when the track has drifted so much that
nobody knows where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from .robot_track import TrackPose
from ..settings import setting, Settings

CELL_M = 0.1
_MOST_CELLS = 4000
_LEAST_STEP_RAD = 5e-4
# A scan sees past a cell where everything within this angle of it is farther than it, by a share
# and a length that are larger than the error of the depth.
_PAST_RAD, _PAST_SHARE, _PAST_M = math.radians(6.0), 0.25, 0.15
# By so much a robot may have come nearer and still be where it was.
_SAME_PLACE_M = 0.02
# A sighting confirms the one before where no more time than this lies between them.
_CONFIRMS_S = 1.0
# Of what may be elsewhere by more than this, nobody knows where it is: it is forgotten.
_MOST_DOUBT_M, _MOST_SWING_M = 0.6, 0.3
# What was seen within this time is seen now.
PRESENT_S = 0.5
_COLUMNS = ('x_m', 'y_m', 'seen_s', 'seen_m', 'sightings', 'misses', 'drift_m', 'drift_rad')


@dataclass(frozen=True)
class MemoryConfig(Settings):
    """What alert_node remembers of depth/scan, and where the camera is on the robot."""

    memory_s: float = setting(
        10.0,
        'Time for which a thing that left the picture is remembered, in seconds. 0 judges paths '
        'by what is seen now.',
        minimum=0.0,
        maximum=30.0,
    )
    memory_distance_m: float = setting(
        3.0,
        'Distance from the robot beyond which nothing is remembered, in metres.',
        minimum=0.1,
        maximum=20.0,
    )
    memory_blind_m: float = setting(
        0.5,
        'Distance from the camera within which a low thing may be below the picture, in metres. '
        'A scan that sees nothing there is no evidence that a remembered thing is gone, unless '
        'the thing was seen from as near.',
        minimum=0.0,
        maximum=10.0,
    )
    camera_x_m: float = setting(
        0.0,
        "Distance from the robot's centre of rotation ahead to the camera, in metres. Used to "
        'place depth/scan on the robot.',
        minimum=-5.0,
        maximum=5.0,
    )
    camera_y_m: float = setting(
        0.0,
        "Distance from the robot's centre of rotation to the left to the camera, in metres.",
        minimum=-5.0,
        maximum=5.0,
    )
    camera_yaw_deg: float = setting(
        0.0,
        'Angle of the camera to the left of the forward axis of the robot, in degrees.',
        minimum=-180.0,
        maximum=180.0,
    )


@dataclass(frozen=True)
class RangeScan:
    """
    A planar scan as it came.

    Attributes
    ----------
    stamp_ns : int or None
        When the picture was taken, on the clock of the stamps; None where it is malformed.
    angle_min_rad, angle_increment_rad : float
        First bearing and step, counter-clockwise positive.
    range_min_m, range_max_m : float
        Ranges outside are no measurements, but for +Inf.
    ranges_m : ndarray of float, shape (N,)
        +Inf = seen, and free up to `range_max_m`; NaN = unknown.

    """

    stamp_ns: int | None
    angle_min_rad: float
    angle_increment_rad: float
    range_min_m: float
    range_max_m: float
    ranges_m: NDArray[np.floating]

    def flaw(self) -> str:
        """
        Return what is wrong with the values.

        Returns
        -------
        str
            Empty when they can be used.

        """
        if self.stamp_ns is None or self.stamp_ns <= 0:
            return f'stamp must be a time after 0, got {self.stamp_ns} ns'
        if not (0 <= self.range_min_m < self.range_max_m < math.inf):
            return f'range limits [{self.range_min_m:g}, {self.range_max_m:g}] m are malformed'
        span_rad = self.angle_increment_rad * len(self.ranges_m)
        if not (self.angle_increment_rad >= _LEAST_STEP_RAD and span_rad <= 2 * math.pi + 0.1):
            return (
                f'angle_increment must be at least {_LEAST_STEP_RAD:g} rad and the scan at most '
                f'one turn, got {self.angle_increment_rad:g} and {span_rad:g} rad'
            )
        if not abs(self.angle_min_rad) <= 2 * math.pi:
            return f'angle_min must be within one turn, got {self.angle_min_rad:g} rad'
        return ''


@dataclass(frozen=True)
class RememberedPoints:
    """
    Obstacles around the robot.

    Attributes
    ----------
    xy_m : ndarray of float64, shape (N, 2)
        x ahead and y to the left of the robot's centre of rotation.
    doubt_m : ndarray of float64, shape (N,)
        By how much sooner each may be reached: how far the robot has gone since is known to
        within this.
    swing_m : ndarray of float64, shape (N,)
        By how much each may be beside its place: how far the robot has turned since is known to
        within that angle.
    age_s : ndarray of float64, shape (N,)
        Since each was last seen.

    """

    xy_m: NDArray[np.float64]
    doubt_m: NDArray[np.float64]
    swing_m: NDArray[np.float64]
    age_s: NDArray[np.float64]


class ObstacleMemory:
    """
    A rolling grid of what was seen.

    Parameters
    ----------
    config : MemoryConfig
        How long, how far, and where the camera is.
    trigger_count, release_count : int
        Scans that must see a cell before it counts, and scans in a row that must see past it
        before it is forgotten.

    """

    def __init__(self, config: MemoryConfig, trigger_count: int, release_count: int) -> None:
        self.reconfigure(config, trigger_count, release_count)
        self._keys = np.zeros(0, np.int64)
        self._cells: dict[str, NDArray[np.float64]] = {name: np.zeros(0) for name in _COLUMNS}

    def reconfigure(self, config: MemoryConfig, trigger_count: int, release_count: int) -> None:
        """Take new settings; what was seen stays known."""
        self._config = config
        self._trigger_count, self._release_count = trigger_count, release_count

    def see(self, scan: RangeScan, pose: TrackPose) -> None:
        """
        Take a scan.

        Parameters
        ----------
        scan : RangeScan
            Without a flaw.
        pose : TrackPose
            Of the robot when the picture was taken.

        """
        config = self._config
        ranges_m = np.asarray(scan.ranges_m, np.float64)
        bearings = scan.angle_min_rad + scan.angle_increment_rad * np.arange(len(ranges_m))
        yaw = math.radians(config.camera_yaw_deg)
        sees = (ranges_m >= scan.range_min_m) & (ranges_m <= scan.range_max_m)
        x_m = config.camera_x_m + ranges_m[sees] * np.cos(bearings[sees] + yaw)
        y_m = config.camera_y_m + ranges_m[sees] * np.sin(bearings[sees] + yaw)
        near = np.hypot(x_m, y_m) <= config.memory_distance_m
        x_m, y_m, seen_m = x_m[near], y_m[near], ranges_m[sees][near]
        cosine, sine = math.cos(pose.heading_rad), math.sin(pose.heading_rad)
        fixed_x_m = pose.x_m + cosine * x_m - sine * y_m
        fixed_y_m = pose.y_m + sine * x_m + cosine * y_m
        self._doubt_cells_seen_past(scan, ranges_m, pose)
        self._put(fixed_x_m, fixed_y_m, np.hypot(x_m, y_m), seen_m, pose)

    def around(self, pose: TrackPose, is_moving_known: bool = True) -> RememberedPoints:
        """
        Return what is remembered, and forget what is too old or too far.

        Parameters
        ----------
        pose : TrackPose
            Of the robot now.
        is_moving_known : bool
            False where nothing says how the robot moves: only what is seen now counts.

        Returns
        -------
        RememberedPoints
            What was seen often enough to count.

        """
        config, cells = self._config, self._cells
        longest_s = max(config.memory_s, PRESENT_S) if is_moving_known else PRESENT_S
        dx, dy = cells['x_m'] - pose.x_m, cells['y_m'] - pose.y_m
        distance_m = np.hypot(dx, dy)
        doubt_m = np.maximum(0.0, pose.drift_m - cells['drift_m'])
        # The track's own turn moves a thing the more the farther it is.
        swing_m = np.maximum(0.0, pose.drift_rad - cells['drift_rad']) * distance_m
        kept = (pose.time_s - cells['seen_s'] <= longest_s) & (
            distance_m <= config.memory_distance_m + CELL_M
        )
        kept &= (doubt_m <= _MOST_DOUBT_M) & (swing_m <= _MOST_SWING_M)
        doubt_m, swing_m = doubt_m[kept], swing_m[kept]
        self._keep(kept)
        cells = self._cells
        counts = cells['sightings'] >= self._trigger_count
        dx, dy = cells['x_m'][counts] - pose.x_m, cells['y_m'][counts] - pose.y_m
        cosine, sine = math.cos(pose.heading_rad), math.sin(pose.heading_rad)
        xy_m = np.column_stack([cosine * dx + sine * dy, cosine * dy - sine * dx])
        age_s = pose.time_s - cells['seen_s'][counts]
        return RememberedPoints(xy_m, doubt_m[counts], swing_m[counts], age_s)

    def _put(
        self,
        x_m: NDArray[np.float64],
        y_m: NDArray[np.float64],
        distance_m: NDArray[np.float64],
        seen_m: NDArray[np.float64],
        pose: TrackPose,
    ) -> None:
        order = np.argsort(distance_m, kind='stable')  # the nearest point stands for its cell
        keys = _cell_keys(x_m, y_m)[order]
        keys, first = np.unique(keys, return_index=True)
        chosen = order[first]
        place = np.searchsorted(self._keys, keys)
        known = np.zeros(len(keys), bool)
        inside = place < len(self._keys)
        known[inside] = self._keys[place[inside]] == keys[inside]
        cells, old = self._cells, place[known]
        confirms = pose.time_s - cells['seen_s'][old] <= _CONFIRMS_S
        is_news = pose.time_s > cells['seen_s'][old]
        counted = np.where(confirms, cells['sightings'][old] + is_news, 1.0)
        # What was confirmed once stays so until it is forgotten.
        counted = np.maximum(
            counted,
            np.where(cells['sightings'][old] >= self._trigger_count, self._trigger_count, 1),
        )
        values = {
            'x_m': x_m[chosen],
            'y_m': y_m[chosen],
            'seen_s': np.full(len(keys), pose.time_s),
            'seen_m': seen_m[chosen],
            'sightings': np.ones(len(keys)),
            'misses': np.zeros(len(keys)),
            'drift_m': np.full(len(keys), pose.drift_m),
            'drift_rad': np.full(len(keys), pose.drift_rad),
        }
        values['sightings'][known] = counted
        for name in _COLUMNS:
            cells[name][old] = values[name][known]
        keys = np.concatenate([self._keys, keys[~known]])
        order = np.argsort(keys, kind='stable')
        self._keys = keys[order]
        self._cells = {
            name: np.concatenate([cells[name], values[name][~known]])[order] for name in _COLUMNS
        }
        if len(self._keys) > _MOST_CELLS:  # the newest stay
            newest = np.argsort(-self._cells['seen_s'], kind='stable')[:_MOST_CELLS]
            kept = np.zeros(len(self._keys), bool)
            kept[newest] = True
            self._keep(kept)

    def _doubt_cells_seen_past(
        self, scan: RangeScan, ranges_m: NDArray[np.float64], pose: TrackPose
    ) -> None:
        """Count the scans that see past a cell, and forget it after enough of them in a row."""
        if not len(self._keys) or not len(ranges_m):
            return
        config, cells = self._config, self._cells
        cosine, sine = math.cos(pose.heading_rad), math.sin(pose.heading_rad)
        dx, dy = cells['x_m'] - pose.x_m, cells['y_m'] - pose.y_m
        x_m = cosine * dx + sine * dy - config.camera_x_m
        y_m = cosine * dy - sine * dx - config.camera_y_m
        bearing = np.arctan2(y_m, x_m) - math.radians(config.camera_yaw_deg)
        bearing = np.mod(bearing - scan.angle_min_rad, 2 * math.pi)
        index = np.round(bearing / scan.angle_increment_rad).astype(np.int64)
        reach = max(1, round(_PAST_RAD / scan.angle_increment_rad))
        # NaN, and what is outside the picture, is no evidence: it makes the least of all NaN.
        padded = np.full(len(ranges_m) + 2 * reach, np.nan)
        usable = np.where(ranges_m >= scan.range_min_m, ranges_m, np.nan)
        padded[reach : reach + len(ranges_m)] = np.minimum(usable, scan.range_max_m)
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
        least_m = windows.min(axis=1)
        inside = index < len(ranges_m)
        distance_m = np.hypot(x_m, y_m)
        seen_m = np.where(inside, least_m[np.minimum(index, len(ranges_m) - 1)], np.nan)
        past = seen_m > distance_m * (1 + _PAST_SHARE) + _PAST_M
        # What was in view from as near, or nearer, is so from here.
        past &= (distance_m > config.memory_blind_m) | (
            distance_m >= cells['seen_m'] - _SAME_PLACE_M
        )
        cells['misses'] = np.where(past, cells['misses'] + 1, cells['misses'])
        self._keep(cells['misses'] < self._release_count)

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        if not kept.all():
            self._keys = self._keys[kept]
            self._cells = {name: column[kept] for name, column in self._cells.items()}


def _cell_keys(x_m: NDArray[np.float64], y_m: NDArray[np.float64]) -> NDArray[np.int64]:
    columns = np.floor(x_m / CELL_M).astype(np.int64)
    rows = np.floor(y_m / CELL_M).astype(np.int64)
    keys: NDArray[np.int64] = columns * 2**24 + rows
    return keys
