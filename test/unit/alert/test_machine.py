# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The whole decision: what stops, what releases, and that nothing moves without fresh data."""

import dataclasses
import itertools
import math
import os
import pickle
import random

from fcrn_depth_ros.alert.machine import (
    AlertConfig,
    AlertMachine,
    AlertState,
    ERROR_HOLD_S,
    RangeReading,
    ResetResult,
    Velocity,
    ZERO_VELOCITY,
)
from fcrn_depth_ros.errors import ConfigurationError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, RuleBasedStateMachine
import pytest

PERIOD_S = 0.125
CLOCK_NS = 1_800_000_000 * 10**9
FORWARD = Velocity(linear_x=0.3)
BACK = Velocity(linear_x=-0.3)
TURN = Velocity(angular_z=0.5)
FAR_M = 5.0
CONFIG = AlertConfig(assume_scale_verified=True)


class Drive:
    """A machine in a running world: readings every 125 ms, both clocks advancing together."""

    def __init__(self, **changes):
        self.machine = AlertMachine(dataclasses.replace(CONFIG, **changes))
        self.now_s = 0.0

    def wait(self, seconds):
        self.now_s += seconds
        return self

    @property
    def clock_ns(self):
        return CLOCK_NS + round(self.now_s * 1e9)

    def see(self, distance_m, count=1, age_s=0.0, max_m=10.0, sigma=None):
        for _ in range(count):
            self.wait(PERIOD_S)
            stamp_ns = self.clock_ns - round(age_s * 1e9)
            reading = RangeReading(distance_m, 0.0, max_m, stamp_ns, sigma)
            self.machine.hear(self.now_s, reading, self.clock_ns)
        return self

    def say(self, near, count=1):
        for _ in range(count):
            self.wait(PERIOD_S)
            self.machine.hear_near(self.now_s, near)
        return self

    def clear(self):
        return self.see(FAR_M, 5)

    def gate(self, command=FORWARD):
        return self.machine.gate(self.now_s, command)

    @property
    def decision(self):
        self.machine.advance(self.now_s)
        return self.machine.decision

    @property
    def state(self):
        return self.decision.state

    def reset(self):
        return self.machine.reset(self.now_s)


def test_it_starts_stopped_and_says_why():
    drive = Drive()
    decision = drive.decision
    assert decision.state is AlertState.STOP
    assert decision.stop
    assert decision.reason == 'no distance received yet'
    assert math.isnan(decision.nearest_m)
    assert decision.speed_limit_mps == 0.0
    assert not decision.is_latched
    assert drive.gate() == ZERO_VELOCITY


def test_it_goes_after_the_release_count_of_good_readings():
    drive = Drive()
    for count in range(1, 5):
        decision = drive.see(FAR_M).decision
        assert (decision.state, decision.cause) == (AlertState.STOP, 'waiting')
        assert decision.reason.startswith(f'{count} of 5')
    assert drive.see(FAR_M).state is AlertState.CLEAR
    assert not drive.decision.stop
    assert drive.gate() == FORWARD


def test_only_a_reset_asks_the_driver_to_let_go():
    drive = Drive()
    passed = []
    for _ in range(5):
        passed.append(drive.gate())
        drive.see(FAR_M)
    assert passed == [ZERO_VELOCITY] * 5
    assert drive.gate() == FORWARD


@pytest.mark.parametrize(
    ('distance_m', 'state', 'stop'),
    [
        (0.4, AlertState.STOP, True),
        (1.0, AlertState.CAUTION, False),
        (2.0, AlertState.CLEAR, False),
    ],
)
def test_distance_decides(distance_m, state, stop):
    decision = Drive(ttc_stop_s=0.0).clear().see(distance_m, 2).decision
    assert (decision.state, decision.stop, decision.nearest_m) == (state, stop, distance_m)
    assert (decision.speed_limit_mps == 0) is stop


def test_silence_is_stale_and_recovery_counts_anew():
    drive = Drive().clear()
    assert drive.wait(0.5).state is AlertState.CLEAR
    decision = drive.wait(0.01).decision
    assert (decision.state, decision.stop) == (AlertState.STALE, True)
    assert decision.reason == 'no distance for 0.51 s'
    assert math.isnan(decision.nearest_m)
    assert drive.gate() == ZERO_VELOCITY
    assert drive.see(FAR_M, 4).state is AlertState.STOP
    assert drive.see(FAR_M).state is AlertState.CLEAR


def test_a_silence_that_nobody_looked_into_is_not_bridged():
    """As after a SIGSTOP of this very process: the next call comes with the next reading."""
    drive = Drive().clear().wait(30.0)
    assert drive.see(FAR_M).state is AlertState.STOP
    drive = Drive().clear().wait(30.0)
    assert drive.gate() == ZERO_VELOCITY


@pytest.mark.parametrize('bad_m', [math.nan, math.inf, -1.0, 11.0])
def test_one_bad_reading_stops_at_once_and_counts_anew(bad_m):
    drive = Drive().clear().see(bad_m)
    assert (drive.state, drive.decision.cause) == (AlertState.STOP, 'invalid')
    assert drive.gate() == ZERO_VELOCITY
    assert drive.see(FAR_M, 4).state is AlertState.STOP
    assert drive.see(FAR_M).state is AlertState.CLEAR


