# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How fast the robot may go: stopping distance, and the gate for velocity commands."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
import math

from ..settings import setting, Settings

# No robot drives or turns faster (m/s, rad/s): such a command is a fault of its sender.
MAX_PLAUSIBLE_SPEED = 1000.0


@dataclass(frozen=True)
class SpeedConfig(Settings):
    """How the robot brakes, and what it may do while stopped."""

    reaction_time_s: float = setting(
        0.4,
        'Time from light on the sensor until the brakes act, in seconds. It covers camera, '
        'inference and control.',
        minimum=0.0,
        maximum=10.0,
    )
    deceleration_mps2: float = setting(
        0.5,
        'Deceleration that the robot is guaranteed to achieve, in m/s^2.',
        minimum=0.01,
        maximum=20.0,
    )
    margin_m: float = setting(
        0.25,
        'Distance that remains after braking, in metres. It covers the error of the depth and '
        'the part of the robot in front of the camera.',
        minimum=0.0,
        maximum=10.0,
    )
    unverified_margin_m: float = setting(
        0.5,
        'Distance added to margin_m and to each of the four distances while the metric scale of '
        'a reading is unverified (mounting or focal length unknown), in metres.',
        minimum=0.0,
        maximum=10.0,
    )
    unverified_creep_margin_m: float = setting(
        0.2,
        'Takes the place of unverified_margin_m, where it is less, while commands go through the '
        'gate, which then lets none pass that is faster than unverified_speed_mps, in metres. A '
        'robot that creeps can stop within centimetres, and must be able to begin.',
        minimum=0.0,
        maximum=10.0,
    )
    unverified_speed_mps: float = setting(
        0.1,
        'Greatest forward speed while the metric scale of the readings is unverified, in m/s: a '
        'creep, with which a robot that has odometry finds its scale.',
        minimum=0.0,
        maximum=10.0,
    )
    allow_rotation: bool = setting(
        False, 'Let commands that only rotate pass while an obstacle stops the robot.'
    )
    allow_backward: bool = setting(
        False,
        'Let commands that drive backward pass while an obstacle stops the robot. The camera '
        'does not see what is behind.',
    )


@dataclass(frozen=True)
class Velocity:
    """A velocity command in the robot's frame: x forward, y left, z up; m/s and rad/s."""

    linear_x: float = 0.0
    linear_y: float = 0.0
    linear_z: float = 0.0
    angular_x: float = 0.0
    angular_y: float = 0.0
    angular_z: float = 0.0

    def flaw(self) -> str:
        """
        Return which component is no velocity of a robot.

        Returns
        -------
        str
            Empty when every component is a number within `MAX_PLAUSIBLE_SPEED`.

        """
        for name, component in dataclasses.asdict(self).items():
            if not abs(component) <= MAX_PLAUSIBLE_SPEED:  # catches NaN as well
                return (
                    f'{name} must be a number in [-{MAX_PLAUSIBLE_SPEED:g}, '
                    f'{MAX_PLAUSIBLE_SPEED:g}] (m/s or rad/s), got {component:g}'
                )
        return ''

    def scaled(self, factor: float) -> Velocity:
        """Return the command with every component multiplied: the same path, slower."""
        return Velocity(*(factor * component for component in dataclasses.astuple(self)))


ZERO_VELOCITY = Velocity()


def stopping_distance(speed_mps: float, margin_m: float, config: SpeedConfig) -> float:
    """
    Return the distance that a robot needs in front of it.

    Parameters
    ----------
    speed_mps : float
        Forward speed, not negative.
    margin_m : float
        Distance to be left after braking.
    config : SpeedConfig
        Reaction time and deceleration.

    Returns
    -------
    float
        Metres: reaction, braking, margin.

    """
    braking_m = speed_mps * speed_mps / (2 * config.deceleration_mps2)
    return config.reaction_time_s * speed_mps + braking_m + margin_m


def greatest_safe_speed(distance_m: float, margin_m: float, config: SpeedConfig) -> float:
    """
    Return the speed from which the robot can still stop: the inverse of `stopping_distance`.

    Parameters
    ----------
    distance_m, margin_m : float
        Distance ahead, and what of it is to be left.
    config : SpeedConfig
        Reaction time and deceleration.

    Returns
    -------
    float
        m/s; 0 within the margin, NaN for a NaN distance.

    """
    free_m = distance_m - margin_m
    if free_m <= 0:
        return 0.0
    reaction_s, deceleration = config.reaction_time_s, config.deceleration_mps2
    speed_mps = deceleration * (math.sqrt(reaction_s**2 + 2 * free_m / deceleration) - reaction_s)
    return max(0.0, speed_mps)  # rounding may give less than 0 for a distance next to none


def gate_stopped(command: Velocity, is_free_to_leave: bool, config: SpeedConfig) -> Velocity:
    """
    Return what passes while stopped: nothing, unless the robot may free itself.

    Parameters
    ----------
    command : Velocity
        The command that came in; finite.
    is_free_to_leave : bool
        True where an obstacle that is seen well is the only cause of the stop.
    config : SpeedConfig
        `allow_rotation` and `allow_backward`.

    Returns
    -------
    Velocity
        The command, or zero.

    """
    sideways = command.linear_y != 0 or command.linear_z != 0
    if not is_free_to_leave or sideways or command.linear_x > 0:
        return ZERO_VELOCITY
    allowed = config.allow_backward if command.linear_x < 0 else config.allow_rotation
    return command if allowed else ZERO_VELOCITY


def gate_moving(command: Velocity, limit_mps: float) -> Velocity:
    """
    Scale a command down until its forward speed keeps the limit.

    Parameters
    ----------
    command : Velocity
        The command that came in; finite.
    limit_mps : float
        Greatest forward speed, not negative.

    Returns
    -------
    Velocity
        Scaled as a whole: the path stays the same.

    """
    if command.linear_x <= limit_mps:
        return command
    return command.scaled(limit_mps / command.linear_x)
