# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A distance that trembles is held at its nearest; nearer ones pass at once."""

from __future__ import annotations

import math

from fcrn_depth_ros.perception.steadiness import SteadyDistance
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest


def held(distances_m: list[float], hold_s: float = 0.5, step_s: float = 0.1) -> list[float]:
    steady = SteadyDistance()
    return [steady.update(1.0 + step_s * i, d, hold_s) for i, d in enumerate(distances_m)]


def test_slightly_farther_waits_and_nearer_passes_at_once() -> None:
    assert held([1.0, 1.05, 0.97, 1.0]) == [1.0, 1.0, 0.97, 0.97]


def test_what_was_held_ends_with_its_time() -> None:
    assert held([1.0] + [1.05] * 7) == pytest.approx([1.0] * 6 + [1.05] * 2)
    assert held([1.0, 1.05], hold_s=0.0) == [1.0, 1.05]


@pytest.mark.parametrize(('later_m', 'expected_m'), [(1.11, 1.0), (1.12, 1.12)])
def test_another_thing_does_not_wait(later_m: float, expected_m: float) -> None:
    assert held([1.0, later_m])[-1] == expected_m


def test_one_picture_with_something_near_does_not_hold() -> None:
    assert held([2.0, 0.4, 2.0]) == [2.0, 0.4, 2.0]


def test_unknown_stays_unknown_and_forgets() -> None:
    first, unknown, after = held([1.0, math.nan, 1.05])
    assert math.isnan(unknown)
    assert (first, after) == (1.0, 1.05)


def test_time_that_goes_back_forgets() -> None:
    steady = SteadyDistance()
    assert steady.update(5.0, 1.0, 0.5) == 1.0
    assert steady.update(4.9, 1.05, 0.5) == 1.05


def test_pictures_of_one_time_are_single_pictures() -> None:
    assert held([1.0, 1.05, 1.02], step_s=0.0) == [1.0, 1.05, 1.02]


def test_the_tremble_of_a_still_thing_is_halved() -> None:
    noise = np.exp(np.random.default_rng(0).normal(0.0, 0.014, 200))
    own, steady = np.log(noise), np.log(held([float(d) for d in noise]))
    assert np.abs(np.diff(steady, 2)).mean() < 0.5 * np.abs(np.diff(own, 2)).mean()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.0, 20.0) | st.just(math.nan), max_size=40), st.floats(0.0, 5.0))
def test_nothing_becomes_farther_and_nothing_much_nearer(
    distances_m: list[float], hold_s: float
) -> None:
    for own_m, held_m in zip(distances_m, held(distances_m, hold_s), strict=True):
        assert math.isnan(held_m) == math.isnan(own_m)
        assert math.isnan(own_m) or 0.9 * own_m <= held_m <= own_m
