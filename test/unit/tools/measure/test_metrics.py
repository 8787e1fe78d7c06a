# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The numbers of the benchmark, against values worked out by hand."""

from __future__ import annotations

import math

from fcrn_depth_ros.tools.measure.metrics import (
    depth_errors,
    mean_errors,
    near_counts,
    NearCounts,
    nearest_errors,
)
import numpy as np
import pytest

NAN = math.nan


def test_errors_by_hand():
    errors = depth_errors(np.array([1.0, 2.0, 6.0, 4.0]), np.array([1.0, 2.5, 4.0, 8.0]))
    assert errors.abs_rel == pytest.approx((0 + 0.2 + 0.5 + 0.5) / 4)
    assert errors.rmse_m == pytest.approx(math.sqrt((0 + 0.25 + 4 + 16) / 4))
    assert errors.log10 == pytest.approx(
        (0 + math.log10(1.25) + math.log10(1.5) + math.log10(2)) / 4
    )
    # A ratio of exactly 1.25 is outside, as the benchmark has it.
    assert (errors.d1, errors.d2, errors.d3) == (0.25, 0.75, 0.75)
    assert errors.scale == pytest.approx(0.9)


def test_scaled_error_sees_only_the_shape():
    true = np.linspace(1.0, 5.0, 50)
    errors = depth_errors(2.0 * true, true)
    assert errors.abs_rel == pytest.approx(1.0)
    assert errors.abs_rel_scaled == pytest.approx(0.0, abs=1e-12)


def test_pictures_weigh_the_same():
    one = depth_errors(np.full(1000, 2.0), np.full(1000, 1.0))
    other = depth_errors(np.full(10, 1.0), np.full(10, 1.0))
    assert mean_errors([one, other])['abs_rel'] == pytest.approx(0.5)


def test_near_counts_on_both_sides_of_the_distance():
    predicted = np.array([0.99, 1.0, 0.99, 1.0, NAN])
    true = np.array([0.99, 0.99, 1.0, 1.0, 0.5])
    counts = near_counts(predicted, true, 1.0)
    assert counts == NearCounts(hits=1, misses=2, false_alarms=1)
    assert counts.precision == pytest.approx(1 / 2)
    assert counts.recall == pytest.approx(1 / 3)
    assert counts.iou == pytest.approx(1 / 4)
    assert counts + counts == NearCounts(2, 4, 2)


def test_shares_of_nothing_are_none():
    nothing = NearCounts(0, 0, 0)
    assert (nothing.precision, nothing.recall, nothing.iou) == (None, None, None)
    assert NearCounts(0, 0, 3).recall is None
    assert NearCounts(0, 3, 0).precision is None


def test_nearest_errors():
    errors = nearest_errors([(1.0, 2.0), (3.0, 2.0), (2.5, 2.0), (2.51, 2.0), (NAN, 1.0)])
    assert errors['pictures'] == 4
    assert errors['mean_abs_m'] == pytest.approx(3.01 / 4)
    assert errors['mean_m'] == pytest.approx(1.01 / 4)
    assert errors['mean_rel'] == pytest.approx(3.01 / 8)
    assert errors['too_far_share'] == pytest.approx(2 / 4)
    assert errors['too_near_share'] == pytest.approx(1 / 4)
    assert nearest_errors([(1.5, 2.0), (1.49, 2.0)])['too_near_share'] == pytest.approx(1 / 2)
    assert nearest_errors([(NAN, 1.0)]) == {'pictures': 0}