def test_a_bad_reading_between_two_looks_still_counts_anew():
    assert Drive().clear().see(math.nan).see(FAR_M).state is AlertState.STOP


@pytest.mark.parametrize('age_s', [1.1, 3600.0, -0.2, -3600.0])
def test_a_wrong_stamp_is_stale(age_s):
    drive = Drive().clear().see(FAR_M, age_s=age_s)
    assert drive.state is AlertState.STALE
    assert drive.gate() == ZERO_VELOCITY


def test_frozen_stamps_are_stale():
    drive = Drive().clear()
    for _ in range(6):
        drive.wait(PERIOD_S)
        reading = RangeReading(FAR_M, 0.0, 10.0, CLOCK_NS + 625_000_000)
        drive.machine.hear(drive.now_s, reading, drive.clock_ns)
    assert (drive.state, drive.decision.cause) == (AlertState.STALE, 'frozen')


@pytest.mark.parametrize('true_m', [0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 1.0, 1.2, 1.4])
def test_noise_does_not_make_the_stop_flicker(true_m):
    """8 % of noise on every reading: never more than one change of `stop` within a second."""
    for seed in range(100):
        noise = random.Random(seed)
        drive, changes_s, stop = Drive(), [], True
        for _ in range(120):
            drive.see(true_m * (1 + noise.gauss(0, 0.08)))
            if drive.decision.stop != stop:
                stop = not stop
                changes_s.append(drive.now_s)
        assert all(later - earlier > 1.0 for earlier, later in itertools.pairwise(changes_s)), seed


def test_an_unknown_picture_stops_at_once_with_its_own_reason():
    drive = Drive().clear()
    drive.machine.hear_proximity(drive.now_s, math.nan)
    assert (drive.state, drive.decision.cause) == (AlertState.STOP, 'unknown')
    drive.machine.hear_proximity(drive.now_s, 0.0)
    assert drive.state is AlertState.STOP
    assert drive.see(FAR_M, 5).state is AlertState.CLEAR


def test_an_unknown_picture_between_two_looks_still_counts_anew():
    drive = Drive().clear()
    drive.machine.hear_proximity(drive.now_s, math.nan)
    drive.machine.hear_proximity(drive.now_s, 0.0)
    assert drive.state is AlertState.STOP


def test_a_known_share_changes_nothing():
    drive = Drive().clear()
    drive.machine.hear_proximity(drive.now_s, 1.0)
    assert drive.state is AlertState.CLEAR


def test_a_fast_command_is_slowed_and_shown_as_caution():
    drive = Drive().clear().see(2.0, 2)
    assert drive.state is AlertState.CLEAR
    limit_mps = drive.decision.speed_limit_mps
    assert 0.4 * limit_mps + limit_mps**2 / (2 * 0.5) + 0.25 == pytest.approx(2.0)
    gated = drive.gate(Velocity(linear_x=3.0, angular_z=1.0))
    assert gated.linear_x == pytest.approx(limit_mps)
    assert gated.angular_z == pytest.approx(limit_mps / 3.0)
    assert drive.state is AlertState.CAUTION
    drive.gate(Velocity(linear_x=0.1))
    assert drive.see(2.0, 5).state is AlertState.CLEAR


def test_a_command_of_the_limit_itself_is_not_slowed():
    drive = Drive(ttc_stop_s=0.0).clear().see(2.0, 2)
    fastest = Velocity(linear_x=drive.decision.speed_limit_mps)
    assert drive.gate(fastest) == fastest
    assert drive.state is AlertState.CLEAR
    drive.gate(Velocity(linear_x=fastest.linear_x + 1e-9))
    assert drive.state is AlertState.CAUTION


def test_the_speed_asked_for_moves_the_caution_distance():
    drive = Drive(ttc_stop_s=0.0).clear()
    for distance_m in (4.0, 3.0, 3.0):
        drive.gate(Velocity(linear_x=1.5))
        drive.see(distance_m)
    assert drive.state is AlertState.CAUTION  # 1.5 m/s needs 3.1 m
    drive.gate(Velocity(linear_x=-1.5))
    assert drive.see(3.0, 5).state is AlertState.CLEAR


@pytest.mark.parametrize('command', [None, Velocity(0.1), Velocity(-0.5)])
def test_a_slow_command_or_none_needs_no_caution(command):
    drive = Drive().clear()
    if command:
        drive.gate(command)
    assert drive.see(1.45, 3).state is AlertState.CLEAR


def test_an_old_command_is_no_speed():
    drive = Drive().clear().see(2.0, 2)
    drive.gate(Velocity(linear_x=3.0))
    assert drive.see(2.0, 4).state is AlertState.CAUTION
    assert drive.see(2.0, 6).state is AlertState.CLEAR


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_a_command_that_is_not_finite_becomes_zero(bad):
    drive = Drive().clear()
    assert drive.gate(Velocity(linear_x=0.1, angular_z=bad)) == ZERO_VELOCITY
    drive.machine.set_enabled(drive.now_s, False)
    assert drive.gate(Velocity(linear_x=bad)) == ZERO_VELOCITY


