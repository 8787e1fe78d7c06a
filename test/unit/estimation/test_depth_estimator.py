# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The whole path: scale for the camera, for the mounting, and what is said about it."""

from __future__ import annotations

import dataclasses
import itertools

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
from fcrn_depth_ros.camera.orientation import turn_intrinsics, turn_picture
from fcrn_depth_ros.errors import CameraInfoError, ConfigurationError, ImageFormatError
from fcrn_depth_ros.estimation.depth_estimator import DepthEstimator, EstimationConfig
from fcrn_depth_ros.estimation.onnx_model import load_onnx_model
from fcrn_depth_ros.estimation.stopwatch import Stage, Stopwatch
from fcrn_depth_ros.estimation.trained_range import TrainedRange
import numpy as np
import pytest
from tiny_models import tiny_card, write_model

# Training camera of the tiny card: 32 px at width 32, which is 64 px at width 64.
WIDE = CameraIntrinsics(32.0, 32.0, 31.5, 23.5, 64, 48)
LEVEL = CameraMounting(0.5)
TILTED = CameraMounting(0.5, 20.0)

# Blocks of light and dark, 100 on average, so that the tiny network says 1.0 m.
BLOCKS = np.kron(np.indices((6, 8)).sum(0) % 2, np.ones((8, 8)))
IMAGE = np.repeat((60 + 80 * BLOCKS).astype(np.uint8)[..., None], 3, axis=2)


@pytest.fixture
def estimator(tmp_path):
    def build(config=None, *, output=None, confidence=None, **card):
        path = write_model(
            tmp_path / 'm.onnx', tiny_card(**card), output=output, confidence=confidence
        )
        return DepthEstimator(load_onnx_model(path), config)

    return build


def test_depth_without_any_knowledge_of_the_camera(estimator):
    estimate = estimator().estimate(IMAGE)
    assert estimate.depth_m.shape == (24, 32)
    assert estimate.depth_m.mean() == pytest.approx(1.0)
    assert estimate.is_metric
    assert estimate.intrinsics == CameraIntrinsics.from_field(32.0, 32.0, 32, 24)
    assert not estimate.is_camera_known
    assert estimate.inverse_floor_depth is None
    assert not estimate.focal_corrected
    assert estimate.mounting_used == 'none'


def test_the_stopwatch_has_the_network_and_what_comes_before_it(estimator):
    stopwatch = Stopwatch(itertools.count().__next__)
    estimator().estimate(IMAGE, stopwatch=stopwatch)
    assert stopwatch.times_s == {Stage.PREPARE: 1, Stage.INFERENCE: 1}


@pytest.mark.parametrize(('correction', 'factor'), [('auto', 0.5), ('off', 1.0)])
def test_focal_correction(estimator, correction, factor):
    estimate = estimator(EstimationConfig(focal_correction=correction)).estimate(IMAGE, WIDE)
    assert estimate.depth_m.mean() == pytest.approx(factor)
    assert estimate.focal_corrected == (correction == 'auto')


def test_depth_size_and_its_intrinsics(estimator):
    small = estimator(output=np.full((1, 1, 12, 16), 2.0)).estimate(IMAGE, WIDE)
    assert small.depth_m.shape == (12, 16)
    assert small.intrinsics == WIDE.scaled_to(16, 12)
    large = estimator(EstimationConfig(depth_size='input')).estimate(IMAGE, WIDE)
    assert large.depth_m.shape == (48, 64)
    assert large.intrinsics == WIDE


def test_the_mounting_reaches_the_network_in_its_own_world(estimator):
    build = estimator(mounting_input='floor', valid_max_m=1000.0)
    without = build.estimate(IMAGE, WIDE).depth_m
    with_mounting = build.estimate(IMAGE, WIDE, LEVEL)
    network = WIDE.scaled_to(32, 24)
    # Network output + its floor map, then both scaled by the focal ratio of one half.
    expected = without + 0.5 * 0.5 * inverse_floor_depth(network, LEVEL)
    assert with_mounting.depth_m == pytest.approx(expected, rel=1e-4)
    assert with_mounting.mounting_used == 'network'
    assert with_mounting.inverse_floor_depth == pytest.approx(inverse_floor_depth(network, LEVEL))


