# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import Any

import cv2
from fcrn_depth_ros.camera.mounting import inverse_floor_depth
import numpy as np
from packed_frames import CAMERA, floor_frame, MOUNTING, plain_frame, PLANE
import pytest
import torch
from training import augment, pack
from training.data import floor_map, whole_view
from training.labels import FLOOR, IGNORED, NOT_FLOOR
from training.runs import read_config

SIZE = (256, 192)
CAMERAS = np.array([[CAMERA.fx_px, CAMERA.fy_px, CAMERA.cx_px, CAMERA.cy_px]])
QUIET = dict.fromkeys(
    ('rescale_share', 'unknown_share', 'wrong_mounting_share', 'noise_share', 'erase_share',
     'blur_share', 'motion_share', 'dark_share', 'jpeg_share', 'hidden_share'),
    0.0,
)  # fmt: skip


@pytest.fixture(scope='module')
def frames(tmp_path_factory: pytest.TempPathFactory) -> pack.Frames:
    path = tmp_path_factory.mktemp('packs') / 'a.pack'
    pack.write_pack(path, [('floors', [floor_frame()]), ('walls', [plain_frame(1.7)])])
    return pack.read_pack(path)


def store(frames: pack.Frames, source: str = 'floors', **changes: Any) -> augment.SampleStore:
    config = read_config() | QUIET | {'sources': [{'name': source, 'weight': 1.0}],
                                      'batch_size': 8} | changes  # fmt: skip
    return augment.SampleStore(frames, config)


def affine(views: augment.Views) -> np.ndarray:
    """Return the map from network pixels to source pixels of an affine view."""
    matrix = np.array([[CAMERA.fx_px, 0, CAMERA.cx_px], [0, CAMERA.fy_px, CAMERA.cy_px]])
    return matrix @ views.to_ray[0]


def one_view(seed: int, **changes: Any) -> augment.Views:
    config = read_config() | changes
    settings = {'least_crop': np.array([0.6]), 'rotation_deg': np.array([10.0])}
    rng = np.random.default_rng(seed)
    return augment.random_views(CAMERAS, SIZE, config, rng, settings)


