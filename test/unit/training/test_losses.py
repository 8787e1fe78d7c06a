# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

import math

import pytest
import torch
from training.augment import Batch
from training.labels import FLOOR, IGNORED, NOT_FLOOR
from training.losses import (
    depth_loss,
    error_loss,
    error_spread,
    floor_loss,
    gradient_error,
    pixel_weights,
    teacher_loss,
    total_loss,
)
from training.network import Prediction
from training.runs import read_config

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


def batch_of(target, labels, told=1.0):
    picture = torch.zeros(len(target), 3, *target.shape[2:])
    taught = torch.ones(len(picture), dtype=torch.bool)
    return Batch(picture, told * torch.ones_like(target), target, labels, picture, taught)


def test_what_stands_on_the_floor_counts_more_than_the_floor():
    config = {'floor_pixel_weight': 0.5, 'near_pixel_weight': 2.0, 'near_m': 2.0}
    target = torch.tensor([1.0, 1.0, 1.0, 1.99, 2.01]).view(1, 1, 1, 5)
    labels = torch.tensor([IGNORED, FLOOR, NOT_FLOOR, NOT_FLOOR, NOT_FLOOR]).view(1, 1, 1, 5)
    assert pixel_weights(batch_of(target, labels), config).flatten().tolist() == [1, 0.5, 2, 2, 1]
    # Half of the picture is floor that is right, a sixteenth an obstacle that is 20 % wrong.
    target, labels = ONES.clone(), torch.full_like(ONES, FLOOR, dtype=torch.uint8)
    labels[..., :1], error = NOT_FLOOR, torch.zeros_like(ONES)
    error[..., :1] = math.log(1.2)
    weight = pixel_weights(batch_of(target, labels), config)
    weighted = depth_loss(error, target, 0.0, 0.0, 0.0, weight)
    assert weighted.item() == pytest.approx(math.log(1.2) * 2 / (2 + 15 * 0.5))
    assert weighted > depth_loss(error, target, 0.0, 0.0, 0.0)


def test_all_pixels_count_alike_where_the_mounting_is_not_told():
    config = {'floor_pixel_weight': 0.5, 'near_pixel_weight': 2.0, 'near_m': 2.0}
    labels = torch.full_like(ONES, NOT_FLOOR, dtype=torch.uint8)
    both = Batch(
        torch.zeros(2, 3, 16, 16),
        torch.stack([0 * ONES[0], 0 * ONES[0]]),
        torch.cat([ONES, ONES]),
        torch.cat([labels, labels]),
        torch.zeros(2, 3, 16, 16),
        torch.ones(2, dtype=torch.bool),
    )
    both.inverse_floor[1, 0, 15, 15] = 0.1  # a floor in one corner
    weight = pixel_weights(both, config)
    assert weight[0].unique().tolist() == [1.0]
    assert weight[1].unique().tolist() == [2.0]


@pytest.mark.parametrize(('label', 'expected'), [(FLOOR, 1.0), (NOT_FLOOR, 3.0)])
def test_an_obstacle_taken_for_floor_costs_more(label, expected):
    labels = torch.full_like(ONES, IGNORED, dtype=torch.uint8)
    labels[..., 0, :4] = FLOOR
    labels[..., 1, :4] = NOT_FLOOR
    right = torch.where(labels == FLOOR, 20.0, -20.0)
    wrong = torch.where(labels == label, -right, right)
    assert floor_loss(right, labels, 3.0).item() < 1e-6
    assert floor_loss(wrong, labels, 3.0).item() == pytest.approx(20 * expected / 4.0, rel=1e-3)
    ignored = torch.where(labels == IGNORED, -right, right)
    assert floor_loss(ignored, labels, 3.0).item() < 1e-6
    assert floor_loss(right, 0 * labels, 3.0).item() == 0


def test_the_expected_error_is_learnt_and_does_not_move_the_depth():
    depth = torch.full_like(ONES, math.log(1.2)).requires_grad_()
    said = torch.zeros_like(ONES).requires_grad_()
    for _ in range(400):
        loss = error_loss(said, depth, ONES)
        (slope,) = torch.autograd.grad(loss, said)
        said = (said - 100 * slope).detach().requires_grad_()
    assert said.exp().mean().item() == pytest.approx(math.log(1.2), rel=0.02)
    error_loss(said, depth, ONES).backward()
    assert depth.grad is None


def test_a_teacher_is_followed_where_nothing_was_measured():
    config = {'gradient_weight': 0.0, 'floor_weight': 0.5}
    teacher = Prediction(ONES, None, 4 * ONES)
    same = teacher_loss(Prediction(ONES, None, 4 * ONES), teacher, config)
    other = teacher_loss(Prediction(ONES + 0.3, None, 4 * ONES), teacher, config)
    assert (other - same).item() == pytest.approx(0.3, rel=1e-4)
    floorless = teacher_loss(Prediction(ONES, None, None), teacher, config)
    assert floorless.item() == pytest.approx(0.0, abs=1e-6)
    assert teacher_loss(Prediction(ONES, None, -4 * ONES), teacher, config) > same + 1


def test_only_taught_pictures_follow_the_teacher():
    config = read_config()
    picture, labels = torch.zeros(2, 3, 32, 32), torch.zeros(2, 1, 16, 16, dtype=torch.uint8)
    both = torch.cat([ONES, ONES])
    parts = [
        total_loss(
            Prediction(both),
            Batch(picture, picture[:, :1], 0 * both, labels, picture, torch.tensor([first, True])),
            config,
            Prediction(torch.cat([ONES + 0.3] * (1 + first))),
        )[1]['teacher'].item()
        for first in (False, True)
    ]
    assert parts[0] == pytest.approx(0.3 / 2, rel=1e-4)
    assert parts[1] == pytest.approx(0.3, rel=1e-4)


@pytest.mark.parametrize('whole', [False, True])
def test_the_total_is_the_weighted_sum_of_what_is_predicted(whole):
    config = read_config()
    picture = torch.zeros(1, 3, 32, 32)
    labels = torch.full_like(ONES, FLOOR, dtype=torch.uint8)
    taught = torch.ones(1, dtype=torch.bool)
    batch = Batch(picture, picture[:, :1], 2 * ONES, labels, picture, taught)
    said = Prediction(ONES, -ONES, ONES) if whole else Prediction(ONES)
    total, parts = total_loss(said, batch, config, said if whole else None)
    weights = {'depth': 1.0, 'floor': config['floor_weight'], 'error': config['error_weight'],
               'teacher': config['teacher_weight']}  # fmt: skip
    assert set(parts) == (set(weights) if whole else {'depth'})
    expected = sum(weights[name] * part for name, part in parts.items())
    assert total.item() == pytest.approx(expected.item(), rel=1e-5)
