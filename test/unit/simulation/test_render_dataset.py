# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import simulation
from simulation.render_dataset import main

pytestmark = pytest.mark.skipif(
    not simulation.CAN_RENDER, reason='rendering needs libegl1 or libosmesa6'
)


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


@pytest.mark.slow
def test_layout_repeats_and_resumes(tmp_path: Path) -> None:
    arguments = ['--frames-per-scene', '2', '--seed', '5', '--out']
    main(['--scenes', '2', *arguments, str(tmp_path / 'whole')])
    main(['--scenes', '1', *arguments, str(tmp_path / 'parts')])
    main(['--scenes', '2', *arguments, str(tmp_path / 'parts')])
    whole = _files(tmp_path / 'whole')
    assert whole == _files(tmp_path / 'parts')
    assert whole['splits/train.txt'].decode().split() == ['rooms/s5_00000', 'rooms/s5_00001']
    scene = tmp_path / 'whole' / 'rooms' / 's5_00000'
    camera = json.loads((scene / 'camera.json').read_text())
    assert 0.1 <= camera['height_m'] <= 1.6
    assert camera['cx'] == 159.5
    image = cv2.imread(str(scene / 'rgb' / '0000.jpg'))
    depth = cv2.imread(str(scene / 'depth' / '0000.png'), cv2.IMREAD_UNCHANGED)
    assert image.shape == (240, 320, 3)
    assert depth.shape == (240, 320)
    assert str(depth.dtype) == 'uint16'
    assert 100 < depth[depth > 0].min() < 5000


def _rendered(folder: Path, scenes: int, option: str) -> list[tuple[dict, np.ndarray]]:
    """Return camera.json and depth in mm of every picture."""
    main(['--scenes', str(scenes), '--frames-per-scene', '2', '--seed', '6', option, '--out',
          str(folder)])  # fmt: skip
    found = [
        (
            json.loads((path.parents[1] / 'camera.json').read_text()),
            cv2.imread(str(path), cv2.IMREAD_UNCHANGED),
        )
        for path in sorted((folder / 'rooms').rglob('depth/*.png'))
    ]
    assert found
    return found


@pytest.mark.slow
def test_workers_render_the_same_rooms(tmp_path: Path) -> None:
    arguments = ['--frames-per-scene', '1', '--scenes', '2', '--seed', '5', '--out']
    main([*arguments, str(tmp_path / 'one')])
    main(['--workers', '2', *arguments, str(tmp_path / 'two')])
    assert _files(tmp_path / 'one') == _files(tmp_path / 'two')


@pytest.mark.slow
def test_something_near_fills_a_close_up(tmp_path: Path) -> None:
    for _, depth in _rendered(tmp_path, 1, '--close-ups'):
        assert depth[depth > 0].min() > 80
        assert np.percentile(depth, 60) <= 1210


@pytest.mark.slow
def test_a_low_camera_sees_its_way_over_floor(tmp_path: Path) -> None:
    for camera, depth in _rendered(tmp_path, 2, '--low-cameras'):
        assert 0.1 <= camera['height_m'] <= 0.35
        upper = depth[:120]
        assert np.percentile(upper[upper > 0], 15) > 190


@pytest.mark.slow
def test_hard_floors_are_seen_by_cameras_of_any_mounting(tmp_path: Path) -> None:
    for camera, depth in _rendered(tmp_path, 2, '--hard-floors'):
        assert 0.1 <= camera['height_m'] <= 1.7
        assert -30 <= camera['pitch_deg'] <= 60 and abs(camera['roll_deg']) <= 15
        assert np.median(depth[depth > 0]) > 300


def test_close_ups_and_low_cameras_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(['--out', str(tmp_path), '--close-ups', '--low-cameras'])
    assert caught.value.code == 2