def test_a_robot_before_an_obstacle_may_free_itself_where_allowed():
    drive = Drive(allow_rotation=True, allow_backward=True).clear().see(0.3, 2)
    assert drive.gate(TURN) == TURN
    assert drive.gate(BACK) == BACK
    assert drive.gate(FORWARD) == ZERO_VELOCITY
    assert Drive().clear().see(0.3, 2).gate(TURN) == ZERO_VELOCITY


@pytest.mark.parametrize(
    'blind',
    [
        lambda drive: drive.wait(1.0),
        lambda drive: drive.see(math.nan),
        lambda drive: drive.machine.hear_proximity(drive.now_s, math.nan),
    ],
)
def test_a_robot_that_sees_nothing_may_not_move_at_all(blind):
    drive = Drive(allow_rotation=True, allow_backward=True).clear()
    blind(drive)
    assert drive.gate(TURN) == ZERO_VELOCITY
    assert drive.gate(BACK) == ZERO_VELOCITY


def test_what_passed_before_is_judged_anew():
    drive = Drive(ttc_stop_s=0.0).clear()
    fast = Velocity(linear_x=1.0, angular_z=2.0)
    assert drive.gate(fast) == fast
    slower = drive.see(1.0, 2).machine.limit(fast)
    assert 0 < slower.linear_x < 1.0
    assert slower.angular_z == pytest.approx(2.0 * slower.linear_x)
    assert drive.see(0.4, 2).machine.limit(slower) == ZERO_VELOCITY


def test_judging_anew_is_no_command_of_the_driver():
    drive = Drive().clear()
    drive.gate()
    for _ in range(4):
        assert drive.see(FAR_M).machine.limit(FORWARD) == FORWARD
    assert drive.see(FAR_M).machine.limit(FORWARD) == ZERO_VELOCITY


def test_a_fast_approach_stops_early():
    drive = Drive().clear()
    for step in range(20):
        drive.see(4.0 - 0.25 * step)  # 2 m/s
        if drive.decision.stop:
            break
    assert drive.decision.cause == 'closing'
    assert 1.0 < drive.decision.nearest_m < 2.0
    assert drive.decision.time_to_collision_s == pytest.approx(drive.decision.nearest_m / 2.0)


# Margins are seen in the speed limit, so the creep must not hide them.
UNVERIFIED = {'assume_scale_verified': False, 'ttc_stop_s': 0.0, 'unverified_speed_mps': 10.0}


def test_the_margin_grows_while_the_scale_is_unverified():
    drive = Drive(release_count=2, **UNVERIFIED).clear()
    assert not drive.decision.scale_verified
    assert drive.see(0.6, 2).state is AlertState.STOP
    assert drive.see(0.7, 5, sigma=0.05).state is AlertState.CAUTION
    assert drive.decision.scale_verified
    assert drive.see(0.6, 2, sigma=0.05).state is AlertState.CAUTION
    limit_mps = drive.decision.speed_limit_mps
    assert drive.see(0.6, 2).state is AlertState.STOP
    assert drive.decision.speed_limit_mps < limit_mps


@pytest.mark.parametrize(
    ('sigma', 'verified'),
    [
        (None, False),
        (0.0, False),
        (1e-9, True),
        (0.05, True),
        (0.999, True),
        (1.0, False),
        (-0.1, False),
        (math.nan, False),
        (math.inf, False),
    ],
)
def test_a_scale_is_verified_by_the_reading_itself(sigma, verified):
    drive = Drive(**UNVERIFIED).see(FAR_M, 5, sigma=sigma)
    assert drive.decision.scale_verified is verified
    is_sure = verified and sigma <= 0.15
    expected = (AlertState.CLEAR, 1.25) if is_sure else (AlertState.STOP, 0.75)
    state, free_m = expected
    drive.see(0.9 if state is AlertState.STOP else 1.5, 2, sigma=sigma)
    assert drive.state is state
    if not drive.decision.stop:
        limit_mps = drive.decision.speed_limit_mps
        assert 0.4 * limit_mps + limit_mps**2 / (2 * 0.5) == pytest.approx(free_m)


def test_a_lost_scale_enlarges_the_margin_of_the_very_next_reading():
    """Without debounce: 0.8 m is far enough where metres are metres, and too near where not."""
    drive = Drive(trigger_count=1, **UNVERIFIED).see(FAR_M, 5, sigma=0.05)
    assert drive.see(0.8, sigma=0.05).state is AlertState.CAUTION
    assert drive.see(0.8).state is AlertState.STOP


def test_the_robot_creeps_while_the_scale_is_unverified():
    drive = Drive(assume_scale_verified=False).see(FAR_M, 5)
    assert drive.decision.speed_limit_mps == pytest.approx(0.1)
    assert drive.gate(FORWARD).linear_x == pytest.approx(0.1)
    assert drive.state is AlertState.CAUTION
    drive.see(FAR_M, 5, sigma=0.05)
    assert drive.gate(FORWARD) == FORWARD
    assert drive.see(FAR_M, 2).gate(FORWARD).linear_x == pytest.approx(0.1)


def test_a_creep_is_no_licence_to_come_near():
    drive = Drive(assume_scale_verified=False).see(FAR_M, 5).see(0.95, 2)
    assert drive.state is AlertState.STOP
    assert drive.gate(FORWARD) == ZERO_VELOCITY


