# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Whether the path of a command is free of what is seen and of what is remembered."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from .memory import MemoryConfig, ObstacleMemory, RangeScan, RememberedPoints
from .obstacle import ObstacleConfig
from .path import FootprintConfig, meetings_m, path_poses, path_speed_mps
from .robot_track import RobotTrack
from .speed_limit import greatest_safe_speed, stopping_distance, Velocity, ZERO_VELOCITY
from ..odometry import OdometryReading

# A path that ends sooner than this is blocked.
_BLOCKED_M = 0.05
# A pose that the robot had itself a moment ago is free, within these.
_TRAIL_M, _TRAIL_RAD = 0.06, 0.2
_OLDEST_SCAN_S = 1.0


@dataclass(frozen=True)
class PathConfig(FootprintConfig, MemoryConfig, ObstacleConfig):
    """What the path of a command is judged by."""


@dataclass(frozen=True)
class PathVerdict:
    """
    How far a command gets.

    Attributes
    ----------
    factor : float
        What the command must be multiplied with: 1 = free, 0 = blocked.
    free_m : float
        How far its path is free; +Inf where nothing is met.
    reason : str
        What limits it; empty where nothing does.

    """

    factor: float = 1.0
    free_m: float = math.inf
    reason: str = ''

    @property
    def is_blocked(self) -> bool:
        """Return whether nothing is left of the command."""
        return self.factor <= 0.0


FREE = PathVerdict()


