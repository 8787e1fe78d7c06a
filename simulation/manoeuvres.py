# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What the driver asks for: straight ahead, an arc, turning away from a wall, reversing."""

from __future__ import annotations

import math
from typing import Protocol

from .drive_sample import DriveSample, STANDING_MPS

SPEED_MPS = 0.5
_ARC_MPS, _TURN_RADPS, _REVERSE_MPS = 0.4, 0.9, 0.3
# A driver who was stopped looks around for this long.
_PAUSE_S = 0.4
_GIVE_UP_S = 6.0
# Where the driver who is going to reverse turns round: before the alert stops the robot.
_TURN_ROUND_AT_M = 0.95


class Manoeuvre(Protocol):
    """A driver with a plan."""

    @property
    def is_done(self) -> bool:
        """Whether the plan is at its end."""

    @property
    def is_stuck(self) -> bool:
        """Whether something that should be free was not."""

    def command(self, now: DriveSample | None) -> tuple[float, float]:
        """Return forward speed and turn rate that are asked for now."""


class Straight:
    """Ahead, all the time."""

    is_done = is_stuck = False

    def command(self, now: DriveSample | None) -> tuple[float, float]:
        """Return forward speed and turn rate that are asked for now."""
        return SPEED_MPS, 0.0


class Arc:
    """
    A curve.

    Parameters
    ----------
    radius_m : float
        Positive to the left.

    """

    is_done = is_stuck = False

    def __init__(self, radius_m: float) -> None:
        self._command = _ARC_MPS, _ARC_MPS / radius_m

    def command(self, now: DriveSample | None) -> tuple[float, float]:
        """Return forward speed and turn rate that are asked for now."""
        return self._command


class TurnAway:
    """
    Ahead until something stops the robot, then turn on the spot, then ahead for a moment.

    Parameters
    ----------
    side : float
        1 turns left, -1 right.
    onward_m : float
        How far it goes on after that.

    """

    def __init__(self, side: float, onward_m: float = 0.6) -> None:
        self._side, self._onward_m = side, onward_m
        self._phase_s: list[float] = []  # when the robot stood, began to turn, and had turned
        self._began_rad = self._began_x_m = self._began_y_m = 0.0
        self._has_moved = False
        self.is_done = self.is_stuck = False

    def command(self, now: DriveSample | None) -> tuple[float, float]:
        """Return forward speed and turn rate that are asked for now."""
        if now is None:
            return SPEED_MPS, 0.0
        self._has_moved |= now.speed_mps > 0.1
        phase = len(self._phase_s)
        if phase == 0 and self._has_moved and now.stop and now.speed_mps < STANDING_MPS:
            self._next(now)
        elif phase == 1 and now.time_s > self._phase_s[0] + _PAUSE_S:
            self._next(now)
        elif phase == 2:
            if abs(now.heading_rad - self._began_rad) > math.radians(100.0):
                self._next(now)
            elif now.time_s > self._phase_s[1] + _GIVE_UP_S:
                self.is_done = self.is_stuck = True
        elif phase == 3:
            went_m = math.hypot(now.x_m - self._began_x_m, now.y_m - self._began_y_m)
            waited_s = now.time_s - self._phase_s[2]
            self.is_done = went_m > self._onward_m or waited_s > _GIVE_UP_S
        return (
            (SPEED_MPS, 0.0), (0.0, 0.0), (0.0, self._side * _TURN_RADPS), (SPEED_MPS, 0.0),
        )[len(self._phase_s)]  # fmt: skip

    def _next(self, now: DriveSample) -> None:
        self._phase_s.append(now.time_s)
        self._began_rad = now.heading_rad
        self._began_x_m, self._began_y_m = now.x_m, now.y_m


class TurnRoundAndReverse:
    """
    Ahead until something is near, then half a turn on the spot, then backward, into it.

    Parameters
    ----------
    side : float
        1 turns left, -1 right.

    """

    is_stuck = False

    def __init__(self, side: float) -> None:
        self._side = side
        self._turn_from_rad: float | None = None
        self._reverse_from_s: float | None = None
        self.is_done = False

    def command(self, now: DriveSample | None) -> tuple[float, float]:
        """Return forward speed and turn rate that are asked for now."""
        if now is None or (self._turn_from_rad is None and now.free_path_m > _TURN_ROUND_AT_M):
            return SPEED_MPS, 0.0
        if self._turn_from_rad is None:
            self._turn_from_rad = now.heading_rad
        if self._reverse_from_s is None:
            if abs(now.heading_rad - self._turn_from_rad) < math.pi - 0.15:
                return 0.0, self._side * _TURN_RADPS
            self._reverse_from_s = now.time_s
        # A robot that moves again, because what stopped it was forgotten, is not at its end.
        is_late = now.time_s > self._reverse_from_s + _GIVE_UP_S
        self.is_done = is_late and now.stop and abs(now.speed_mps) < STANDING_MPS
        return -_REVERSE_MPS, 0.0
