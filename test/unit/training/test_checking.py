# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
from packed_frames import CAMERA, floor_frame, MOUNTING, plain_frame, PLANE
import pytest
import torch
from training import checking, pack
from training.checking import Answers, frame_rows, predict, summarise
from training.labels import floor_labels, RENDERED
from training.network import Prediction

CONFIG = {'input_width': 96, 'input_height': 64, 'training_fx_px': 82.0}


def obstacle_frame(distance_m: float = 1.0):
    """Return a floor with a box 0.3 m high and 0.4 m wide on it, cut by the left edge."""
    frame = floor_frame()
    rays = CAMERA.rays()
    depth = frame.depth_mm.astype(np.float32) / 1000
    height = 1 / np.linalg.norm(PLANE) - distance_m * (rays @ MOUNTING.down_vector())
    box = (rays[..., 0] * distance_m < -0.1) & (height < 0.3) & (height > 0)
    depth[box] = distance_m
    labels = floor_labels(depth, CAMERA, PLANE, RENDERED)
    return type(frame)(
        'box', '0', frame.image, np.round(depth * 1000).astype(np.uint16), labels, CAMERA, PLANE,
        PLANE, frame.crop,
    )  # fmt: skip


@pytest.fixture
def frames(tmp_path: Path) -> pack.Frames:
    pack.write_pack(tmp_path / 'a', [('x', [obstacle_frame(), floor_frame(), plain_frame(1.2)])])
    return pack.read_pack(tmp_path / 'a')


def answers(frames: pack.Frames, factor: float = 1.0, floor: np.ndarray | None = None) -> Answers:
    """Return the truth, stretched by a factor, as a network's answers."""
    depth = pack.decode_depth(frames.depth_codes) * np.float32(factor)
    camera = checking.half_camera(frames.cameras[0])
    inverse = np.maximum(camera.rays() @ PLANE.astype(np.float32), 0)
    told = np.stack([inverse if np.isfinite(plane[0]) else 0 * inverse for plane in frames.planes])
    return Answers(depth, floor, None, told)


def test_the_truth_has_no_error(frames):
    rows = frame_rows(answers(frames), frames)
    for name, value in {'AbsRel': 0, 'RMSE': 0, 'd1': 1, 'shape': 0, 'too_far': 0,
                        'too_near': 0, 'pictures': 1}.items():  # fmt: skip
        np.testing.assert_allclose(rows[name], value, atol=1e-6)
    assert (rows['hit1m'] == rows['near1m']).all() and (rows['said1m'] == rows['near1m']).all()


@pytest.mark.parametrize(
    ('factor', 'far', 'near'), [(1.24, 0, 0), (1.26, 1, 0), (0.76, 0, 0), (0.74, 0, 1)]
)
def test_a_wrong_scale_is_an_error_but_no_error_of_shape(frames, factor, far, near):
    walls = frames.chosen([2])
    rows = frame_rows(answers(walls, factor), walls)
    assert rows['AbsRel'][0] == pytest.approx(abs(factor - 1), rel=1e-3)
    assert rows['shape'][0] == pytest.approx(0, abs=1e-5)
    assert rows['d1'][0] == (1 / 1.25 < factor < 1.25)
    assert (rows['too_far'][0], rows['too_near'][0]) == (far, near)


def test_obstacles_are_found_by_depth_or_by_the_floors_probability(frames):
    truth = frames.labels == 1
    rows = frame_rows(answers(frames, 1.0, np.where(truth, 0.9, 0.1).astype(np.float32)), frames)
    assert rows['obstacle'][0] > 300 and rows['obstacle'][1:].sum() == 0
    assert rows['seen'].tolist() == [1, 0, 0] and rows['missed_floor'].sum() == 0
    assert rows['found_floor'][0] == rows['obstacle'][0]
    assert rows['floor'][1] > 2000 and rows['lost_floor'][:2].sum() == 0
    # The lower part of the box is nearer to the floor than the tolerance of depth.
    assert 0.3 * rows['obstacle'][0] < rows['found_depth'][0] < rows['obstacle'][0]


