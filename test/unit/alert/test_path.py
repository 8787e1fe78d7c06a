# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How far a body gets on the path of a velocity."""

from __future__ import annotations

import math

from fcrn_depth_ros.alert.path import Body, FootprintConfig, meetings_m
from fcrn_depth_ros.alert.speed_limit import Velocity
from fcrn_depth_ros.errors import ConfigurationError
from hypothesis import assume, given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

ROUND = Body(0.2)
# 0.6 m long, 0.4 m wide, turning about a point 0.1 m before its back.
BOX = Body(0.0, ((0.5, 0.2), (0.5, -0.2), (-0.1, -0.2), (-0.1, 0.2)))
FORWARD, BACK = Velocity(linear_x=0.4), Velocity(linear_x=-0.4)
LEFT, RIGHT = Velocity(angular_z=1.0), Velocity(angular_z=-1.0)


def free(
    velocity: Velocity, body: Body, *points: tuple[float, float], gap_m: float = 0.05
) -> float:
    xy = np.array(points, float).reshape(-1, 2)
    met_m = meetings_m(velocity, body, xy, np.full(len(xy), gap_m), 2.0)
    return float(met_m.min(initial=math.inf))


@pytest.mark.parametrize(
    ('velocity', 'body', 'point', 'free_m'),
    [
        (FORWARD, ROUND, (1.0, 0.0), 0.75),
        (FORWARD, ROUND, (1.0, 0.24), 0.93),  # a corner is met where the circle reaches it
        (FORWARD, ROUND, (1.0, 0.26), math.inf),
        (FORWARD, ROUND, (-1.0, 0.0), math.inf),
        (FORWARD, ROUND, (3.0, 0.0), math.inf),  # beyond where it looks
        (BACK, ROUND, (-1.0, 0.0), 0.75),
        (BACK, ROUND, (1.0, 0.0), math.inf),
        (FORWARD, BOX, (1.0, 0.0), 0.45),
        (FORWARD, BOX, (1.0, 0.24), 0.45),
        (FORWARD, BOX, (1.0, 0.26), math.inf),
        (BACK, BOX, (-0.5, 0.1), 0.35),
        (Velocity(linear_y=0.4), ROUND, (0.0, 0.8), 0.55),
        (LEFT, ROUND, (0.22, 0.0), math.inf),  # a round body turns within itself
        (LEFT, BOX, (0.3, 0.4), 0.2),  # a corner swings into it: 0.2 m at a reach of 0.54 m
        (RIGHT, BOX, (0.3, 0.4), math.inf),  # the corner swings away
        (RIGHT, BOX, (0.3, -0.4), 0.2),
        (LEFT, BOX, (0.7, 0.0), math.inf),  # out of reach
    ],
)
def test_the_way_to_one_point(
    velocity: Velocity, body: Body, point: tuple[float, float], free_m: float
) -> None:
    if not math.isfinite(free_m) or velocity.angular_z == 0:
        assert free(velocity, body, point) == pytest.approx(free_m, abs=0.035)
    else:
        assert 0.02 < free(velocity, body, point) < 0.35


@pytest.mark.parametrize('side', [1.0, -1.0])
def test_an_arc_meets_what_is_on_it_and_passes_what_is_straight_ahead(side: float) -> None:
    arc = Velocity(linear_x=0.5, angular_z=side * 0.5)  # a circle of 1 m
    on_it = (math.sin(1.0), side * (1 - math.cos(1.0)))
    assert free(arc, ROUND, on_it) == pytest.approx(1.0 - 0.25, abs=0.04)
    assert free(arc, ROUND, (1.2, 0.0)) == math.inf
    assert free(FORWARD, ROUND, (1.2, 0.0)) < 1.0


