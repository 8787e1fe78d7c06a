# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from dataclasses import replace
from pathlib import Path

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
import numpy as np
import pytest
from training.data import epoch_batches, floor_map, Frame, make_sample, whole_view
import training.train
import yaml

CAMERA = CameraIntrinsics(273.0, 273.0, 162.0, 126.0, 320, 240)
MOUNTING = CameraMounting(0.62, 12.0, 2.0)
PLANE = MOUNTING.down_vector() / MOUNTING.height_m


@pytest.fixture
def config() -> dict:
    quiet = dict.fromkeys(
        ('rescale_share', 'unknown_share', 'wrong_mounting_share', 'noise_share', 'erase_share'),
        0.0,
    )
    return yaml.safe_load(training.train.DEFAULT_CONFIG.read_text()) | quiet


@pytest.fixture
def floor_frame() -> Frame:
    """Return an empty floor up to 6 m, black above it."""
    inverse = inverse_floor_depth(CAMERA, MOUNTING)
    depth = np.where(inverse > 1 / 6, 1000 / np.maximum(inverse, 1e-6), 0).astype(np.uint16)
    image = np.repeat((depth > 0)[..., None] * np.uint8(200), 3, axis=2)
    return Frame(image, depth, CAMERA, PLANE, (0, 0, 320, 240))


@pytest.mark.parametrize('seed', range(4))
def test_what_lies_under_a_cover_is_not_asked_for(floor_frame, config, seed):
    filled = replace(floor_frame, depth_mm=np.full_like(floor_frame.depth_mm, 2000))
    whole = make_sample(filled, config, np.random.default_rng(seed))
    covered = make_sample(filled, config | {'erase_share': 1.0}, np.random.default_rng(seed))
    hidden = (whole.depth_m > 0) & (covered.depth_m == 0)
    changed = (whole.image != covered.image).any(0)
    assert 0.005 < hidden.mean() < 0.7
    assert changed[hidden[0].repeat(2, 0).repeat(2, 1)].mean() > 0.9
    assert not changed[(covered.depth_m > 0)[0].repeat(2, 0).repeat(2, 1)].any()


