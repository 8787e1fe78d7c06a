# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
from dataclasses import replace
import math

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.rectification import LensCalibration, Rectifier
from fcrn_depth_ros.errors import CameraInfoError
import numpy as np
import pytest

CAMERA = CameraIntrinsics(200.0, 200.0, 159.5, 119.5, 320, 240)


def lens(model: str, coefficients: tuple[float, ...]) -> LensCalibration:
    matrix = np.array([[210.0, 0, 155.0], [0, 205.0, 122.0], [0, 0, 1.0]])
    return LensCalibration(CAMERA, matrix, np.eye(3), np.array(coefficients), model)


def through_lens(
    x: float, y: float, model: str, coefficients: tuple[float, ...]
) -> tuple[float, float]:
    """Project a ray (x, y, 1) with the textbook formulas of each model."""
    r2 = x * x + y * y
    if model == 'equidistant':
        r = math.sqrt(r2)
        theta = math.atan(r)
        powers = sum(k * theta ** (2 * i + 3) for i, k in enumerate(coefficients))
        scale = (theta + powers) / r
        return x * scale, y * scale
    k1, k2, p1, p2, k3 = (*coefficients, 0.0, 0.0)[:5]
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    return (
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
    )


@pytest.mark.parametrize(
    ('model', 'coefficients'),
    [
        ('plumb_bob', (0.0, 0.0, 0.0, 0.0, 0.0)),
        ('plumb_bob', (-0.25, 0.06, 0.002, -0.001, 0.0)),
        ('equidistant', (0.05, -0.02, 0.0, 0.0)),
    ],
)
@pytest.mark.parametrize('pixel', [(159.5, 119.5), (60.0, 40.0), (290.0, 200.0)])
def test_a_dot_lands_where_a_pinhole_sees_it(
    model: str, coefficients: tuple[float, ...], pixel: tuple[float, float]
) -> None:
    calibration = lens(model, coefficients)
    ray = ((pixel[0] - 159.5) / 200.0, (pixel[1] - 119.5) / 200.0)
    ray = ray if any(ray) else (1e-9, 0.0)
    x, y = through_lens(*ray, model, coefficients)
    raw_x, raw_y = 210.0 * x + 155.0, 205.0 * y + 122.0
    v, u = np.mgrid[:240, :320]
    dot = 255 * np.exp(-((u - raw_x) ** 2 + (v - raw_y) ** 2) / (2 * 2.0**2))
    raw = np.repeat(dot[:, :, None], 3, axis=2).astype(np.uint8)
    rectified = Rectifier(calibration).rectify(raw)[:, :, 0].astype(float)
    weight = rectified.sum()
    found = (u * rectified).sum() / weight, (v * rectified).sum() / weight
    assert found == pytest.approx(pixel, abs=0.3)


@pytest.mark.parametrize(
    ('model', 'count'), [('unheard of', 5), ('plumb_bob', 3), ('equidistant', 5)]
)
def test_unusable_distortion_is_named(model: str, count: int) -> None:
    with pytest.raises(CameraInfoError, match=f'{model!r} with {count}'):
        Rectifier(lens(model, (0.1,) * count))


def test_an_unnamed_lens_is_derived_or_refused() -> None:
    derived = Rectifier(lens('', (0.1, 0.0, 0.0, 0.0, 0.0)))
    stated = Rectifier(lens('plumb_bob', (0.1, 0.0, 0.0, 0.0, 0.0)))
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    assert np.array_equal(derived.rectify(noise), stated.rectify(noise))
    Rectifier(lens('', ()))
    # Four are plumb_bob's or equidistant's, and the pictures differ by much.
    with pytest.raises(CameraInfoError, match='distortion_model must be stated for 4'):
        Rectifier(lens('', (0.18, -0.03, 0.0, 0.0)))


@pytest.mark.parametrize(
    ('model', 'coefficients', 'expected'),
    [
        ('plumb_bob', (), False),
        ('plumb_bob', (0.0,) * 5, False),
        ('plumb_bob', (0.0, 0.0, 0.0, 1e-3, 0.0), True),
        # Straight lines are bent by an equidistant lens even where its coefficients are zero.
        ('equidistant', (0.0,) * 4, True),
    ],
)
def test_distortion_is_noticed(
    model: str, coefficients: tuple[float, ...], expected: bool
) -> None:
    assert lens(model, coefficients).is_distorted == expected


def test_same_as_notices_every_part() -> None:
    one = lens('plumb_bob', (0.1, 0.0, 0.0, 0.0, 0.0))
    assert one.same_as(replace(one, distortion=one.distortion.copy()))
    for change in (
        {'intrinsics': CAMERA.scaled_to(160, 120)},
        {'camera_matrix': one.camera_matrix * 1.01},
        {'rectification': -np.eye(3)},
        {'distortion': one.distortion * 2},
        {'distortion_model': 'rational_polynomial'},
    ):
        assert not one.same_as(replace(one, **change))


@pytest.mark.parametrize(
    ('changes', 'moves'),
    [
        ({}, False),
        ({'distortion': np.array([0.1, 0.0, 0.0, 0.0])}, True),
        ({'rectification': np.array([[1.0, 0.1, 0], [-0.1, 1.0, 0], [0, 0, 1.0]])}, True),
        ({'intrinsics': CameraIntrinsics(55.0, 60.0, 31.5, 23.5, 64, 48)}, True),
    ],
)
def test_pixels_move_only_where_raw_and_rectified_differ(changes, moves):
    plain = LensCalibration.of_raw_picture(CameraIntrinsics(60.0, 60.0, 31.5, 23.5, 64, 48))
    assert dataclasses.replace(plain, **changes).moves_pixels is moves
