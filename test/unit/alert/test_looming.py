# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The growth of the picture stops the robot although the distance is free."""

from __future__ import annotations

import math

from fcrn_depth_ros.alert.looming import HOLD_S
from fcrn_depth_ros.alert.machine import (
    AlertConfig,
    AlertMachine,
    AlertState,
    RangeReading,
    Velocity,
)
import pytest

CLOCK_NS = 1_800_000_000 * 10**9
FORWARD = Velocity(linear_x=0.3)


class Driven:
    def __init__(self, **changes: float) -> None:
        config = AlertConfig(assume_scale_verified=True, **changes)  # type: ignore[arg-type]
        self.machine = AlertMachine(config)
        self.now_s = 0.0
        for _ in range(8):
            self.see()

    def see(self, ttc_s: float = math.nan) -> AlertState:
        self.now_s += 0.1
        clock_ns = CLOCK_NS + round(self.now_s * 1e9)
        self.machine.hear(self.now_s, RangeReading(5.0, 0.0, 10.0, clock_ns, 0.1), clock_ns)
        self.machine.hear_growth(self.now_s, ttc_s)
        return self.machine.decision.state


def test_two_short_times_stop_the_robot_and_hold_it() -> None:
    drive = Driven()
    assert drive.see(0.9) is AlertState.CLEAR
    assert drive.see(math.nan) is AlertState.CLEAR  # says nothing, for or against
    assert drive.see(0.8) is AlertState.STOP
    assert drive.machine.decision.cause == 'looming'
    assert '0.8 s' in drive.machine.decision.reason
    assert drive.machine.gate(drive.now_s, FORWARD) == Velocity()
    states = [drive.see(math.inf) for _ in range(round(HOLD_S / 0.1) + 1)]
    assert states[-3] is AlertState.STOP and states[-1] is AlertState.CLEAR
    assert drive.machine.gate(drive.now_s, FORWARD) == FORWARD


@pytest.mark.parametrize('between', [1.0, 3.0, math.inf])
def test_short_and_long_by_turns_stops_the_robot(between: float) -> None:
    drive = Driven()
    drive.see(0.9)
    assert drive.see(between) is AlertState.CLEAR
    assert drive.see(0.9) is AlertState.STOP


@pytest.mark.parametrize('between', [1.0, 3.0, math.inf])
def test_one_short_time_among_three_stops_nothing(between: float) -> None:
    drive = Driven()
    times = [0.9, between, between] * 3
    assert [drive.see(time_s) for time_s in times] == [AlertState.CLEAR] * 9


def test_a_long_time_after_a_stop_does_not_prolong_it() -> None:
    drive = Driven()
    for time_s in (0.9, 0.9):
        drive.see(time_s)
    stopped_s = drive.now_s
    while drive.see(math.inf) is AlertState.STOP:
        pass
    assert drive.now_s - stopped_s == pytest.approx(HOLD_S, abs=0.11)


@pytest.mark.parametrize('value', [-1.0, -math.inf, math.nan])
def test_what_is_no_time_says_nothing(value: float) -> None:
    drive = Driven()
    assert [drive.see(value) for _ in range(5)] == [AlertState.CLEAR] * 5


def test_the_rule_is_off_where_no_time_is_short() -> None:
    drive = Driven(ttc_stop_s=0.0)
    assert [drive.see(0.0) for _ in range(5)] == [AlertState.CLEAR] * 5


def test_it_never_releases_what_the_distance_stops() -> None:
    drive = Driven()
    drive.now_s += 1.0
    drive.machine.hear_growth(drive.now_s, math.inf)
    assert drive.machine.decision.state is AlertState.STALE
