# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What the bench of steadiness counts."""

from __future__ import annotations

from benchmark.steadiness import flicker, pictures_until, sensor_noise
import numpy as np
import pytest


def test_flicker_is_what_leaves_the_trend() -> None:
    assert flicker([2.0 * 0.95**step for step in range(20)]) == pytest.approx(0.0, abs=1e-12)
    assert flicker([float(np.exp(0.05 * (step % 2))) for step in range(20)]) == pytest.approx(0.05)


def test_the_first_picture_that_shows_it_is_the_first() -> None:
    assert pictures_until([2.0] * 5 + [1.0] * 12, 5) == 1
    assert pictures_until([2.0] * 5 + [1.3, 1.2] + [1.0] * 12, 5) == 3


def test_noise_is_found_where_the_camera_hardly_moves() -> None:
    rng = np.random.default_rng(1)
    blocks = np.kron(rng.integers(40, 200, (12, 16, 3)), np.ones((10, 10, 1)))
    clip = [
        np.clip(blocks + rng.normal(0.0, 3.0, blocks.shape), 0, 255).astype(np.uint8)
        for _ in range(14)
    ]
    found = np.stack(sensor_noise(clip))
    assert 2.0 < float(found[:, 10:-10, 10:-10].std()) < 3.5