def creep(
    drive: Drive, distance_m: float, readings: int = 12, command: Velocity = FORWARD
) -> Velocity:
    """Ask for a command all the time while readings come; return what passes in the end."""
    passed = ZERO_VELOCITY
    for _ in range(readings):
        drive.see(distance_m)
        passed = drive.gate(command)
    return passed


@pytest.mark.parametrize(('distance_m', 'passes'), [(1.0, True), (0.86, True), (0.69, False)])
def test_a_robot_that_creeps_needs_less_margin(distance_m: float, passes: bool):
    """0.5 m and the creep's 0.2 m, and to be released the hysteresis besides."""
    drive = Drive(assume_scale_verified=False).see(distance_m, 5)
    assert drive.state is AlertState.STOP  # nobody drives: the whole margin
    expected = 0.1 if passes else 0.0
    assert creep(drive, distance_m).linear_x == pytest.approx(expected)


def test_a_creep_ends_where_its_margin_ends():
    drive = Drive(assume_scale_verified=False).see(FAR_M, 5)
    assert creep(drive, 0.71).linear_x == pytest.approx(0.1)
    assert creep(drive, 0.69) == ZERO_VELOCITY
    assert drive.state is AlertState.STOP


def test_a_robot_that_is_faster_than_a_creep_keeps_the_whole_margin():
    drive = Drive(assume_scale_verified=False, trigger_count=1).see(3.0, 5, sigma=0.05)
    drive.gate(FORWARD)
    assert drive.gate(FORWARD) == FORWARD
    assert drive.see(0.9).state is AlertState.STOP


@pytest.mark.parametrize(('speed_mps', 'passes'), [(0.2, True), (0.21, False)])
def test_what_is_faster_than_a_creep_is_none(speed_mps: float, passes: bool):
    drive = Drive(assume_scale_verified=False, unverified_speed_mps=speed_mps)
    passed = creep(drive.see(0.9, 5), 0.9)
    assert (passed != ZERO_VELOCITY) is passes


def test_the_creep_has_no_more_margin_than_a_robot_that_drives():
    drive = Drive(
        assume_scale_verified=False, unverified_margin_m=0.0, unverified_creep_margin_m=5.0
    )
    assert creep(drive.see(0.9, 5), 0.9).linear_x == pytest.approx(0.1)


@pytest.mark.parametrize(
    ('sigma', 'margin_m'), [(0.05, 0.0), (0.15, 0.0), (0.3, 0.25), (0.45, 0.5), (0.9, 0.5)]
)
def test_the_margin_grows_with_the_uncertainty_of_the_scale(sigma: float, margin_m: float):
    drive = Drive(trigger_count=1, **UNVERIFIED).see(FAR_M, 5, sigma=0.05)
    limit_mps = drive.see(3.0, sigma=sigma).decision.speed_limit_mps
    assert 0.4 * limit_mps + limit_mps**2 / (2 * 0.5) == pytest.approx(3.0 - 0.25 - margin_m)


def test_a_verified_reading_does_not_shrink_the_margin_of_the_one_before():
    """Three readings decide: each limits the speed by its own margin, and the median holds."""
    drive = Drive(trigger_count=2, **UNVERIFIED).see(FAR_M, 5, sigma=0.05)
    drive.see(3.0, 2, sigma=0.05)
    verified_mps = drive.decision.speed_limit_mps
    drive.see(3.0)
    assert drive.decision.speed_limit_mps == verified_mps
    drive.see(3.0)
    unverified_mps = drive.decision.speed_limit_mps
    assert 0.4 * unverified_mps + unverified_mps**2 / (2 * 0.5) == pytest.approx(3.0 - 0.75)
    drive.see(2.9, sigma=0.05)
    assert drive.decision.speed_limit_mps == unverified_mps
    drive.see(2.9, sigma=0.05)
    assert drive.decision.speed_limit_mps > unverified_mps


def test_the_decision_carries_the_scale_of_the_latest_usable_reading():
    drive = Drive(assume_scale_verified=False)
    assert not drive.decision.scale_verified
    assert math.isnan(drive.decision.scale_sigma)
    assert drive.see(FAR_M, sigma=0.07).decision.scale_sigma == 0.07
    assert drive.see(math.nan, sigma=0.5).decision.scale_sigma == 0.07
    decision = drive.see(FAR_M).decision
    assert (decision.scale_verified, math.isnan(decision.scale_sigma)) == (False, True)
    drive.see(FAR_M, sigma=0.07)
    drive.machine.reconfigure(drive.now_s, CONFIG)
    assert (drive.decision.scale_verified, math.isnan(drive.decision.scale_sigma)) == (False, True)


def test_an_assumed_scale_needs_no_sigma():
    decision = Drive(assume_scale_verified=True).see(FAR_M).decision
    assert (decision.scale_verified, math.isnan(decision.scale_sigma)) == (True, True)


def test_near_mode_follows_the_yes_or_no_and_ignores_metres():
    drive = Drive(alert_source='near').see(FAR_M, 9)
    assert drive.decision.cause == 'unheard'
    assert drive.say(False, 5).state is AlertState.CLEAR
    assert drive.gate() == FORWARD
    assert drive.say(True, 2).state is AlertState.STOP
    assert drive.say(False, 5).state is AlertState.CLEAR
    drive.see(0.1, 3)
    assert drive.state is AlertState.CLEAR
    drive.machine.hear_proximity(drive.now_s, math.nan)
    assert drive.state is AlertState.STOP
    drive.machine.hear_proximity(drive.now_s, 0.1)
    assert drive.wait(0.6).state is AlertState.STALE
    assert drive.say(False).state is AlertState.STOP


