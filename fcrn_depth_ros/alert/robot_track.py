# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Where the robot was a moment ago: from its odometry, else from the velocity that it was given.

Poses are in a frame that stands still, whose origin means nothing. How far two of them may be
wrong against each other is the difference of their drifts.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from .speed_limit import Velocity, ZERO_VELOCITY
from ..odometry import OdometryReading

# Without a good reading for this long the commanded velocity takes over.
ODOMETRY_TIMEOUT_S = 0.3
# Two readings farther apart than this are not joined.
_MOST_GAP_S = 0.5
# Nothing that this is for moves or turns faster: such a step is a jump of the odometry.
MAX_SPEED_MPS, MAX_TURN_RADPS = 5.0, 8.0
_TREMBLE_M, _TREMBLE_RAD = 0.02, 0.05
# Growth of the drift: share of the way and of the turn, and of what the odometry leaves
# unexplained of the commanded velocity (slip, or a robot that does not follow).
_ODOMETRY_SHARE, _COMMAND_SHARE, _UNEXPLAINED_SHARE = 0.05, 0.3, 0.2
# A robot that is carried on by its command alone may also not be moving any more.
_STANDING_MPS = 0.02
_KEPT_S = 30.0


@dataclass(frozen=True)
class TrackPose:
    """
    One moment of the track.

    Attributes
    ----------
    time_s : float
        Steady time.
    x_m, y_m, heading_rad : float
        In the frame of the track.
    drift_m, drift_rad : float
        Grow along the track.
    is_measured : bool
        Whether odometry gave it.

    """

    time_s: float
    x_m: float
    y_m: float
    heading_rad: float
    drift_m: float = 0.0
    drift_rad: float = 0.0
    is_measured: bool = False


class RobotTrack:
    """
    Dead reckoning.

    Attributes
    ----------
    fault : str
        What is wrong with the latest reading of the odometry; empty where it is good, or where
        there is none.

    """

    def __init__(self) -> None:
        self._poses: deque[TrackPose] = deque()
        self._read: tuple[int, OdometryReading, TrackPose] | None = None
        self._velocity = ZERO_VELOCITY
        self._hears_commands = False
        self.fault = ''

    def move(self, now_s: float, velocity: Velocity) -> None:
        """
        Take what the base is told from now on.

        Parameters
        ----------
        now_s : float
            Steady time.
        velocity : Velocity
            Finite.

        """
        self.advance(now_s)
        self._velocity = velocity
        self._hears_commands = True

    def advance(self, now_s: float) -> None:
        """
        Let time pass.

        Parameters
        ----------
        now_s : float
            Steady time; one before the newest pose is ignored.

        """
        if not self._poses:
            self._poses.append(TrackPose(now_s, 0.0, 0.0, 0.0))
        last = self._poses[-1]
        if now_s - last.time_s > (ODOMETRY_TIMEOUT_S if last.is_measured else 0.0):
            self._append(self._carried_on(last, now_s))

    def hear(self, now_s: float, reading: OdometryReading, clock_ns: int) -> None:
        """
        Take a message of the odometry.

        Parameters
        ----------
        now_s : float
            Steady time.
        reading : OdometryReading
            As it came; what cannot be true is not used, and says so in `fault`.
        clock_ns : int
            The time now on the clock of the stamps.

        """
        self.advance(now_s)
        self.fault = reading.flaw()
        if self.fault or reading.stamp_ns is None:
            self._read = None
            return
        time_s = now_s - max(0.0, (clock_ns - reading.stamp_ns) / 1e9)
        if now_s - time_s > _MOST_GAP_S:
            self.fault, self._read = f'the reading is {now_s - time_s:.2g} s old', None
            return
        if self._read is None:
            self._read = reading.stamp_ns, reading, self.at(time_s)
            return
        before_ns, before, start = self._read
        passed_s = (reading.stamp_ns - before_ns) / 1e9
        if passed_s == 0.0:
            return
        step = _Step.between(before, reading)
        if not 0.0 < passed_s <= _MOST_GAP_S:
            self.fault = (
                'time went back' if passed_s < 0 else f'no reading for {passed_s:.2g} s before it'
            )
        elif step.length_m > MAX_SPEED_MPS * passed_s + _TREMBLE_M or (
            abs(step.turn_rad) > MAX_TURN_RADPS * passed_s + _TREMBLE_RAD
        ):
            self.fault = f'the pose jumped by {step.length_m:.2g} m in {passed_s:.2g} s'
        if self.fault:
            self._read = reading.stamp_ns, reading, self.at(time_s)
            return
        pose = self._stepped(start, step, start.time_s + passed_s)
        while self._poses and self._poses[-1].time_s >= pose.time_s:
            self._poses.pop()  # what the command had guessed beyond this reading
        self._append(pose)
        self._read = reading.stamp_ns, reading, pose

    def is_known(self, now_s: float) -> bool:
        """Return whether anything says how the robot moves: odometry, or its commands."""
        return self._hears_commands or self.is_measured(now_s)

    def is_measured(self, now_s: float) -> bool:
        """Return whether odometry places the robot now."""
        last = self._poses[-1] if self._poses else None
        return last is not None and last.is_measured and now_s - last.time_s <= ODOMETRY_TIMEOUT_S

    def at(self, time_s: float) -> TrackPose:
        """
        Return the pose at a time, carried on by the commanded velocity where it is newer.

        Parameters
        ----------
        time_s : float
            Steady time.

        Returns
        -------
        TrackPose
            The oldest one for a time before the track.

        """
        if not self._poses:
            return TrackPose(time_s, 0.0, 0.0, 0.0)
        after = self._poses[-1]
        if time_s >= after.time_s:
            return self._carried_on(after, time_s) if time_s > after.time_s else after
        for before in reversed(self._poses):
            if before.time_s <= time_s:
                return _between(before, after, time_s)
            after = before
        return after

    def trail(self, now_s: float, longest_s: float) -> NDArray[np.float64]:
        """
        Return where odometry saw the robot go of late, back to the first gap.

        Parameters
        ----------
        now_s : float
            Steady time.
        longest_s : float
            How far back.

        Returns
        -------
        ndarray of float64, shape (N, 3)
            x, y and heading in the frame of the track.

        """
        poses: list[tuple[float, float, float]] = []
        for pose in reversed(self._poses):
            if not pose.is_measured or now_s - pose.time_s > longest_s:
                break
            poses.append((pose.x_m, pose.y_m, pose.heading_rad))
        return np.array(poses, np.float64).reshape(-1, 3)

    def _append(self, pose: TrackPose) -> None:
        self._poses.append(pose)
        while pose.time_s - self._poses[0].time_s > _KEPT_S:
            self._poses.popleft()

    def _carried_on(self, pose: TrackPose, time_s: float) -> TrackPose:
        passed_s, command = time_s - pose.time_s, self._velocity
        step = _Step(
            command.linear_x * passed_s, command.linear_y * passed_s, command.angular_z * passed_s
        )
        return step.after(
            pose,
            time_s,
            _COMMAND_SHARE * step.length_m + _STANDING_MPS * passed_s * (command != ZERO_VELOCITY),
            _COMMAND_SHARE * abs(step.turn_rad),
            False,
        )

    def _stepped(self, pose: TrackPose, step: _Step, time_s: float) -> TrackPose:
        passed_s, command = time_s - pose.time_s, self._velocity
        asked_m = math.hypot(command.linear_x, command.linear_y) * passed_s
        asked_rad = abs(command.angular_z) * passed_s
        return step.after(
            pose,
            time_s,
            _ODOMETRY_SHARE * step.length_m + _UNEXPLAINED_SHARE * abs(asked_m - step.length_m),
            _ODOMETRY_SHARE * abs(step.turn_rad)
            + _UNEXPLAINED_SHARE * abs(asked_rad - abs(step.turn_rad)),
            True,
        )