@pytest.mark.parametrize('seed', range(6))
def test_picture_depth_and_map_are_those_of_the_view_of_one_picture(frames, seed):
    """The batch agrees with OpenCV's warp and the map of one picture at a time."""
    view = one_view(seed, turn_share=0.0)
    to_source = affine(view)
    image = torch.from_numpy(frames.images[:1])
    codes, labels = (torch.from_numpy(x[:1]) for x in (frames.depth_codes, frames.labels))
    picture, codes, labels = augment.warp(image, codes, labels, CAMERAS, view, SIZE)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    expected = cv2.warpAffine(
        frames.images[0].transpose(1, 2, 0), to_source, SIZE, flags=flags,
        borderMode=cv2.BORDER_REFLECT_101,
    )  # fmt: skip
    difference = np.abs(picture[0].numpy().transpose(1, 2, 0) - expected)
    assert np.median(difference) < 1 and np.mean(difference > 12) < 0.01
    maps = augment.floor_maps(PLANE[None], view, SIZE, torch.device('cpu'))
    np.testing.assert_allclose(maps[0, 0], floor_map(PLANE, CAMERA, to_source, *SIZE), atol=1e-4)
    scale = np.hypot(to_source[0, 0], to_source[1, 0])
    assert view.ratio[0] == pytest.approx(CAMERA.fx_px / scale / 218.5)
    # Half the size: nearest values around the centres of 2x2 blocks.
    half = to_source @ np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
    half = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]]) @ np.vstack([half, [0, 0, 1]])
    for values, name in ((codes, 'depth_codes'), (labels, 'labels')):
        wanted = cv2.warpAffine(
            getattr(frames, name)[0], half[:2], (SIZE[0] // 2, SIZE[1] // 2),
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT,
        )  # fmt: skip
        assert np.mean(values[0, 0].numpy() != wanted) < 0.04


def at_output(values: torch.Tensor) -> np.ndarray:
    """Average the network's input pixels that lie around each output pixel."""
    return torch.nn.functional.avg_pool2d(values, 2).numpy()


@pytest.mark.parametrize('turn_share', [0.0, 1.0])
@pytest.mark.parametrize('seed', range(4))
def test_the_floor_follows_crop_zoom_roll_turn_shear_and_flip(frames, seed, turn_share):
    """On the floor depth is the inverse of the map, and the label says floor, in every view."""
    drawn = store(
        frames, turn_share=turn_share, shear_share=1.0, roll_share=0.5, rotation_deg=8.0
    ).batch(seed)
    depth, inverse = drawn.depth_m.numpy(), at_output(drawn.inverse_floor)
    floor = drawn.labels.numpy() == FLOOR
    assert floor.mean() > 0.2
    # Errors of the stored depth, and of a nearest pixel; none of the geometry.
    deviation = depth[floor] * inverse[floor] - 1
    assert abs(np.median(deviation)) < 0.004
    assert np.median(np.abs(deviation)) < 0.009
    assert np.percentile(np.abs(deviation), 99) < 0.06
    assert (depth[floor] > 0).all()
    # The dark wall beyond the floor is never labelled floor.
    bright = at_output(drawn.clean)[:, :1]
    assert np.percentile(bright[floor], 1) > 100


def test_a_turned_camera_sees_what_a_real_one_would():
    """Depth along the new optical axis: a point's distance from the turned camera's plane."""
    centres = np.array([[230.0, 60.0]])
    linear = np.diag([1.0, 1.0])[None] * 0.8
    view = augment.compose_views(CAMERAS, centres, linear, np.ones(1), SIZE, 218.5)
    middle = view.to_ray[0] @ np.array([SIZE[0] / 2 - 0.5, SIZE[1] / 2 - 0.5, 1])
    assert np.linalg.norm(middle) == pytest.approx(1)  # the optical axis goes through the middle
    toward = np.array([(230 - CAMERA.cx_px) / CAMERA.fx_px, (60 - CAMERA.cy_px) / CAMERA.fy_px, 1])
    np.testing.assert_allclose(middle / middle[2], toward, atol=1e-9)
    # Any pixel's ray has length 1 along that axis.
    corner = view.to_ray[0] @ np.array([0, 0, 1])
    assert corner @ middle == pytest.approx(1)
    codes = torch.from_numpy(pack.encode_depth(np.full((1, 96, 128), 2.0)).astype(np.float32))
    depth = augment.canonical_depth(codes[None], view, SIZE) * view.ratio[0]
    ray = view.to_ray[0] @ np.array([100.5, 80.5, 1])
    assert depth[0, 0, 40, 50] == pytest.approx(2.0 / ray[2], rel=0.002)


def test_view_of_the_whole_picture_agrees_with_the_package():
    view = augment.whole_views(CAMERAS, SIZE, 218.5)
    np.testing.assert_allclose(affine(view), whole_view(*SIZE), atol=1e-9)
    ours = augment.floor_maps(PLANE[None], view, SIZE, torch.device('cpu'))[0, 0]
    package = inverse_floor_depth(CAMERA.scaled_to(*SIZE), MOUNTING)
    np.testing.assert_allclose(ours, package, atol=1e-5)
    assert view.ratio[0] == pytest.approx(273 * 256 / 320 / 218.5)


@pytest.mark.parametrize('seed', range(3))
def test_rescaled_world_scales_depth_and_map_alike(frames, seed):
    small = store(frames, rescale_share=1.0, rescale_range=[0.25, 0.25 + 1e-9]).batch(seed)
    same = store(frames, rescale_share=1.0, rescale_range=[1.0, 1.0 + 1e-9]).batch(seed)
    np.testing.assert_allclose(small.depth_m, 0.25 * same.depth_m, rtol=1e-5)
    np.testing.assert_allclose(small.inverse_floor, 4 * same.inverse_floor, rtol=1e-5)
    assert torch.equal(small.image, same.image) and torch.equal(small.labels, same.labels)


@pytest.mark.parametrize(('share', 'known'), [(1.0, False), (0.0, True)])
def test_unknown_mounting_is_a_map_of_zeros_and_the_floor_is_labelled(frames, share, known):
    drawn = store(frames, unknown_share=share).batch(0)
    assert bool(drawn.inverse_floor.any()) == known
    assert (drawn.labels == FLOOR).float().mean() > 0.2


@pytest.mark.parametrize('share', [0.0, 1.0])
def test_a_hidden_floor_lies_behind_everything(frames, share):
    drawn = store(frames, 'walls', hidden_share=share).batch(0)
    assert bool(drawn.inverse_floor.any()) == (share > 0)
    reached = (at_output(drawn.inverse_floor) * drawn.depth_m.numpy()).max((1, 2, 3))
    assert reached.max() <= 0.981
    assert share == 0 or reached.min() > 0.39


def test_wrong_mounting_stays_within_its_bounds(frames):
    quiet = store(frames, wrong_mounting_share=1.0, wrong_angle_deg=0.0, wrong_height=0.1)
    drawn = [quiet.batch(step) for step in range(4)]
    ratios = [
        np.median((depth * inverse)[label == FLOOR])
        for batch in drawn
        for depth, inverse, label in zip(
            batch.depth_m.numpy(), at_output(batch.inverse_floor), batch.labels.numpy(),
            strict=True,
        )
    ]  # fmt: skip
    assert 0.9 < min(ratios) < 0.95 and 1.05 < max(ratios) < 1.12


@pytest.mark.parametrize('step', range(3))
def test_what_lies_under_a_cover_is_not_asked_for(frames, step):
    whole = store(frames, 'walls').batch(step)
    covered = store(frames, 'walls', erase_share=1.0).batch(step)
    hidden = (whole.depth_m > 0) & (covered.depth_m == 0)
    changed = (whole.image != covered.image).any(1, keepdim=True)
    assert 0.02 < hidden.float().mean() < 0.7
    assert changed[hidden.repeat_interleave(2, 2).repeat_interleave(2, 3)].float().mean() > 0.9
    seen = (covered.depth_m > 0).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert not changed[seen].any()
    floors = store(frames, erase_share=1.0).batch(step)
    gone = floors.depth_m == 0
    assert set(floors.labels[gone].unique().tolist()) <= {IGNORED, NOT_FLOOR}


def test_a_step_gives_the_same_batch_again_and_another_step_another(frames):
    noisy = {'noise_share': 1.0, 'erase_share': 0.5, 'jpeg_share': 0.5}
    first, again = (store(frames, **noisy).batch(7) for _ in range(2))
    for one, other in zip(vars(first).values(), vars(again).values(), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(first.image, store(frames, **noisy).batch(8).image)


def test_sources_have_their_share_however_many_pictures_they_have(frames):
    many = pack.join([frames, frames.of_source('walls'), frames.of_source('walls')])
    config = read_config() | {
        'sources': [{'name': 'floors', 'weight': 0.75, 'least_crop': 0.9},
                    {'name': 'walls', 'weight': 0.25}, {'name': 'absent', 'weight': 9.0}],
    }  # fmt: skip
    kept = augment.SampleStore(many, config)
    np.testing.assert_allclose(kept.weights, [0.75] + [0.25 / 3] * 3)
    np.testing.assert_allclose(
        kept.setting('least_crop', np.arange(4)), [0.9] + [config['least_crop']] * 3
    )
    kept.add(frames.of_source('floors'))
    np.testing.assert_allclose(kept.weights, [0.375] + [0.25 / 3] * 3 + [0.375])
    assert len(kept) == 5
    with pytest.raises(ValueError, match='sources must name some of floors, walls'):
        store(frames, 'absent')


def test_sources_that_are_not_named_are_left_out(frames):
    assert len(store(frames, 'walls')) == 1


def test_a_run_from_before_a_setting_has_its_default(frames: pack.Frames) -> None:
    config = store(frames).config
    older = augment.SampleStore(frames, {k: v for k, v in config.items() if k != 'taught'})
    assert older.batch(0).taught.all()
    assert older.config == config
