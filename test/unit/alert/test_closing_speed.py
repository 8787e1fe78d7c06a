# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A trend that is an approach, and all that only looks like one."""

import math
import random

from fcrn_depth_ros.alert.closing_speed import theil_sen_slope, time_to_collision
import pytest

TIMES_S = [0.1 * i for i in range(11)]


def approach(start_m, speed_mps):
    """Give the distances to something that comes at a steady speed."""
    return [start_m - speed_mps * time_s for time_s in TIMES_S]


def ttc(distances_m):
    """Give the time to collision of distances at 10 Hz."""
    return time_to_collision(list(zip(TIMES_S, distances_m, strict=False)))


@pytest.mark.parametrize(
    ('start_m', 'speed_mps', 'ttc_s'),
    [
        (2.0, 1.0, 1.0),
        (3.0, 0.5, 5.0),
        (1.0, 0.1001, 0.8999 / 0.1001),
        (1.0, 0.09, math.inf),
        (1.0, 0.0, math.inf),
        (1.0, -1.0, math.inf),
    ],
)
def test_the_last_distance_over_the_rate(start_m, speed_mps, ttc_s):
    assert ttc(approach(start_m, speed_mps)) == pytest.approx(ttc_s)


@pytest.mark.parametrize(('samples', 'known'), [(5, False), (6, True), (0, False)])
def test_few_samples_are_no_trend(samples, known):
    ttc_s = ttc(approach(3.0, 1.0)[:samples])
    assert math.isfinite(ttc_s) is known


@pytest.mark.parametrize('position', range(11))
def test_one_outlier_neither_makes_nor_hides_an_approach(position):
    still, coming = approach(3.0, 0.0), approach(3.0, 1.0)
    still[position] = coming[position] = 0.5
    assert ttc(still) == math.inf
    assert ttc(coming) == pytest.approx(coming[-1], rel=0.3)


@pytest.mark.parametrize('step', range(1, 11))
def test_an_obstacle_that_steps_into_view_is_no_approach(step):
    distances_m = [5.0] * step + [1.5] * (11 - step)
    assert ttc(distances_m) == math.inf


def test_what_has_stopped_coming_or_only_begun_is_no_approach():
    coming = approach(3.0, 1.0)
    assert ttc(coming[:6] + [coming[5]] * 5) == math.inf
    assert ttc([coming[0]] * 6 + coming[1:6]) == math.inf


def test_noise_on_a_wall_is_no_approach():
    noise = random.Random(7)
    ttcs_s = [ttc([1.0 + noise.gauss(0, 0.02) for _ in TIMES_S]) for _ in range(300)]
    assert min(ttcs_s) > 1.0


def test_noise_on_an_approach_changes_the_time_little():
    noise = random.Random(7)
    ttcs_s = [ttc([d + noise.gauss(0, 0.02) for d in approach(2.5, 1.0)]) for _ in range(100)]
    assert 1.3 < min(ttcs_s) < 1.5 < max(ttcs_s) < 2.4


@pytest.mark.parametrize(
    ('times_s', 'values', 'slope'),
    [
        ([0, 1, 2], [0, 2, 4], 2.0),
        ([0, 1, 2], [0, 2, 90], 45.0),
        ([1, 1], [0, 5], 0.0),
        ([3], [1], 0.0),
        ([0, 1, 1, 2], [0, 1, 9, 2], 1.0),
    ],
)
def test_the_slope_is_the_median_of_all_pairs(times_s, values, slope):
    assert theil_sen_slope(list(zip(times_s, values, strict=True))) == slope
