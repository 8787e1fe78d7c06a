# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

from fcrn_depth_ros.camera.depth_encoding import from_millimetres, to_millimetres
import numpy as np
import pytest


@pytest.mark.parametrize(
    ('metres', 'millimetres'),
    [
        (math.nan, 0),
        (0.0, 0),
        (0.0004, 0),
        (0.0006, 1),
        (0.001, 1),
        (1.2345, 1234),
        (65.535, 65535),
        (65.536, 0),
        (math.inf, 0),
        (-math.inf, 0),
        (-1.0, 0),
    ],
)
def test_to_millimetres(metres: float, millimetres: int) -> None:
    depth_mm = to_millimetres(np.full((2, 3), metres, np.float32))
    assert depth_mm.dtype == np.uint16 and np.all(depth_mm == millimetres)


def test_what_was_written_is_read_to_the_millimetre() -> None:
    every_mm = np.arange(1, 65536, dtype=np.uint16)
    assert np.array_equal(to_millimetres(from_millimetres(every_mm)), every_mm)
    metres = from_millimetres(np.array([0, 1500], np.uint16))
    assert metres.dtype == np.float32
    assert np.isnan(metres[0]) and metres[1] == 1.5
