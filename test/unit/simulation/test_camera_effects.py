# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
from simulation.camera_effects import apply_effects, CameraEffects, random_effects


def _ramp() -> np.ndarray:
    return np.tile(np.linspace(0, 200, 64).astype(np.uint8)[None, :, None], (48, 1, 3))


def test_clean_camera_changes_nothing() -> None:
    clean = apply_effects(_ramp(), CameraEffects(), np.random.default_rng(0))
    assert np.array_equal(clean, _ramp())


def test_automatic_exposure_levels_pictures() -> None:
    camera = CameraEffects(auto_exposure=1.0)
    rng = np.random.default_rng(0)
    dark, normal = (apply_effects(_ramp() // share, camera, rng).mean() for share in (4, 1))
    assert abs(dark - normal) < 8.0


def test_noise_blur_and_vignette() -> None:
    flat = np.full((48, 64, 3), 128, np.uint8)
    rng = np.random.default_rng(0)
    assert 2.0 < apply_effects(flat, CameraEffects(noise=4.0), rng).std() < 6.0
    corner_lit = apply_effects(flat, CameraEffects(vignette=0.5), rng)
    assert corner_lit[0, 0, 0] < 70 < 120 < corner_lit[24, 32, 0]
    edge = np.repeat(np.array([0, 200], np.uint8), 32)[None, :, None].repeat(48, 0).repeat(3, 2)
    blurred = apply_effects(edge, CameraEffects(blur_px=1.5), rng)
    assert 0 < blurred[24, 31, 0] < blurred[24, 32, 0] < 200


def test_equal_seeds_give_equal_pictures() -> None:
    first, second = (
        apply_effects(_ramp(), random_effects(rng), rng)
        for rng in (np.random.default_rng(5), np.random.default_rng(5))
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, _ramp())
