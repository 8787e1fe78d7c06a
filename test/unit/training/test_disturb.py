# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from training.disturb import _convolve, _kernels, disturb, jpeg_like

NONE = dict.fromkeys(
    ('blur_share', 'motion_share', 'dark_share', 'noise_share', 'jpeg_share'), 0.0
)


def picture() -> np.ndarray:
    """Return a coloured picture with soft and sharp edges, (64, 96, 3) uint8."""
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(60, 200, (8, 12, 1)).astype(np.uint8), (96, 64))
    image = np.clip(image[..., None] * np.array([1.2, 1.0, 0.7]), 0, 255).astype(np.uint8)
    cv2.circle(image, (50, 30), 15, (250, 20, 60), -1)
    return image


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32))


@pytest.mark.parametrize('quality', [25, 50, 85])
def test_jpeg_is_that_of_libjpeg(quality):
    image = picture()
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    real = cv2.imdecode(cv2.imencode('.jpg', image[..., ::-1], options)[1], cv2.IMREAD_COLOR)
    ours = jpeg_like(tensor(image), np.array([float(quality)]))[0].numpy().transpose(1, 2, 0)
    lost = np.abs(real[..., ::-1].astype(float) - image).mean()
    assert np.abs(ours - real[..., ::-1]).mean() < 0.6 * lost
    assert np.abs(ours - image).mean() == pytest.approx(lost, rel=0.3)


def test_kernels_are_gaussians_and_lines_of_sum_one():
    soft, moved = np.array([True, False, False]), np.array([False, True, False])
    kernels = _kernels(soft, moved, np.random.default_rng(3))
    np.testing.assert_allclose(kernels.sum((1, 2)), 1, rtol=1e-5)
    assert kernels[2, 5, 5] > 0.99  # neither: the picture stays
    np.testing.assert_allclose(kernels[0], kernels[0].T, atol=1e-6)
    y, x = np.indices((11, 11)) - 5
    spread = np.linalg.eigvalsh(np.cov(np.stack([x, y]).reshape(2, -1),
                                       aweights=kernels[1].ravel()))  # fmt: skip
    assert spread[1] > 4 * spread[0]


def test_each_sample_is_convolved_with_its_own_kernel():
    image = torch.rand(2, 3, 32, 32)
    kernels = np.zeros((2, 11, 11), np.float32)
    kernels[0, 5, 5] = kernels[1, 5, 6] = 1
    moved = _convolve(image, kernels)
    torch.testing.assert_close(moved[0], image[0])
    torch.testing.assert_close(moved[1, :, :, :-1], image[1, :, :, 1:])


def run(config: dict, seed: int = 0) -> torch.Tensor:
    image = tensor(picture()).expand(16, -1, -1, -1)
    generator = torch.Generator().manual_seed(seed)
    return disturb(image, np.random.default_rng(seed), generator, NONE | config)


def test_the_result_is_a_picture_again():
    every = dict.fromkeys(NONE, 1.0)
    image = run(every)
    assert image.shape == (16, 3, 64, 96)
    assert image.min() >= 0 and image.max() <= 255 and torch.equal(image, image.round())
    assert image.std() > 5


@pytest.mark.parametrize('fault', list(NONE))
def test_every_fault_changes_the_pictures_that_have_it(fault):
    changed = (run({fault: 1.0}) != run({})).flatten(1).float().mean(1)
    assert (changed > 0.05).all()


def test_low_light_is_dark_and_noisy():
    dark, light = run({'dark_share': 1.0}), run({})
    assert dark.mean() < 0.9 * light.mean()
    edges = [x.diff(dim=3).abs().mean() / x.mean() for x in (dark, light)]
    assert edges[0] > edges[1]


def test_faults_are_the_same_for_the_same_seed():
    every = dict.fromkeys(NONE, 0.5)
    assert torch.equal(run(every, 3), run(every, 3))
    assert not torch.equal(run(every, 3), run(every, 4))