def test_near_mode_does_not_bridge_a_silence():
    assert Drive(alert_source='near').say(False, 5).wait(9.0).say(False).state is AlertState.STOP


def test_range_mode_ignores_the_yes_or_no():
    drive = Drive().say(False, 9)
    assert drive.decision.cause == 'unheard'
    assert drive.clear().say(True, 2).state is AlertState.CLEAR


def test_without_a_latch_a_stop_ends_by_itself():
    drive = Drive().clear().see(0.3, 2).clear()
    assert drive.state is AlertState.CLEAR
    assert drive.gate() == FORWARD


@pytest.mark.parametrize(
    'stop',
    [
        lambda drive: drive.see(0.3, 2),
        lambda drive: drive.wait(1.0),
        lambda drive: drive.see(math.nan),
    ],
)
def test_a_latched_stop_stays_and_keeps_its_reason(stop):
    drive = Drive(latch=True).clear()
    assert drive.state is AlertState.CLEAR
    stop(drive)
    reason = drive.decision.reason
    decision = drive.clear().decision
    assert (decision.state, decision.cause, decision.is_latched) == (
        AlertState.STOP,
        'latched',
        True,
    )
    assert reason in decision.reason
    assert drive.gate() == ZERO_VELOCITY


def test_the_start_needs_no_reset():
    assert Drive(latch=True).clear().state is AlertState.CLEAR


def latched():
    """Make a drive that stopped for an obstacle, which has gone."""
    drive = Drive(latch=True).clear()
    assert drive.state is AlertState.CLEAR
    drive.see(0.3, 2)
    assert drive.decision.is_latched
    return drive.see(FAR_M, 5)


def test_reset_is_refused_while_anything_is_wrong():
    drive = latched().see(0.3, 2)
    result = drive.reset()
    assert (result.success, result.message) == (False, 'refused: STOP, 0.30 m away')
    drive.see(FAR_M, 4)
    assert not drive.reset().success
    drive.see(FAR_M)
    drive.wait(1.0)
    result = drive.reset()
    assert (result.success, result.message) == (False, 'refused: STALE, no distance for 1.00 s')
    drive.see(math.nan)
    assert not drive.reset().success
    assert drive.clear().reset().success


def test_reset_before_any_data_is_refused():
    assert Drive(latch=True).reset().message == 'refused: STOP, no distance received yet'


def test_reset_without_a_latched_stop_is_harmless():
    drive = Drive().clear()
    assert drive.reset() == ResetResult(True, 'healthy; nothing was latched')
    assert drive.gate() == FORWARD


def test_reset_does_not_start_motion_while_the_driver_still_pushes():
    drive = latched()
    drive.gate()
    assert drive.reset() == ResetResult(
        True, 'released; motion needs a zero command first, or silence'
    )
    assert not drive.decision.is_latched
    assert drive.decision.reason == 'reset; waits for a zero command, or silence'
    for _ in range(20):
        drive.see(FAR_M)
        assert drive.gate() == ZERO_VELOCITY
        assert drive.decision.cause == 'neutral'
    drive.gate(TURN)
    assert drive.gate() == ZERO_VELOCITY
    drive.gate(ZERO_VELOCITY)
    assert drive.gate() == FORWARD
    assert drive.state is AlertState.CLEAR


def test_silence_of_the_driver_is_letting_go_too():
    drive = latched()
    drive.gate()
    assert drive.reset().success
    assert drive.see(FAR_M, 4).decision.cause == 'neutral'
    assert drive.see(FAR_M).state is AlertState.CLEAR


def test_letting_go_before_the_reset_does_not_count():
    drive = latched()
    drive.gate(ZERO_VELOCITY)
    drive.gate(FORWARD)
    assert drive.reset().success
    assert drive.gate() == ZERO_VELOCITY


def test_a_stop_while_waiting_for_neutral_latches_again():
    drive = latched()
    drive.gate()
    assert drive.reset().success
    drive.see(0.3, 2)
    assert drive.decision.is_latched


def test_disabled_passes_everything_and_says_so():
    drive = Drive()
    drive.machine.set_enabled(drive.now_s, False)
    decision = drive.decision
    assert (decision.state, decision.stop, decision.cause) == (
        AlertState.DISABLED,
        False,
        'disabled in STOP',
    )
    assert decision.reason == 'switched off, commands pass unchecked; would be STOP'
    assert decision.speed_limit_mps == math.inf
    assert drive.gate(Velocity(9.0)) == Velocity(9.0)
    assert drive.wait(0.6).clear().decision.reason.endswith('would be CLEAR')
    assert drive.reset() == ResetResult(False, 'refused: the alert is disabled; enable it first')


def test_enabled_again_it_starts_stopped():
    drive = Drive(latch=True).clear()
    drive.machine.set_enabled(drive.now_s, False)
    drive.see(FAR_M)
    drive.machine.set_enabled(drive.now_s, True)
    assert drive.decision.reason == '0 of 5 readings in a row are good'
    assert drive.see(FAR_M, 4).state is AlertState.STOP
    assert drive.see(FAR_M).state is AlertState.CLEAR


