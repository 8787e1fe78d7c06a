from __future__ import annotations

import ctypes.util
import json
from pathlib import Path

import cv2
import pytest

pytest.importorskip('mujoco', reason='mujoco is not installed (simulation/requirements.txt)')
pytest.importorskip('tqdm', reason='tqdm is not installed (simulation/requirements.txt)')
if not any(map(ctypes.util.find_library, ('EGL', 'OSMesa'))):
    pytest.skip('rendering needs libegl1 or libosmesa6', allow_module_level=True)

from simulation.render_dataset import main


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


@pytest.mark.slow
def test_something_near_fills_a_close_up(tmp_path: Path) -> None:
    main(['--scenes', '1', '--frames-per-scene', '2', '--seed', '6', '--close-ups', '--out',
          str(tmp_path)])  # fmt: skip
    pictures = sorted((tmp_path / 'rooms').rglob('depth/*.png'))
    assert pictures
    for picture in pictures:
        depth = cv2.imread(str(picture), cv2.IMREAD_UNCHANGED)
        assert depth[depth > 0].min() > 80
        assert sorted(depth.ravel())[depth.size * 6 // 10] <= 1210


@pytest.mark.slow
def test_a_low_camera_sees_its_way_over_floor(tmp_path: Path) -> None:
    main(['--scenes', '2', '--frames-per-scene', '2', '--seed', '6', '--low-cameras', '--out',
          str(tmp_path)])  # fmt: skip
    pictures = sorted((tmp_path / 'rooms').rglob('depth/*.png'))
    assert pictures
    for picture in pictures:
        camera = json.loads((picture.parents[1] / 'camera.json').read_text())
        assert 0.1 <= camera['height_m'] <= 0.35
        depth = cv2.imread(str(picture), cv2.IMREAD_UNCHANGED)
        upper = sorted(depth[:120][depth[:120] > 0])
        assert upper[len(upper) * 15 // 100] > 190


def test_close_ups_and_low_cameras_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(['--out', str(tmp_path), '--close-ups', '--low-cameras'])
    assert caught.value.code == 2
