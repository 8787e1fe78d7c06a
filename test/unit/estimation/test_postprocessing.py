# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What of a network's output becomes metres, and what becomes unknown."""

from __future__ import annotations

import math

from fcrn_depth_ros.estimation.postprocessing import limit_depth, network_output_to_depth
import numpy as np
import pytest
from tiny_models import CARD, tiny_card

NAN = math.nan
LOG = tiny_card(output_kind='log_depth')
RELATIVE = tiny_card(output_kind='inverse_relative')


@pytest.mark.parametrize(
    ('card', 'raw', 'ratio', 'expected'),
    [
        (CARD, 2.0, 1.0, 2.0),
        (CARD, 2.0, 1.5, 3.0),
        (CARD, 10.0, 1.0, 10.0),
        (CARD, 10.01, 1.0, NAN),
        (CARD, 10.0, 1.5, 15.0),
        (CARD, 10.01, 1.5, NAN),
        (CARD, 0.1, 1.0, 0.1),
        (CARD, 0.05, 1.0, 0.1),
        (CARD, 1e-6, 2.0, 0.2),
        (CARD, 0.0, 1.0, NAN),
        (CARD, -1.0, 1.0, NAN),
        (CARD, NAN, 1.0, NAN),
        (CARD, math.inf, 1.0, NAN),
        (CARD, -math.inf, 1.0, NAN),
        (LOG, 0.0, 1.0, 1.0),
        (LOG, math.log(2.0), 1.5, 3.0),
        (LOG, -5.0, 1.0, 0.1),
        (LOG, -200.0, 1.0, 0.1),
        (LOG, 2.31, 1.0, NAN),
        (LOG, 200.0, 1.0, NAN),
        (LOG, NAN, 1.0, NAN),
        (LOG, -math.inf, 1.0, NAN),
        (RELATIVE, -3.0, 1.5, -3.0),
        (RELATIVE, 300.0, 1.0, 300.0),
        (RELATIVE, math.inf, 1.0, NAN),
    ],
)
def test_output_to_depth(card, raw, ratio, expected):
    depth = network_output_to_depth(np.full((2, 3), raw, np.float32), card, ratio)
    assert depth.dtype == np.float32
    assert depth.shape == (2, 3)
    assert depth == pytest.approx(np.full((2, 3), expected), nan_ok=True)


@pytest.mark.parametrize(
    ('depth', 'low', 'high', 'expected'),
    [
        (0.3, 0.5, 4.0, 0.5),
        (0.5, 0.5, 4.0, 0.5),
        (4.0, 0.5, 4.0, 4.0),
        (4.01, 0.5, 4.0, NAN),
        (40.0, 0.0, 0.0, 40.0),
        (NAN, 0.5, 4.0, NAN),
    ],
)
def test_limits_err_toward_near(depth, low, high, expected):
    given = np.array([[depth]], np.float32)
    assert limit_depth(given, low, high) == pytest.approx(np.array([[expected]]), nan_ok=True)
    assert given[0, 0] == pytest.approx(depth, nan_ok=True)
