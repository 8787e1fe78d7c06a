# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How fast the robot may go, and what passes the gate."""

import math

from fcrn_depth_ros.alert.speed_limit import (
    gate_moving,
    gate_stopped,
    greatest_safe_speed,
    SpeedConfig,
    stopping_distance,
    Velocity,
    ZERO_VELOCITY,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
import pytest

CONFIG = SpeedConfig(reaction_time_s=0.5, deceleration_mps2=0.5)


@pytest.mark.parametrize(
    ('speed_mps', 'distance_m'), [(0.0, 0.25), (0.5, 0.25 + 0.25 + 0.25), (1.0, 0.5 + 1.0 + 0.25)]
)
def test_stopping_distance_is_reaction_braking_and_margin(speed_mps, distance_m):
    assert stopping_distance(speed_mps, 0.25, CONFIG) == pytest.approx(distance_m)


@pytest.mark.parametrize(
    ('distance_m', 'speed_mps'), [(0.0, 0.0), (0.25, 0.0), (0.75, 0.5), (1.75, 1.0)]
)
def test_the_safe_speed_is_the_inverse(distance_m, speed_mps):
    assert greatest_safe_speed(distance_m, 0.25, CONFIG) == pytest.approx(speed_mps)


@settings(deadline=None)
@given(st.floats(0, 50), st.floats(0, 2), st.floats(0, 3), st.floats(0.05, 5))
@example(5e-324, 0.0, 5e-324, 4.0)
def test_from_the_safe_speed_the_robot_always_stops_in_time(
    distance_m, margin_m, reaction_s, deceleration
):
    config = SpeedConfig(reaction_time_s=reaction_s, deceleration_mps2=deceleration)
    speed_mps = greatest_safe_speed(distance_m, margin_m, config)
    assert speed_mps >= 0
    if speed_mps > 0:
        needed_m = stopping_distance(speed_mps, margin_m, config)
        assert needed_m == pytest.approx(distance_m, abs=1e-6)


@pytest.mark.parametrize(('forward', 'passed'), [(0.4, 1.0), (0.5, 1.0), (1.0, 0.5), (-2.0, 1.0)])
def test_a_fast_command_is_slowed_as_a_whole(forward, passed):
    command = Velocity(forward, 0.2, 0.3, 0.4, 0.5, 0.6)
    gated = gate_moving(command, 0.5)
    assert gated == Velocity(*(passed * value for value in (forward, 0.2, 0.3, 0.4, 0.5, 0.6)))


def test_no_limit_passes_everything():
    assert gate_moving(Velocity(9.0), math.inf) == Velocity(9.0)


def test_a_limit_of_zero_lets_the_robot_turn():
    """A limit of zero without a stop: near, but not yet for `trigger_count` readings."""
    assert gate_moving(Velocity(angular_z=1.0), 0.0) == Velocity(angular_z=1.0)
    assert gate_moving(Velocity(0.5, angular_z=1.0), 0.0) == ZERO_VELOCITY


FORWARD, BACK, TURN = Velocity(0.1), Velocity(-0.1), Velocity(angular_z=0.5)
ARC_FORWARD, ARC_BACK = Velocity(0.1, angular_z=0.5), Velocity(-0.1, angular_z=0.5)
LEFT, UP, BACK_LEFT = Velocity(linear_y=0.1), Velocity(linear_z=0.1), Velocity(-0.1, 0.1)
ALL = [FORWARD, BACK, TURN, ARC_FORWARD, ARC_BACK, LEFT, UP, BACK_LEFT]


@pytest.mark.parametrize(
    ('rotation', 'backward', 'allowed'),
    [
        (False, False, []),
        (True, False, [TURN]),
        (False, True, [BACK, ARC_BACK]),
        (True, True, [BACK, TURN, ARC_BACK]),
    ],
)
def test_while_stopped_only_what_is_allowed_passes(rotation, backward, allowed):
    config = SpeedConfig(allow_rotation=rotation, allow_backward=backward)
    for command in ALL:
        expected = command if command in allowed else ZERO_VELOCITY
        assert gate_stopped(command, True, config) == expected


@pytest.mark.parametrize('command', ALL)
def test_a_robot_that_sees_badly_may_not_free_itself(command):
    config = SpeedConfig(allow_rotation=True, allow_backward=True)
    assert gate_stopped(command, False, config) == ZERO_VELOCITY


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (math.nan, 'nan'),
        (math.inf, 'inf'),
        (-math.inf, '-inf'),
        (1000.0, None),
        (1000.1, '1000.1'),
        (-1000.0, None),
        (-1000.1, '-1000.1'),
        (1e155, '1e+155'),
        (1.7e308, '1.7e+308'),
        (-1e200, '-1e+200'),
    ],
)
@pytest.mark.parametrize('axis', range(6))
def test_a_velocity_that_cannot_be_meant_has_a_flaw(axis, value, text):
    components = [1.0] * 6
    assert Velocity(*components).flaw() == ''
    components[axis] = value
    names = ('linear_x', 'linear_y', 'linear_z', 'angular_x', 'angular_y', 'angular_z')
    expected = (
        f'{names[axis]} must be a number in [-1000, 1000] (m/s or rad/s), got {text}'
        if text
        else ''
    )
    assert Velocity(*components).flaw() == expected


@pytest.mark.parametrize('speed_mps', [1e154, 1e155, 1.7e308])
def test_no_speed_overflows(speed_mps):
    assert stopping_distance(speed_mps, 0.25, CONFIG) >= 1e308
    assert gate_moving(Velocity(speed_mps), 0.5).linear_x == pytest.approx(0.5)


def test_movement_away_is_forbidden_by_default():
    assert gate_stopped(TURN, True, SpeedConfig()) == ZERO_VELOCITY
    assert gate_stopped(BACK, True, SpeedConfig()) == ZERO_VELOCITY