def test_mounting_without_intrinsics_assumes_the_training_camera(estimator):
    build = estimator(mounting_input='floor')
    floor = build.estimate(IMAGE, None, LEVEL)
    training = CameraIntrinsics.from_field(32.0, 32.0, 32, 24)
    assert floor.inverse_floor_depth == pytest.approx(inverse_floor_depth(training, LEVEL))
    assert floor.depth_m - build.estimate(IMAGE).depth_m == pytest.approx(
        inverse_floor_depth(training, LEVEL), abs=1e-5
    )
    assert floor.mounting_used == 'network'
    assert floor.intrinsics == training
    assert not floor.is_camera_known


def test_floor_scale_for_networks_without_the_input(estimator):
    camera = WIDE.scaled_to(32, 24)
    with np.errstate(divide='ignore'):
        drawn = np.minimum(1.0 / inverse_floor_depth(camera, TILTED), 5.0)
    build = estimator(EstimationConfig(focal_correction='off'), output=3.0 * drawn[None, None],
                      valid_max_m=100.0)  # fmt: skip
    estimate = build.estimate(IMAGE, WIDE, TILTED)
    assert estimate.mounting_used == 'floor_scale'
    assert estimate.depth_m == pytest.approx(drawn, rel=0.03)


def test_no_floor_in_view_leaves_the_scale_and_says_so(estimator):
    estimate = estimator(output=np.full((1, 1, 24, 32), 2.0)).estimate(
        IMAGE, None, CameraMounting(0.5, -80.0)
    )
    assert estimate.mounting_used == 'none'
    assert (estimate.depth_m == 2.0).all()
    assert estimate.inverse_floor_depth is not None


@pytest.mark.parametrize('known', [False, True])
def test_limits_of_the_user(estimator, known):
    ramp = np.linspace(0.5, 8.0, 768).reshape(1, 1, 24, 32)
    config = EstimationConfig(min_depth_m=1.0, max_depth_m=4.0, focal_correction='off')
    depth = estimator(config, output=ramp).estimate(IMAGE, WIDE if known else None).depth_m
    assert np.isnan(depth[ramp[0, 0] > 4.0]).all()
    assert np.nanmin(depth) == 1.0
    assert np.nanmax(depth) == pytest.approx(4.0, abs=0.01)


@pytest.mark.parametrize('size', ['network', 'input'])
@pytest.mark.parametrize(
    ('card', 'used'),
    [({'mounting_input': 'floor'}, 'network'), ({'output': np.full((1, 1, 12, 16), 2.0)}, 'none')],
)
def test_unknown_depth_has_the_shape_of_an_estimate(estimator, size, card, used):
    build = estimator(EstimationConfig(depth_size=size), **card)
    unknown = build.unknown(IMAGE, WIDE, TILTED)
    estimate = build.estimate(IMAGE, WIDE, TILTED)
    assert np.isnan(unknown.depth_m).all()
    assert unknown.depth_m.shape == estimate.depth_m.shape
    assert unknown.intrinsics == estimate.intrinsics
    assert unknown.inverse_floor_depth == pytest.approx(estimate.inverse_floor_depth)
    assert (unknown.mounting_used, unknown.focal_corrected) == (used, True)


