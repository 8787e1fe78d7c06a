# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

import math

import pytest
import torch
from training.losses import depth_loss, error_spread, gradient_error

ONES = torch.ones(1, 1, 16, 16)


def test_right_depth_costs_next_to_nothing():
    loss = depth_loss(torch.log(2 * ONES), 2 * ONES, 0.5, 0.5, 0.5)
    assert loss.item() == pytest.approx(0.0005, abs=1e-5)  # the floor of the spread, 1e-3, halved


@pytest.mark.parametrize(('relative', 'expected'), [(0.0, math.log(1.2)), (1.0, 0.2)])
def test_a_wrong_scale_costs_the_absolute_loss_only(relative, expected):
    loss = depth_loss(torch.log(1.2 * ONES), ONES, relative, 0.0, 1.0)
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_relative_loss_prefers_too_near():
    far, near = torch.log(1.5 * ONES), torch.log(ONES / 1.5)
    assert depth_loss(far, ONES, 1.0, 0, 0) > depth_loss(near, ONES, 1.0, 0, 0)
    assert depth_loss(far, ONES, 0.0, 0, 0) == pytest.approx(depth_loss(near, ONES, 0.0, 0, 0))


def test_unknown_pixels_count_nowhere():
    target = 2 * ONES.clone()
    prediction = torch.log(target)
    target[..., :8], prediction[..., :8] = 0, 5
    assert depth_loss(prediction, target, 0.5, 0.5, 0.5).item() < 1e-3


def test_image_without_target_is_finite():
    prediction = ONES.clone().requires_grad_()
    depth_loss(prediction, 0 * ONES, 0.5, 0.5, 0.5).backward()
    assert not prediction.grad.any()


def test_spread_and_gradient_of_a_step():
    error = torch.zeros(1, 1, 16, 16)
    error[..., 8:] = 1
    assert error_spread(error, ONES).item() == pytest.approx(0.5)
    assert gradient_error(error, ONES).item() == pytest.approx(
        sum(1 / (length - 1) for length in (16, 8, 4, 2)) / 4
    )