class PathRule:
    """
    Remember what was seen, follow the robot, and judge commands.

    Without a body nothing is remembered, and every path is free: what is straight ahead is judged
    by the distance alone.

    Parameters
    ----------
    config : PathConfig
        Body, memory, and how the robot brakes.

    """

    def __init__(self, config: PathConfig) -> None:
        self.track = RobotTrack()
        self._memory = ObstacleMemory(config, config.trigger_count, config.release_count)
        self._scan_ns = 0
        self.scan_fault = ''
        self.reconfigure(config)

    def reconfigure(self, config: PathConfig) -> None:
        """Take new settings; what was seen stays known."""
        self._config = config
        self._body = config.body()
        self._memory.reconfigure(config, config.trigger_count, config.release_count)
        self._forget_judged()

    @property
    def is_on(self) -> bool:
        """Return whether paths are judged."""
        return self._body is not None

    def hear_odometry(self, now_s: float, reading: OdometryReading, clock_ns: int) -> None:
        """Take a message of the odometry; see :meth:`RobotTrack.hear`."""
        self._forget_judged()
        self.track.hear(now_s, reading, clock_ns)

    def hear_scan(self, now_s: float, scan: RangeScan, clock_ns: int) -> None:
        """
        Take a scan.

        Parameters
        ----------
        now_s : float
            Steady time.
        scan : RangeScan
            As it came; one with a flaw, or older than the one before, is not used.
        clock_ns : int
            The time now on the clock of the stamps.

        """
        self._forget_judged()
        self.scan_fault = scan.flaw()
        if self.scan_fault or scan.stamp_ns is None or self._body is None:
            return
        age_s = (clock_ns - scan.stamp_ns) / 1e9
        if not 0.0 <= age_s + 0.1 <= _OLDEST_SCAN_S + 0.1:
            self.scan_fault = f'the scan is {age_s:.3g} s old'
            return
        if scan.stamp_ns <= self._scan_ns:
            self.scan_fault = 'stamp went back, or stands still'
            self._scan_ns = min(self._scan_ns, scan.stamp_ns)
            return
        self._scan_ns = scan.stamp_ns
        self.track.advance(now_s)
        self._memory.see(scan, self.track.at(now_s - max(0.0, age_s)))

    def moved_on(self, now_s: float, velocity: Velocity) -> None:
        """Take what the base is told from now on."""
        self._forget_judged()
        self.track.move(now_s, velocity)

    def points(self, now_s: float) -> RememberedPoints:
        """Return what is seen and remembered around the robot, at a steady time."""
        self.track.advance(now_s)
        return self._memory.around(self.track.at(now_s), self.track.is_known(now_s))

    def judge(self, now_s: float, command: Velocity) -> PathVerdict:
        """
        Judge a command.

        Parameters
        ----------
        now_s : float
            Steady time.
        command : Velocity
            Finite.

        Returns
        -------
        PathVerdict
            Free where the body is unknown.

        """
        if self._body is None or command == ZERO_VELOCITY:
            return FREE
        key = now_s, command
        if key not in self._judged:
            self._judged[key] = self._judge(now_s, command)
        return self._judged[key]

    def follows_trail(self, now_s: float, command: Velocity) -> bool:
        """
        Return whether a command leads back over where the robot came from, or nowhere.

        Parameters
        ----------
        now_s : float
            Steady time.
        command : Velocity
            Finite.

        Returns
        -------
        bool
            True where every place that the body takes until it could stand again is one that it
            had a moment ago, by its odometry, or has now: a round robot that turns on the spot.
            False where the body is unknown.

        """
        body, config = self._body, self._config
        if body is None or command.linear_z or command.angular_x or command.angular_y:
            return False
        speed_mps = path_speed_mps(command, body)
        if speed_mps <= 0.0:
            return True  # a round body turns within itself
        if not self.track.is_measured(now_s):
            return False
        trail = self.track.trail(now_s, max(config.memory_s, _OLDEST_SCAN_S))
        here = self.track.at(now_s)
        poses, _ = path_poses(command, body, stopping_distance(speed_mps, _TRAIL_M, config))
        cosine, sine = math.cos(here.heading_rad), math.sin(here.heading_rad)
        x_m = here.x_m + cosine * poses[:, 0] - sine * poses[:, 1]
        y_m = here.y_m + sine * poses[:, 0] + cosine * poses[:, 1]
        turned = here.heading_rad + poses[:, 2]
        fits = np.hypot(x_m[:, None] - trail[:, 0], y_m[:, None] - trail[:, 1]) <= _TRAIL_M
        if body.corners_m:
            off_rad = np.abs(np.mod(turned[:, None] - trail[:, 2] + np.pi, 2 * np.pi) - np.pi)
            fits &= off_rad <= _TRAIL_RAD
        return bool(fits.any(axis=1).all()) if len(trail) else False

    def _judge(self, now_s: float, command: Velocity) -> PathVerdict:
        body, config = self._body, self._config
        assert body is not None
        speed_mps = path_speed_mps(command, body)
        points = self.points(now_s)
        needed_m = stopping_distance(speed_mps, 2 * _BLOCKED_M, config)

        length_m = needed_m + float(points.doubt_m.max(initial=0.0))

        def meetings(clearance_m: float, length_m: float) -> NDArray[np.float64]:
            clearances_m = clearance_m + points.swing_m
            return meetings_m(command, body, points.xy_m, clearances_m, length_m, points.doubt_m)

        met_m = meetings(config.path_clearance_m, length_m)
        if met_m.min(initial=math.inf) >= needed_m:
            return FREE
        # What the body would not touch with a little less room is beside the path, not in it; only
        # ahead, where the camera sees what is there in truth.
        is_ahead = command.linear_x > 0.0
        least_m = config.path_least_clearance_m if is_ahead else config.path_clearance_m
        beyond_m = body.size_m + config.path_clearance_m
        is_in_it = meetings(least_m, length_m + beyond_m) < math.inf
        free_m = float(met_m[is_in_it].min(initial=math.inf))
        free = f'{free_m:.2f} m of the path are free'
        if free_m < _BLOCKED_M:
            return PathVerdict(0.0, free_m, f'{free}: something seen or remembered is in it')
        beside_m = float(met_m[~is_in_it].min(initial=math.inf))
        fits_mps = min(speed_mps, greatest_safe_speed(free_m, 0.0, config))
        passes_mps = max(config.path_slow_speed_mps, greatest_safe_speed(beside_m, 0.0, config))
        if passes_mps < fits_mps:
            free = f'something is less than {config.path_clearance_m:g} m beside the path'
        return PathVerdict(min(fits_mps, passes_mps) / speed_mps, free_m, free)

    def _forget_judged(self) -> None:
        self._judged: dict[tuple[float, Velocity], PathVerdict] = {}
