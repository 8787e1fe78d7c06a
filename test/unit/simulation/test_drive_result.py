# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
import math

import pytest
from simulation.drive_result import FALSE_STOP_BEYOND_M, judge_drive, summarize
from simulation.drive_sample import DriveSample
from simulation.room_builder import Room
from simulation.scenarios import Scenario
from simulation.world import Mounting

STOP_M = 0.5
STILL = DriveSample(
    time_s=0.0, x_m=0.0, y_m=0.0, heading_rad=0.0, speed_mps=0.0, commanded_mps=0.0, stop=True,
    state='STOP', clearance_m=1.0, free_path_m=2.0, true_nearest_m=2.0, reported_nearest_m=2.0,
)  # fmt: skip
MOVING = replace(STILL, speed_mps=0.5, commanded_mps=0.5, stop=False, state='CLEAR')


def _scenario(kind: str) -> Scenario:
    return Scenario(
        kind, 0, Room('', {}, 6.0, 4.0, 2.5, ()), Mounting(0.3, 5.0, 0.0, 70.0), 0.0, 0.0, 0.0
    )


def _timed(*samples: DriveSample) -> list[DriveSample]:
    return [replace(sample, time_s=0.1 * index) for index, sample in enumerate(samples)]


NEAR = replace(MOVING, free_path_m=0.45, true_nearest_m=0.45)
BRAKING = replace(NEAR, commanded_mps=0.0, stop=True, speed_mps=0.3)
HALTED = replace(BRAKING, speed_mps=0.0, clearance_m=0.3)


def test_stop_before_an_obstacle() -> None:
    samples = _timed(STILL, MOVING, MOVING, NEAR, NEAR, BRAKING, BRAKING, HALTED)
    result = judge_drive(_scenario('toward'), samples, STOP_M, lag_s=0.01)
    assert result.outcome == 'stopped'
    assert not result.failed
    assert result.reaction_latency_s == pytest.approx(0.2)
    assert result.time_to_stop_s == pytest.approx(0.4)
    assert result.stopped_at_m == 0.45
    assert result.smallest_clearance_m == 0.3
    assert result.stops == 1
    assert result.false_reason == ''


def test_stop_before_the_stop_distance_has_no_latency() -> None:
    early = replace(HALTED, true_nearest_m=0.8, free_path_m=0.8)
    result = judge_drive(_scenario('toward'), _timed(STILL, MOVING, early), STOP_M, 0.0)
    assert result.outcome == 'stopped'
    assert result.reaction_latency_s is None
    assert result.time_to_stop_s is None


def test_touch_is_a_collision() -> None:
    samples = _timed(STILL, MOVING, replace(HALTED, clearance_m=0.0))
    for kind in ('toward', 'free'):
        result = judge_drive(_scenario(kind), samples, STOP_M, 0.0)
        assert result.outcome == 'collision'
        assert result.failed


def test_drive_that_neither_hits_nor_stops() -> None:
    result = judge_drive(_scenario('toward'), _timed(STILL, MOVING, MOVING), STOP_M, 0.0)
    assert result.outcome == 'never_stopped'


@pytest.mark.parametrize('kind', ['toward', 'free'])
def test_robot_that_never_starts_was_stopped_falsely(kind: str) -> None:
    unknown = replace(STILL, state='STOP: dark', is_unknown=True)
    result = judge_drive(_scenario(kind), _timed(STILL, unknown), STOP_M, 0.0)
    assert result.outcome == 'false_stop'
    assert result.false_reason == 'STOP: dark'
    assert summarize([result])['false_stops_for_unknown'] == 1
    known = judge_drive(_scenario(kind), _timed(STILL, STILL), STOP_M, 0.0)
    assert summarize([known])['false_stops_for_unknown'] == 0


BEYOND_M = FALSE_STOP_BEYOND_M + 0.01
WITHIN_M = FALSE_STOP_BEYOND_M - 0.01


@pytest.mark.parametrize('kind', ['past', 'free', 'toward', 'appears'])
@pytest.mark.parametrize(
    ('free_path_m', 'nearest_m', 'is_false'),
    [(BEYOND_M, BEYOND_M, True), (WITHIN_M, BEYOND_M, False), (BEYOND_M, WITHIN_M, False)],
)
def test_short_stop_is_false_where_nothing_is_near(
    kind: str, free_path_m: float, nearest_m: float, is_false: bool
) -> None:
    blink = replace(MOVING, stop=True, free_path_m=free_path_m, true_nearest_m=nearest_m)
    result = judge_drive(_scenario(kind), _timed(STILL, MOVING, blink, MOVING), STOP_M, 0.0)
    assert (result.outcome == 'false_stop') == is_false


def test_free_drive_that_ends_standing_was_stopped_falsely() -> None:
    samples = _timed(STILL, MOVING, replace(HALTED, free_path_m=1.0))
    assert judge_drive(_scenario('free'), samples, STOP_M, 0.0).outcome == 'false_stop'


def test_summary_counts_outcomes_and_ignores_what_is_not_known() -> None:
    stopped = judge_drive(
        _scenario('toward'), _timed(STILL, MOVING, NEAR, BRAKING, HALTED), STOP_M, 0.0
    )
    passed = replace(stopped, outcome='passed', reaction_latency_s=None, time_to_stop_s=None)
    hit = replace(passed, outcome='collision', smallest_clearance_m=-0.01)
    figures = summarize([stopped, passed, hit])
    assert (figures['runs'], figures['collisions'], figures['false_stops']) == (3, 1, 0)
    assert figures['smallest_clearance_m'] == -0.01
    assert figures['reaction_latency_s']['count'] == 1
    assert math.isclose(figures['reaction_latency_s']['median'], 0.1)
    late = replace(hit, outcome='not_judged', smallest_clearance_m=-0.2)
    assert summarize([stopped, late])['smallest_clearance_m'] == stopped.smallest_clearance_m
    assert summarize([stopped, late])['not_judged'] == 1
    assert summarize([hit])['time_to_stop_s'] == {'count': 0}


def test_what_is_known_of_the_scale_is_counted() -> None:
    drive = judge_drive(_scenario('free'), _timed(STILL, MOVING), STOP_M, 0.0)
    one = replace(
        drive, scale_error_after_1m=-0.1, contradicted_after_m=0.4, beam_pictures=4,
        beam_pictures_right=3, beam_landings_right=4,
    )  # fmt: skip
    other = replace(drive, scale_error_after_1m=0.11, beam_pictures=2)
    figures = summarize([one, other, drive])
    assert figures['scale_within_10_percent'] == 1
    assert figures['contradicted_after_m']['count'] == 1
    assert (figures['beam_pictures'], figures['beam_pictures_right']) == (6, 3)
    assert figures['beam_landings_right'] == 4