def test_what_is_close_already_may_be_left_but_not_approached() -> None:
    beside = (0.0, 0.22)  # 2 cm from the body, nearer than its clearance
    assert free(FORWARD, ROUND, beside) == math.inf
    assert free(BACK, ROUND, beside) == math.inf
    assert free(Velocity(linear_x=0.3, angular_z=1.0), ROUND, (0.1, 0.22)) < 0.2
    inside = (0.1, 0.0)  # a track that drifted
    assert free(FORWARD, ROUND, inside) <= 0.03
    assert free(BACK, ROUND, inside) == math.inf


def test_what_may_be_met_sooner_is_but_what_is_passed_is_passed() -> None:
    points = np.array([[1.0, 0.0], [0.5, 0.3]])
    met_m = meetings_m(FORWARD, ROUND, points, np.full(2, 0.05), 2.0, np.array([0.3, 0.4]))
    assert met_m == pytest.approx(np.array([0.45, math.inf]), abs=0.04)
    met_m = meetings_m(FORWARD, ROUND, points, np.full(2, 0.05), 2.0, np.array([0.9, 0.0]))
    assert met_m.min() == 0.0


def test_the_nearest_of_many_decides_and_none_is_free() -> None:
    assert free(FORWARD, ROUND, (1.5, 0.0), (0.8, 0.1), (0.5, 0.9)) == pytest.approx(
        0.57, abs=0.04
    )
    assert free(FORWARD, ROUND) == math.inf
    assert free(Velocity(), BOX, (0.3, 0.0)) == math.inf


coordinates = st.floats(-2.0, 2.0)
speeds = st.floats(-1.0, 1.0)


@settings(max_examples=150, deadline=None)
@given(speeds, speeds, st.lists(st.tuples(coordinates, coordinates), max_size=6), st.booleans())
def test_more_obstacles_never_make_a_path_longer_and_its_end_is_free(
    speed_mps: float, turn_radps: float, points: list[tuple[float, float]], is_round: bool
) -> None:
    body = ROUND if is_round else BOX
    velocity = Velocity(linear_x=speed_mps, angular_z=turn_radps)
    assume(abs(speed_mps) + abs(turn_radps) > 1e-3)
    lengths = [free(velocity, body, *points[:count]) for count in range(len(points) + 1)]
    assert lengths == sorted(lengths, reverse=True)
    assert min(lengths) >= 0.0
    # A wider clearance does not make it longer either, but for what is within it already.
    apart = [point for point in points if body.clearance_m(np.array(point)) > 0.2]
    assert free(velocity, body, *apart, gap_m=0.15) <= free(velocity, body, *apart, gap_m=0.05)


@pytest.mark.parametrize(
    ('point', 'clearance_m'),
    [
        ((0.7, 0.0), 0.2),
        ((0.0, 0.3), 0.1),
        ((0.2, 0.0), -0.2),
        ((0.8, 0.6), 0.5),
        ((-0.2, -0.2), 0.1),
    ],
)
def test_the_distance_from_an_outline(point: tuple[float, float], clearance_m: float) -> None:
    assert BOX.clearance_m(np.array(point)) == pytest.approx(clearance_m)


def test_a_body_is_known_once_it_is_stated() -> None:
    assert FootprintConfig().body() is None
    assert FootprintConfig(footprint_radius_m=0.2).body() == ROUND
    outline = '[[0.5, 0.2], [0.5, -0.2], [-0.1, -0.2], [-0.1, 0.2]]'
    assert FootprintConfig(footprint=outline, footprint_radius_m=0.3).body() == BOX
    assert BOX.reach_m == pytest.approx(math.hypot(0.5, 0.2))
    assert ROUND.reach_m == 0.0


@pytest.mark.parametrize(
    'text', ['x', '[]', '[[1, 2], [3, 4]]', '[[0, 0], [1, 0], [1, "a"]]', '[[0,0],[1,0],[99,1]]',
             '[[0, 0], [1, 0], [1, NaN]]', '7', '{"a": 1}', '[[0, 0, 0], [1, 0, 0], [1, 1, 0]]'],
)  # fmt: skip
def test_an_outline_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match='footprint must be'):
        FootprintConfig(footprint=text)