def test_enabling_what_is_enabled_changes_nothing():
    drive = Drive().clear()
    drive.machine.set_enabled(drive.now_s, True)
    assert drive.state is AlertState.CLEAR


def test_what_happens_while_disabled_is_not_latched_but_what_was_latched_stays():
    drive = Drive(latch=True).clear()
    assert drive.state is AlertState.CLEAR
    drive.machine.set_enabled(drive.now_s, False)
    drive.see(0.3, 2)
    assert not drive.decision.is_latched
    drive.machine.set_enabled(drive.now_s, True)
    assert drive.clear().state is AlertState.CLEAR
    drive = latched()
    drive.machine.set_enabled(drive.now_s, False)
    drive.machine.set_enabled(drive.now_s, True)
    assert drive.clear().decision.cause == 'latched'


def test_new_settings_stop_and_count_anew():
    drive = Drive().clear()
    drive.machine.reconfigure(drive.now_s, dataclasses.replace(CONFIG, release_count=2))
    assert drive.gate() == ZERO_VELOCITY
    assert drive.see(FAR_M).state is AlertState.STOP
    assert drive.see(FAR_M).state is AlertState.CLEAR


def test_switching_the_latch_on_does_not_latch_the_restart():
    drive = Drive().clear()
    assert drive.state is AlertState.CLEAR
    drive.machine.reconfigure(drive.now_s, dataclasses.replace(CONFIG, latch=True))
    assert drive.clear().state is AlertState.CLEAR


def test_switching_the_latch_off_does_not_start_motion():
    drive = latched()
    drive.gate()
    drive.machine.reconfigure(drive.now_s, CONFIG)
    drive.see(FAR_M, 3)
    drive.gate()
    drive.see(FAR_M, 3)
    assert drive.decision.cause == 'neutral'
    drive.gate(ZERO_VELOCITY)
    assert drive.gate() == FORWARD


@pytest.mark.parametrize('seconds, is_latched', [(0.24, False), (0.26, True)])
def test_new_settings_do_not_forgive_a_silence_that_nobody_looked_for(seconds, is_latched):
    config = dataclasses.replace(CONFIG, latch=True, source_timeout_s=0.25)
    drive = Drive(latch=True, source_timeout_s=0.25).clear()
    drive.machine.reconfigure(
        drive.now_s + seconds, dataclasses.replace(config, source_timeout_s=1.0)
    )
    assert drive.machine.decision.is_latched is is_latched


def test_new_settings_keep_a_latched_stop():
    drive = latched()
    drive.machine.reconfigure(
        drive.now_s, dataclasses.replace(CONFIG, latch=True, release_count=4)
    )
    assert drive.clear().decision.cause == 'latched'


def test_new_settings_without_a_latched_stop_ask_for_nothing():
    drive = Drive(latch=True).clear()
    drive.gate()
    drive.machine.reconfigure(drive.now_s, CONFIG)
    drive.see(FAR_M, 3)
    drive.gate()
    assert drive.see(FAR_M, 2).state is AlertState.CLEAR


CONTRADICTION = 'stop_distance_m must be below release_distance_m (0.65), got 2; '


def contradict(drive, **changes):
    """Raise one of two distances that belong together."""
    config = dataclasses.replace(CONFIG, stop_distance_m=2.0, **changes)
    drive.machine.reconfigure(drive.now_s, config)
    return drive


def test_settings_that_contradict_each_other_hold_a_stop_until_they_agree():
    drive = contradict(Drive(allow_rotation=True).clear(), allow_rotation=True)
    for _ in range(2):
        decision = drive.decision
        assert (decision.state, decision.cause) == (AlertState.STOP, 'contradiction')
        assert decision.reason.startswith(CONTRADICTION)
        assert drive.reset().message.startswith(f'refused: STOP, {CONTRADICTION}')
        assert drive.gate() == drive.gate(TURN) == ZERO_VELOCITY
        drive.see(FAR_M, 20)
    drive.machine.reconfigure(drive.now_s, CONFIG)
    assert drive.see(FAR_M, 4).state is AlertState.STOP
    assert drive.see(FAR_M).state is AlertState.CLEAR


def test_a_contradiction_is_reported_before_what_is_wrong_with_the_source():
    assert contradict(Drive()).wait(9.0).decision.cause == 'contradiction'


def test_settings_beside_those_of_the_machine_may_contradict_too():
    drive = Drive().clear()
    drive.machine.reconfigure(drive.now_s, CONFIG, 'beep_near_m must be below beep_far_m')
    assert drive.clear().decision.reason == 'beep_near_m must be below beep_far_m'
    drive.machine.reconfigure(drive.now_s, CONFIG)
    assert drive.clear().state is AlertState.CLEAR


def test_a_contradiction_is_not_latched():
    drive = contradict(Drive(latch=True).clear(), latch=True)
    assert not drive.see(FAR_M, 3).decision.is_latched
    drive.machine.reconfigure(drive.now_s, dataclasses.replace(CONFIG, latch=True))
    assert drive.clear().state is AlertState.CLEAR