def at_output(values: np.ndarray) -> np.ndarray:
    """Average the network's input pixels that lie around each output pixel."""
    height, width = values.shape
    return values.reshape(height // 2, 2, width // 2, 2).mean((1, 3))


@pytest.mark.parametrize('seed', range(6))
def test_map_follows_crop_zoom_rotation_and_flip(floor_frame, config, seed):
    config['rotation_deg'] = 10.0
    sample = make_sample(floor_frame, config, np.random.default_rng(seed))
    depth, inverse = sample.depth_m[0], at_output(sample.inverse_floor[0])
    floor = depth > 0
    assert floor.mean() > 0.2
    np.testing.assert_allclose(depth[floor] * inverse[floor], 1, atol=0.06)


@pytest.mark.parametrize('seed', range(3))
def test_rescaled_world_scales_depth_and_map_alike(floor_frame, config, seed):
    config |= {'rescale_share': 1.0, 'rescale_range': [0.25, 0.25 + 1e-9]}
    small = make_sample(floor_frame, config, np.random.default_rng(seed))
    config |= {'rescale_range': [1.0, 1.0 + 1e-9]}
    same = make_sample(floor_frame, config, np.random.default_rng(seed))
    np.testing.assert_allclose(small.depth_m, 0.25 * same.depth_m, rtol=1e-5)
    np.testing.assert_allclose(small.inverse_floor, 4 * same.inverse_floor, rtol=1e-5)
    np.testing.assert_array_equal(small.image, same.image)


@pytest.mark.parametrize(('share', 'known'), [(1.0, False), (0.0, True)])
def test_unknown_mounting_is_a_map_of_zeros(floor_frame, config, share, known):
    sample = make_sample(floor_frame, config | {'unknown_share': share}, np.random.default_rng(0))
    assert sample.inverse_floor.any() == known


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('share', [0.0, 1.0])
def test_a_hidden_floor_lies_behind_everything(config, seed, share):
    depth = np.random.default_rng(1).uniform(500, 2500, (240, 320)).astype(np.uint16)
    frame = Frame(np.full((240, 320, 3), 90, np.uint8), depth, CAMERA, None, (0, 0, 320, 240))
    sample = make_sample(frame, config | {'hidden_share': share}, np.random.default_rng(seed))
    assert sample.inverse_floor.any() == (share > 0)
    assert (sample.inverse_floor[0, ::2, ::2] * sample.depth_m[0]).max() <= 0.981


def test_wrong_mounting_stays_within_its_bounds(floor_frame, config):
    config |= {'wrong_mounting_share': 1.0, 'wrong_angle_deg': 0.0, 'wrong_height': 0.1}
    ratios = []
    for seed in range(20):
        sample = make_sample(floor_frame, config, np.random.default_rng(seed))
        depth, inverse = sample.depth_m[0], at_output(sample.inverse_floor[0])
        ratios.append(np.median((depth * inverse)[depth > 0]))
    assert min(ratios) < 0.96 and max(ratios) > 1.04
    assert 0.9 < min(ratios) and max(ratios) < 1.12


def test_view_of_the_whole_picture_agrees_with_the_package(config):
    width, height = config['input_width'], config['input_height']
    ours = floor_map(PLANE, CAMERA, whole_view(config), width, height)
    package = inverse_floor_depth(CAMERA.scaled_to(width, height), MOUNTING)
    np.testing.assert_allclose(ours, package, atol=1e-5)


def test_workers_split_an_epoch_and_repeat_it(floor_frame, config):
    config |= {'samples_per_epoch': 8, 'batch_size': 2}
    frames = [(floor_frame, config)] * 3
    weights = np.ones(3)

    def depths(worker: int, workers: int) -> list[np.ndarray]:
        return [b[2] for b in epoch_batches(frames, weights, config, 0, worker, workers)]

    alone = depths(0, 1)
    assert len(alone) == 4
    for one, again in zip(alone[0::2] + alone[1::2], depths(0, 2) + depths(1, 2), strict=True):
        np.testing.assert_array_equal(one, again)


def test_scene_without_mounting_gets_the_fitted_floor(tmp_path: Path, floor_frame):
    cv2 = pytest.importorskip('cv2')
    from training.data import load_scene

    for name, array in (
        ('rgb/0.jpg', floor_frame.image),
        ('depth/0.png', floor_frame.depth_mm),
    ):
        path = tmp_path / name
        path.parent.mkdir()
        cv2.imwrite(str(path), array)
    card = '"fx": 273, "fy": 273, "cx": 162, "cy": 126, "width": 320, "height": 240'
    (tmp_path / 'camera.json').write_text(f'{{{card}}}')
    (frame,) = load_scene(tmp_path)
    np.testing.assert_allclose(frame.floor, PLANE, atol=0.02)
    (frame,) = load_scene(tmp_path, least_height_m=0.7)
    assert frame.floor is None
    mounting = '"height_m": 0.5, "pitch_deg": 0, "roll_deg": 0'
    (tmp_path / 'camera.json').write_text(f'{{{card}, {mounting}}}')
    (frame,) = load_scene(tmp_path)
    np.testing.assert_allclose(frame.floor, [0, 2, 0], atol=1e-9)


def test_the_score_crop_is_scaled_with_the_picture(tmp_path: Path):
    cv2 = pytest.importorskip('cv2')
    from training.data import load_scene

    for name, array in (
        ('rgb/0.jpg', np.zeros((480, 640, 3), np.uint8)),
        ('depth/0.png', np.full((480, 640), 1000, np.uint16)),
    ):
        path = tmp_path / name
        path.parent.mkdir()
        cv2.imwrite(str(path), array)
    (tmp_path / 'camera.json').write_text(
        '{"fx": 546, "fy": 546, "cx": 319.5, "cy": 239.5, "width": 640, "height": 480,'
        ' "eval_crop_x0y0x1y1": [44, 40, 601, 471], "height_m": 0.5}'
    )
    (frame,) = load_scene(tmp_path)
    assert frame.depth_mm.shape == (240, 320)
    assert frame.crop == (22, 20, 300, 236)
    np.testing.assert_allclose(frame.floor, [0, 2, 0], atol=1e-9)