def test_unknown_depth_of_a_network_of_dynamic_size(tmp_path):
    path = write_model(tmp_path / 'm.onnx', tiny_card(), dynamic=True)
    build = DepthEstimator(load_onnx_model(path))
    assert build.unknown(IMAGE).depth_m.shape == (24, 32)


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_a_camera_on_its_side_is_turned_upright_and_back(estimator, turns):
    rng = np.random.default_rng(0)
    upright = rng.integers(40, 220, (48, 64, 3), dtype=np.uint8)
    build = estimator(mounting_input='floor', valid_max_m=1000.0)
    expected = build.estimate(upright, WIDE, CameraMounting(0.5, 20.0, 4.0))
    # The camera's roll is undone by as many clockwise turns, so its picture has the opposite.
    picture = turn_picture(upright, -turns)
    camera = turn_intrinsics(WIDE, -turns)
    rolled = CameraMounting(0.5, 20.0, (4.0 + 90.0 * turns + 180.0) % 360.0 - 180.0)
    estimate = build.estimate(picture, camera, rolled)
    np.testing.assert_allclose(estimate.depth_m, turn_picture(expected.depth_m, -turns), rtol=1e-5)
    np.testing.assert_allclose(
        estimate.inverse_floor_depth, inverse_floor_depth(estimate.intrinsics, rolled), atol=1e-5
    )
    height, width = estimate.depth_m.shape
    assert (estimate.intrinsics.width_px, estimate.intrinsics.height_px) == (width, height)
    np.testing.assert_allclose(
        dataclasses.astuple(estimate.intrinsics),
        dataclasses.astuple(camera.scaled_to(width, height)),
    )


def test_a_mounting_outside_of_what_was_trained_is_doubted(estimator):
    build = estimator(mounting_input='floor')
    assert build.estimate(IMAGE, WIDE, CameraMounting(0.5, 60.0)).range_doubts == ()
    build.model.trained_range = TrainedRange((0.1, 2.0), (-10, 35), (-10, 10), (38, 95))
    (doubt,) = build.estimate(IMAGE, WIDE, CameraMounting(0.5, 60.0)).range_doubts
    assert doubt == 'camera pitch 60 is outside the trained range -10..35 deg'
    assert build.estimate(IMAGE, WIDE, CameraMounting(0.5, 20.0, -173.0)).range_doubts == ()
    assert build.estimate(IMAGE, WIDE).range_doubts == ()


def test_relative_models_keep_their_values(estimator):
    relative = {
        'training_fx_px': 0.0,
        'training_width_px': 0.0,
        'valid_min_m': 0.0,
        'valid_max_m': 0.0,
    }
    build = estimator(output_kind='inverse_relative', **relative)
    estimate = build.estimate(IMAGE, WIDE, TILTED)
    assert not estimate.is_metric
    assert not estimate.focal_corrected
    assert estimate.mounting_used == 'none'
    assert estimate.inverse_floor_depth is None
    assert estimate.depth_m.mean() == pytest.approx(1.0)


def test_letterbox_depth_is_of_the_picture_alone(estimator):
    camera = CameraIntrinsics(64.0, 64.0, 31.5, 15.5, 64, 32)
    estimate = estimator(resize='letterbox').estimate(IMAGE[:32], camera)
    assert estimate.depth_m.shape == (16, 32)
    assert estimate.intrinsics == camera.scaled_to(32, 16)
    assert estimate.depth_m.mean() == pytest.approx(1.0)


BESIDE = {'floor_output': 'floor', 'confidence_output': 'sure'}


