# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Pictures that show nothing are refused; dim, bright and soft pictures of a scene are not."""

from __future__ import annotations

import cv2
from fcrn_depth_ros.errors import ConfigurationError
from fcrn_depth_ros.perception.quality import assess_image, QualityConfig
import numpy as np
import pytest

SIZES = [(240, 320), (480, 640), (720, 1280)]


def to_image(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255).astype(np.uint8)


def scene(size: tuple[int, int], gain: float = 1.0, offset: float = 0.0) -> np.ndarray:
    """Return a floor, a wall, a door and a box, softly lit, with sensor noise."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width] / [[[height]], [[width]]]
    luma = 120 + 40 * x
    luma[y > 0.6] = 70 + 40 * y[y > 0.6]
    luma[(x > 0.6) & (x < 0.8) & (y > 0.2) & (y < 0.6)] = 80
    luma[(x > 0.2) & (x < 0.4) & (y > 0.5) & (y < 0.8)] = 190
    noise = np.random.default_rng(0).normal(0, 3, (height, width, 3))
    return to_image(gain * luma[..., None] + offset + noise)


def nothing(kind: str, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    random = np.random.default_rng(1)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    vignette = (1 - 0.25 * (x**2 + y**2))[..., None]
    shape = (height, width, 3)
    if kind == 'black with sensor noise':
        return to_image(random.normal(10, 15, shape))
    if kind == 'black':
        return np.zeros(shape, np.uint8)
    if kind == 'glare':
        return to_image(random.normal(300, 30, shape))
    if kind == 'white':
        return np.full(shape, 255, np.uint8)
    if kind == 'wall with vignetting and noise':
        return to_image(160 * vignette + random.normal(0, 8, shape))
    if kind == 'finger':
        return to_image(vignette * (150, 40, 30) + random.normal(0, 6, shape))
    if kind == 'uniform':
        return np.full(shape, 120, np.uint8)
    if kind == 'white noise':
        return random.integers(0, 256, shape).astype(np.uint8)
    if kind == 'grey noise':
        return np.repeat(random.integers(0, 256, (height, width, 1)), 3, 2).astype(np.uint8)
    if kind == 'noise through JPEG':
        _, data = cv2.imencode(
            '.jpg', nothing('white noise', size), [cv2.IMWRITE_JPEG_QUALITY, 50]
        )
        return cv2.imdecode(data, cv2.IMREAD_COLOR)
    raise ValueError(kind)


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(
    ('kind', 'reason'),
    [
        ('black', 'dark'),
        ('black with sensor noise', 'dark'),
        ('white', 'overexposed'),
        ('glare', 'overexposed'),
        ('uniform', 'featureless'),
        ('wall with vignetting and noise', 'featureless'),
        ('finger', 'featureless'),
        ('white noise', 'noise'),
        ('grey noise', 'noise'),
        ('noise through JPEG', 'noise'),
    ],
)
def test_nothing_is_seen_as_nothing(kind, reason, size):
    quality = assess_image(nothing(kind, size))
    assert (quality.usable, quality.reason) == (False, reason)


@pytest.mark.parametrize('size', [*SIZES, (60, 80), (8, 8)])
@pytest.mark.parametrize(('gain', 'offset'), [(1.0, 0.0), (0.35, 0.0), (1.3, 0.0), (0.5, 120.0)])
def test_a_scene_is_usable_in_dim_and_bright_light(size, gain, offset):
    quality = assess_image(scene(size, gain, offset))
    assert (quality.usable, quality.reason) == (True, '')


def test_each_limit_decides_from_its_own_value():
    image = scene((240, 320))
    found = assess_image(image)
    limits = {
        'min_brightness': (found.brightness, 'dark'),
        'min_contrast': (found.contrast, 'featureless'),
        'min_coherence': (found.coherence, 'noise'),
    }
    for name, (value, reason) in limits.items():
        assert assess_image(image, QualityConfig(**{name: value})).usable
        above = QualityConfig(**{name: float(np.nextafter(value, np.inf))})
        assert assess_image(image, above).reason == reason


def test_saturated_share_decides():
    image = scene((60, 80))
    image[:42] = 255
    assert assess_image(image).saturated_share == pytest.approx(0.7)
    assert assess_image(image).usable
    image[42] = 255
    assert assess_image(image).reason == 'overexposed'


def test_the_gate_can_be_switched_off():
    quality = assess_image(nothing('black', (48, 64)), QualityConfig(quality_gate=False))
    assert quality.usable
    assert quality.brightness == 0.0


def test_impossible_limits_are_refused():
    with pytest.raises(ConfigurationError, match='min_coherence'):
        QualityConfig(min_coherence=1.1)


@pytest.mark.parametrize(('level', 'share'), [(249, 0.0), (250, 1.0)])
def test_a_luma_of_250_is_saturated(level, share):
    picture = np.full((60, 80, 3), level, np.uint8)
    assert assess_image(picture).saturated_share == share


def test_a_uniform_picture_has_no_coherence():
    assert assess_image(np.full((60, 80, 3), 120, np.uint8)).coherence == 0.0


def test_a_faint_picture_has_the_coherence_of_a_strong_one():
    picture = np.full((60, 80, 3), 120, np.uint8)
    picture[:, 40:] = 121
    assert assess_image(picture).coherence > 0.9


def test_brightness_and_contrast_are_percentiles_that_single_pixels_do_not_move():
    picture = np.full((60, 80, 3), 50, np.uint8)
    picture[0, :40] = 200  # 40 of 4,800 pixels, less than 1 %
    assert assess_image(picture).brightness == pytest.approx(50, abs=1)
    picture = np.full((60, 80, 3), 50, np.uint8)
    picture[30, 40] = 200
    assert assess_image(picture).contrast == 0.0