def test_a_machine_may_begin_with_a_contradiction():
    config = dataclasses.replace(CONFIG, stop_distance_m=2.0)
    assert AlertMachine(config).decision.cause == 'contradiction'


@pytest.mark.parametrize(
    ('later_s', 'cause'),
    [(0.0, 'error'), (ERROR_HOLD_S - 0.01, 'error'), (ERROR_HOLD_S, 'silent')],
)
def test_a_failure_of_the_program_holds_a_stop(later_s, cause):
    drive = Drive(allow_rotation=True).clear()
    drive.machine.fail(drive.now_s, 'internal error: odd')
    assert drive.machine.decision.reason == 'internal error: odd'
    assert drive.wait(later_s).decision.cause == cause
    assert drive.decision.stop
    assert drive.gate() == drive.gate(TURN) == ZERO_VELOCITY


def test_after_a_failure_readings_count_anew():
    """They count from the end of the hold: 1 s, then 5 readings."""
    drive = Drive().clear()
    drive.machine.fail(drive.now_s, 'internal error: odd')
    assert drive.see(FAR_M, 7).decision.cause == 'error'
    assert drive.see(FAR_M).decision.reason == '1 of 5 readings in a row are good'
    assert drive.see(FAR_M, 3).decision.cause == 'waiting'
    assert drive.see(FAR_M).state is AlertState.CLEAR


def test_the_latest_failure_counts():
    drive = Drive().clear()
    drive.machine.fail(drive.now_s, 'first')
    drive.wait(0.9)
    drive.machine.fail(drive.now_s, 'second')
    assert drive.wait(0.9).decision.reason == 'second'


def test_a_failure_is_latched_as_any_stop():
    drive = Drive(latch=True).clear()
    drive.machine.fail(drive.now_s, 'internal error: odd')
    drive.see(FAR_M, 20)
    assert drive.decision.reason == 'held since: internal error: odd; call ~/reset'


def test_pausing_with_a_latch_latches_nothing_however_long_and_whoever_looks():
    """As alert_node pauses: it stops for good, is silent, and starts again."""
    for pause_s in (0.1, 0.6, 30.0):
        drive = Drive(latch=True).clear()
        config = dataclasses.replace(CONFIG, latch=True)
        drive.machine.reconfigure(drive.now_s, config)
        drive.wait(pause_s / 2).machine.advance(drive.now_s)
        drive.wait(pause_s / 2).machine.reconfigure(drive.now_s, config)
        assert drive.clear().state is AlertState.CLEAR


@pytest.mark.parametrize(('later_s', 'passed'), [(0.5, FORWARD), (0.501, ZERO_VELOCITY)])
@pytest.mark.parametrize('enabled', [True, False])
def test_a_silent_driver_is_stopped(later_s, passed, enabled):
    drive = Drive(source_timeout_s=5.0).clear()
    drive.machine.set_enabled(drive.now_s, enabled)
    assert drive.machine.limit(FORWARD) == ZERO_VELOCITY
    assert drive.gate() == FORWARD
    start_s = drive.now_s
    drive.machine.advance(start_s + later_s)
    assert drive.machine.limit(FORWARD) == passed


def test_a_configuration_checks_every_base():
    for change in (
        {'latch': 1},
        {'source_timeout_s': -1.0},
        {'margin_m': -0.1},
        {'command_timeout_s': 0.0},
        {'reaction_time_s': math.nan},
    ):
        with pytest.raises(ConfigurationError, match=next(iter(change))):
            AlertConfig(**change)
    assert AlertConfig(margin_m=0.6).contradiction().startswith('margin_m must be at most')
    assert AlertConfig().contradiction() == ''


distances = st.one_of(
    st.sampled_from([0.3, 0.55, 1.0, 1.3, 3.0, 5.0, 5.0, 5.0, 10.0]),
    st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 0.0, 11.0]),
)


