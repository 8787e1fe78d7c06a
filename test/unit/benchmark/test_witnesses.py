# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Flicker is what does not follow the trend."""

from __future__ import annotations

import math

from benchmark.witnesses import flicker
import numpy as np
import pytest


def test_a_steady_approach_does_not_flicker() -> None:
    assert flicker([2.0 * 0.95**step for step in range(20)]) == pytest.approx(0.0, abs=1e-12)


def test_a_distance_that_jumps_to_and_fro_flickers_by_the_jump() -> None:
    jumps = [math.exp(0.05 * (step % 2)) for step in range(20)]
    assert flicker(jumps) == pytest.approx(0.05)
    assert flicker(list(3.0 * np.array(jumps))) == pytest.approx(0.05)


def test_two_pictures_are_too_few() -> None:
    assert math.isnan(flicker([1.0, 1.1]))
    assert flicker([1.0, 1.1, 1.0]) > 0.0