@dataclass(frozen=True)
class _Step:
    """A small motion, ahead and to the left of the heading in its middle."""

    ahead_m: float
    left_m: float
    turn_rad: float

    @classmethod
    def between(cls, before: OdometryReading, after: OdometryReading) -> _Step:
        dx, dy = (after.position_m[axis] - before.position_m[axis] for axis in (0, 1))
        turn = math.remainder(after.heading_rad - before.heading_rad, 2 * math.pi)
        middle = before.heading_rad + turn / 2
        return cls(
            math.cos(middle) * dx + math.sin(middle) * dy,
            math.cos(middle) * dy - math.sin(middle) * dx,
            turn,
        )

    @property
    def length_m(self) -> float:
        return math.hypot(self.ahead_m, self.left_m)

    def after(
        self, pose: TrackPose, time_s: float, drift_m: float, drift_rad: float, is_measured: bool
    ) -> TrackPose:
        middle = pose.heading_rad + self.turn_rad / 2
        return TrackPose(
            time_s,
            pose.x_m + math.cos(middle) * self.ahead_m - math.sin(middle) * self.left_m,
            pose.y_m + math.sin(middle) * self.ahead_m + math.cos(middle) * self.left_m,
            pose.heading_rad + self.turn_rad,
            pose.drift_m + drift_m,
            pose.drift_rad + drift_rad,
            is_measured,
        )


def _between(before: TrackPose, after: TrackPose, time_s: float) -> TrackPose:
    span_s = after.time_s - before.time_s
    share = (time_s - before.time_s) / span_s if span_s > 0 else 0.0

    def mixed(first: float, second: float) -> float:
        return first + share * (second - first)

    return TrackPose(
        time_s,
        mixed(before.x_m, after.x_m),
        mixed(before.y_m, after.y_m),
        mixed(before.heading_rad, after.heading_rad),
        mixed(before.drift_m, after.drift_m),
        mixed(before.drift_rad, after.drift_rad),
        after.is_measured,
    )
