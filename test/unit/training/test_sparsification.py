# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from training.sparsification import ause, error_by_decile, FRACTIONS, sparsification

ERROR = np.arange(1.0, 101.0)  # 1 .. 100


def test_what_is_left_after_the_worst_are_removed() -> None:
    curve = sparsification(ERROR, ERROR)
    assert len(curve) == len(FRACTIONS) == 20
    assert curve[0] == pytest.approx(50.5)
    assert curve[10] == pytest.approx(25.5)  # 1 .. 50
    assert curve[-1] == pytest.approx(3.0)  # 1 .. 5
    assert sparsification(ERROR, -ERROR)[10] == pytest.approx(75.5)


def test_the_order_of_the_true_errors_has_no_area() -> None:
    assert ause(ERROR, 3 * ERROR**2) == 0.0
    assert ause(np.zeros(4), np.arange(4.0)) == 0.0
    assert ause(np.array([0.5]), np.array([1.0])) == 0.0


def test_a_better_order_has_less_area() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 100)
    areas = [ause(ERROR, ERROR + scale * noise) for scale in (1, 30, 1000)]
    assert 0 < areas[0] < areas[1] < areas[2] < ause(ERROR, -ERROR)
    # Reversed: removing f leaves 101 - (1 + 100 (1 - f)) / 2 in place of (1 + 100 (1 - f)) / 2.
    left = 100 * (1 - FRACTIONS)
    assert ause(ERROR, -ERROR) == pytest.approx(np.mean(101 - (1 + left)) / 50.5)


def test_errors_by_tenths_of_the_confidence() -> None:
    shuffled = np.random.default_rng(1).permutation(ERROR)
    deciles = error_by_decile(shuffled, np.exp(-shuffled / 100))
    assert deciles == pytest.approx(np.arange(10) * 10 + 5.5)