@pytest.mark.parametrize('size', ['network', 'input'])
@pytest.mark.parametrize('resize', ['stretch', 'letterbox'])
@pytest.mark.parametrize('turns', [0, 1, 2, 3])
def test_floor_and_confidence_lie_where_the_picture_shows_them(estimator, size, resize, turns):
    # The tiny network takes what is light for floor, and is sure of what is dark.
    picture = np.zeros((40, 64, 3), np.uint8)
    picture[4:20, 8:32] = 255
    build = estimator(EstimationConfig(depth_size=size), resize=resize, **BESIDE)
    camera = WIDE.scaled_to(64, 40)
    estimate = build.estimate(
        turn_picture(picture, -turns),
        turn_intrinsics(camera, -turns),
        CameraMounting(0.5, 20.0, (90.0 * turns + 180.0) % 360.0 - 180.0) if turns else None,
    )
    assert estimate.depth_m.shape == estimate.floor.shape == estimate.confidence.shape
    floor = turn_picture(estimate.floor, turns)
    sure = turn_picture(estimate.confidence, turns)
    height, width = floor.shape
    rows = np.add(np.arange(height), 0.5) * 40 / height
    columns = np.add(np.arange(width), 0.5) * 64 / width
    inside = ((rows > 8) & (rows < 16))[:, None] & ((columns > 12) & (columns < 28))
    outside = ((rows < 1) | (rows > 24))[:, None] | ((columns < 4) | (columns > 36))
    assert inside.any()
    assert floor[inside] == pytest.approx(1.0)
    assert floor[outside] == pytest.approx(0.0)
    known = ~np.isnan(sure)
    assert (known == ~np.isnan(turn_picture(estimate.depth_m, turns))).all()
    assert (sure + floor)[known] == pytest.approx(1.0, abs=0.01)


def test_confidence_is_nan_where_depth_is(estimator):
    ramp = np.linspace(0.5, 12.0, 768).reshape(1, 1, 24, 32)
    sure = np.full((1, 12, 16), 0.75)
    estimate = estimator(output=ramp, confidence=sure, **BESIDE).estimate(IMAGE)
    unknown = ramp[0, 0] > 10.0
    assert unknown.any()
    assert (np.isnan(estimate.confidence) == unknown).all()
    assert (estimate.confidence[~unknown] == 0.75).all()
    assert not np.isnan(estimate.floor).any()


def test_models_without_floor_and_confidence(estimator):
    for estimate in (estimator().estimate(IMAGE), estimator().unknown(IMAGE)):
        assert (estimate.floor, estimate.confidence) == (None, None)
        blank = estimate.without_depth()
        assert (blank.floor, blank.confidence) == (None, None)


def test_where_nothing_is_known_no_floor_is_free(estimator):
    build = estimator(**BESIDE)
    for unknown in (build.unknown(IMAGE), build.estimate(IMAGE).without_depth()):
        assert np.isnan(unknown.depth_m).all()
        assert np.isnan(unknown.confidence).all()
        assert (unknown.floor == 0.0).all()
        assert unknown.depth_m.shape == unknown.floor.shape == unknown.confidence.shape


def test_warm_up_runs_the_network(estimator):
    estimator(mounting_input='floor').warm_up()


def test_intrinsics_of_another_image_are_refused(estimator):
    with pytest.raises(CameraInfoError, match='64x48, got 32x24'):
        estimator().estimate(IMAGE, WIDE.scaled_to(32, 24))


def test_bad_pictures_are_refused(estimator):
    with pytest.raises(ImageFormatError, match='RGB uint8'):
        estimator().estimate(IMAGE[..., 0])


@pytest.mark.parametrize(
    ('settings', 'name'),
    [
        ({'min_depth_m': 10.0}, 'min_depth_m'),
        ({'max_depth_m': 0.1}, 'max_depth_m'),
        ({'min_depth_m': 2.0, 'max_depth_m': 2.0}, 'max_depth_m'),
        ({'focal_correction': 'on'}, 'focal_correction'),
        ({'depth_size': 'half'}, 'depth_size'),
        ({'min_depth_m': -1.0}, 'min_depth_m'),
    ],
)
def test_settings_that_leave_nothing_are_refused(estimator, settings, name):
    with pytest.raises(ConfigurationError, match=name):
        estimator(EstimationConfig(**settings))


def test_settings_just_inside_are_allowed(estimator):
    estimator(EstimationConfig(min_depth_m=9.9))
    estimator(EstimationConfig(max_depth_m=0.11))