class AnythingHappens(RuleBasedStateMachine):
    """Random readings, stamps, commands, services, settings and silences, in any order."""

    def __init__(self):
        super().__init__()
        self.config = CONFIG
        self.machine = AlertMachine(CONFIG)
        self.seldom = AlertMachine(CONFIG)  # gets the same, but no `advance` in between
        self.now_s = 0.0
        self.clock_ns = CLOCK_NS
        self.enabled = True
        self.contradicts = False
        self.error_s = -math.inf
        self.good_s = -math.inf  # when the last undoubtedly healthy reading came
        self.good_m = math.nan
        self.stamp_ns = None
        self.sent = ZERO_VELOCITY  # what the robot does now

    def both(self, method, *args):
        """Call both machines; how often one of them is advanced must make no difference."""
        results = [getattr(machine, method)(*args) for machine in (self.machine, self.seldom)]
        assert results[0] == results[1]
        decisions = [
            dataclasses.replace(machine.decision, reason='')
            for machine in (self.machine, self.seldom)
        ]
        assert repr(decisions[0]) == repr(decisions[1])  # in which NaN equals NaN
        return results[0]

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.05, 0.2, 0.45, 0.6, 5.0]))
    def time_passes(self, seconds):
        self.now_s += seconds
        self.clock_ns += round(seconds * 1e9)

    @rule(seconds=st.sampled_from([-3600.0, -1.0, 1.0, 3600.0]))
    def clock_jumps(self, seconds):
        self.clock_ns += round(seconds * 1e9)

    @rule(
        distance_m=distances,
        age_s=st.sampled_from([0.0, 0.1, 0.9, 1.5, -0.5]),
        sigma=st.sampled_from([None, 0.05, math.nan]),
    )
    def reading_comes(self, distance_m, age_s, sigma=None):
        stamp_ns = self.clock_ns - round(age_s * 1e9)
        reading = RangeReading(distance_m, 0.1, 10.0, stamp_ns, sigma)
        self.both('hear', self.now_s, reading, self.clock_ns)
        is_news = stamp_ns != self.stamp_ns
        if is_news and 0.1 <= distance_m <= 10.0 and 0.0 <= age_s <= 1.0:
            self.good_s, self.good_m = self.now_s, distance_m
        if is_news or not 0.1 <= distance_m <= 10.0:
            self.stamp_ns = stamp_ns

    @rule(stamp_ns=st.sampled_from([None, -1, 0, -(10**18), 2**31 * 10**9]))
    def a_reading_with_an_absurd_stamp_comes(self, stamp_ns):
        reading = RangeReading(5.0, 0.1, 10.0, stamp_ns)
        self.both('hear', self.now_s, reading, self.clock_ns)
        assert self.machine.decision.stop or not self.enabled
        if stamp_ns is not None and stamp_ns > 0:
            self.stamp_ns = stamp_ns

    @rule(distance_m=st.sampled_from([2.0, 5.0]))
    def the_way_is_free_for_a_while(self, distance_m):
        for _ in range(6):
            self.time_passes(0.1)
            self.proximity_comes(0.0)
            self.reading_comes(distance_m, 0.05)

    @rule(share=st.sampled_from([0.0, 0.4, 1.0, math.nan]))
    def proximity_comes(self, share):
        self.both('hear_proximity', self.now_s, share)

    @rule(near=st.booleans())
    def near_comes(self, near):
        self.both('hear_near', self.now_s, near)

    @rule(enabled=st.booleans())
    def somebody_switches(self, enabled):
        self.both('set_enabled', self.now_s, enabled)
        self.enabled = enabled

    @rule()
    def something_fails(self):
        self.both('fail', self.now_s, 'internal error')
        self.error_s = self.now_s

    @rule()
    def somebody_resets(self):
        self.machine.advance(self.now_s)
        before = self.machine.decision
        result = self.both('reset', self.now_s)
        if result.success:
            assert before.cause in ('latched', 'neutral') or not before.stop

    @rule(
        latch=st.booleans(),
        release_count=st.integers(1, 6),
        timeout_s=st.floats(0.1, 1.0),
        stop_distance_m=st.sampled_from([0.5, 0.5, 0.5, 2.0]),
    )
    def somebody_changes_settings(self, latch, release_count, timeout_s, stop_distance_m):
        self.config = dataclasses.replace(
            self.config,
            latch=latch,
            release_count=release_count,
            source_timeout_s=timeout_s,
            stop_distance_m=stop_distance_m,
        )
        self.contradicts = stop_distance_m > self.config.release_distance_m
        self.both('reconfigure', self.now_s, self.config)
        self.stamp_ns = None
        assert self.machine.decision.stop or not self.enabled

    @rule(speed=st.sampled_from([-1.0, 0.0, 0.2, 1.0, 5.0, math.nan, 1e155, 1.7e308, -1e200]))
    def command_comes(self, speed):
        gated = self.both('gate', self.now_s, Velocity(linear_x=speed, angular_z=0.1))
        assert not gated.flaw()
        assert gated.linear_x <= max(0.0, speed)
        self.sent = gated

    @invariant()
    def a_robot_that_goes_forward_has_healthy_data(self):
        """Limit what goes on, as alert_node does at every beat: nothing moves blindly."""
        self.machine.advance(self.now_s)
        self.sent = self.machine.limit(self.sent)
        if self.sent.linear_x > 0 and self.enabled:
            assert self.now_s - self.good_s <= self.config.source_timeout_s
            assert not self.machine.decision.stop
            assert not self.contradicts
            assert self.now_s - self.error_s >= ERROR_HOLD_S

    @invariant()
    def a_decision_makes_sense(self):
        self.machine.advance(self.now_s)
        decision = self.machine.decision
        assert decision.reason and decision.cause
        assert decision.stop == (decision.state in (AlertState.STOP, AlertState.STALE))
        assert (decision.state is AlertState.DISABLED) != self.enabled
        if decision.state in (AlertState.CLEAR, AlertState.CAUTION):
            assert self.now_s - self.good_s <= self.config.source_timeout_s
            assert decision.nearest_m == self.good_m

    @invariant()
    def asking_changes_nothing(self):
        before = pickle.dumps(self.machine)
        decision = self.machine.decision
        self.machine.limit(Velocity(1.0))
        assert self.machine.decision is decision
        assert pickle.dumps(self.machine) == before


# The mutation check, which runs this hundreds of times, asks for fewer.
SEQUENCES = int(os.environ.get('RANDOM_SEQUENCES', '1000'))
AnythingHappens.TestCase.settings = settings(
    max_examples=SEQUENCES, stateful_step_count=30, deadline=None
)
TestAnythingHappens = AnythingHappens.TestCase