def test_an_obstacle_painted_into_the_floor_is_missed(frames):
    box = frames.chosen([0])
    camera = checking.half_camera(box.cameras[0])
    inverse = np.maximum(camera.rays() @ PLANE.astype(np.float32), 1e-6)
    painted = Answers((1 / inverse)[None].astype(np.float32), np.ones((1, 120, 160), np.float32),
                      None, inverse[None].astype(np.float32))  # fmt: skip
    rows = frame_rows(painted, box)
    for kind in ('floor', 'depth'):
        assert rows[f'missed_{kind}'][0] == 1 and rows[f'found_{kind}'][0] == 0
        assert rows[f'lost_{kind}'][0] == 0
    assert rows['too_far'][0] == 1
    everything = Answers(
        painted.depth_m * 0.5, np.zeros((1, 120, 160), np.float32), None, painted.inverse_floor
    )
    rows = frame_rows(everything, box)
    for kind in ('floor', 'depth'):
        assert rows[f'lost_{kind}'][0] == rows['floor'][0] > 1000


def test_intervals_are_of_scenes_not_of_pictures():
    rng = np.random.default_rng(0)
    of_scene = rng.normal(0.2, 0.05, 20)
    rows = {'pictures': np.ones(200), 'AbsRel': np.repeat(of_scene, 10)}
    scenes = [f's{index // 10}' for index in range(200)]
    figure = summarise(rows, scenes)['AbsRel']
    assert figure.value == pytest.approx(of_scene.mean())
    expected = 1.96 * of_scene.std() / np.sqrt(20)
    assert figure.high - figure.value == pytest.approx(expected, rel=0.25)
    assert figure.value - figure.low == pytest.approx(expected, rel=0.25)
    # Taken for independent, 200 pictures seem to say three times as much.
    alone = summarise(rows, [str(index) for index in range(200)])['AbsRel']
    assert alone.high - alone.low < 0.5 * (figure.high - figure.low)
    few = summarise(rows, [f's{index // 100}' for index in range(200)])['AbsRel']
    assert np.isnan(few.low) and few.value == pytest.approx(figure.value)
    assert str(figure) == f'{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]'
    assert str(few) == f'{few.value:.3f}'


def test_shares_are_sums_over_sums():
    rows = {'obstacle': np.array([10.0, 90.0]), 'found_floor': np.array([0.0, 90.0]),
            'pictures': np.zeros(2), 'AbsRel': np.zeros(2)}  # fmt: skip
    figures = summarise(rows, ['a', 'b'])
    assert list(figures) == ['found_floor']
    assert figures['found_floor'].value == 0.9


class Floor(torch.nn.Module):
    """Answers the depth of the floor it is told of, and 2 m where nothing."""

    def forward(self, image: torch.Tensor, inverse_floor: torch.Tensor) -> Prediction:
        inverse = torch.nn.functional.avg_pool2d(inverse_floor, 2)
        depth = torch.where(inverse > 0, 1 / inverse.clamp(min=0.05), 2.0)
        return Prediction(depth.log(), torch.full_like(depth, -2.0), image[:, :1, ::2, ::2])


def test_a_network_is_told_the_mounting_in_the_canonical_camera(frames):
    floor = frames.chosen([1])
    said = predict(Floor(), floor, CONFIG, mounting=True)
    truth = pack.decode_depth(floor.depth_codes)
    known = truth > 0
    deviation = np.abs(said.depth_m[known] / truth[known] - 1)
    assert np.median(deviation) < 0.01
    assert said.error == pytest.approx(np.exp(-2.0)) and said.floor.shape == (1, 120, 160)
    ratio = CAMERA.fx_px * 96 / 320 / 82
    np.testing.assert_allclose(
        predict(Floor(), floor, CONFIG, mounting=False).depth_m, 2.0 * ratio, rtol=1e-5
    )
    small = predict(Floor(), floor, CONFIG, mounting=True, world=0.5)
    np.testing.assert_allclose(small.depth_m[known], said.depth_m[known] / 2, rtol=0.02)


def test_every_set_is_checked_without_and_with_mounting(frames):
    results = checking.check_all(Floor(), frames, CONFIG, draws=10)
    assert list(results) == ['x', 'x_mounted']
    assert results['x_mounted']['AbsRel'].value < 0.2 < results['x']['AbsRel'].value
    assert set(checking.flatten(results)) >= {'x_AbsRel', 'x_mounted_found_floor'}
    named = pack.join([type(frames)(**{**vars(frames), 'source_names': ('val',)})])
    assert list(checking.check_all(Floor(), named, CONFIG, draws=0)) == [
        'val', 'val_mounted', 'val_small'
    ]  # fmt: skip
