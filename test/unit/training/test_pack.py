# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from packed_frames import CAMERA, floor_frame, plain_frame, PLANE, write_scene
import pytest
from training import pack, runs
from training.data import halve_depth, halve_labels, load_scene
from training.labels import FLOOR, IGNORED, NOT_FLOOR


def test_depth_reads_back_within_the_stated_error() -> None:
    depth = np.exp(np.linspace(np.log(0.05), np.log(60), 10_000))
    again = pack.decode_depth(pack.encode_depth(depth))
    assert np.abs(again / depth - 1).max() < pack.MAX_DEPTH_ERROR
    unknown = pack.decode_depth(pack.encode_depth(np.array([0.0, np.nan, np.inf, -1.0])))
    assert not unknown.any()
    assert pack.decode_depth(pack.encode_depth(np.array([0.01]))) == pytest.approx(0.05)


def test_half_size_depth_is_no_mean_across_an_edge() -> None:
    depth = np.array([[1000, 1010, 0, 0], [3000, 3010, 0, 900]], np.uint16)
    np.testing.assert_array_equal(halve_depth(depth), [[1005, 900]])
    slope = np.array([[1000, 1000], [1030, 1030]], np.uint16)
    np.testing.assert_array_equal(halve_depth(slope), [[1015]])
    assert not halve_depth(np.zeros((2, 2), np.uint16)).any()


def test_half_size_labels_are_ignored_where_they_differ() -> None:
    labels = np.array([[1, 1, 1, 2], [1, 1, 1, 1]], np.uint8)
    np.testing.assert_array_equal(halve_labels(labels), [[FLOOR, IGNORED]])


def test_a_pack_reads_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / 'a.pack'
    floor, plain = floor_frame(), plain_frame(1.7)
    sizes = pack.write_pack(path, [('floors', [floor]), ('walls', [plain, plain])])
    assert set(sizes) == {'floors', 'walls'} and sum(sizes.values()) < path.stat().st_size
    frames = pack.read_pack(path)
    assert len(frames) == 3
    assert frames.source_names == ('floors', 'walls') and frames.source.tolist() == [0, 1, 1]
    assert np.abs(frames.images[0].transpose(1, 2, 0).astype(int) - floor.image).mean() < 3
    depth = halve_depth(floor.depth_mm) / 1000
    np.testing.assert_array_equal(frames.depth_codes[0], pack.encode_depth(depth))
    known = depth > 0
    again = pack.decode_depth(frames.depth_codes[0])
    assert np.abs(again[known] / depth[known] - 1).max() < pack.MAX_DEPTH_ERROR
    np.testing.assert_array_equal(frames.labels[0], halve_labels(floor.labels))
    assert set(np.unique(frames.labels[0])) == {IGNORED, FLOOR, NOT_FLOOR}
    np.testing.assert_allclose(frames.planes[0], PLANE, atol=1e-5)
    np.testing.assert_allclose(frames.floors[0], PLANE, atol=1e-5)
    assert np.isnan(frames.planes[1:]).all() and np.isnan(frames.floors[1:]).all()
    fx, fy, cx, cy = frames.cameras[1]
    assert (fx, fy, cx, cy) == (CAMERA.fx_px, CAMERA.fy_px, CAMERA.cx_px, CAMERA.cy_px)
    assert frames.names == ('0', 'plain', 'plain')
    assert len(frames.of_source('walls')) == 2


def test_equal_frames_give_equal_packs(tmp_path: Path) -> None:
    for name in 'ab':
        pack.write_pack(tmp_path / name, [('floors', [floor_frame()])])
    assert (tmp_path / 'a').read_bytes() == (tmp_path / 'b').read_bytes()


def test_packs_are_joined_by_the_names_of_their_sources(tmp_path: Path) -> None:
    pack.write_pack(tmp_path / 'a', [('x', [plain_frame(1.0)]), ('y', [plain_frame(2.0)])])
    pack.write_pack(tmp_path / 'b', [('z', [plain_frame(3.0)]), ('x', [plain_frame(4.0)])])
    both = pack.join([pack.read_pack(tmp_path / 'a'), pack.read_pack(tmp_path / 'b')])
    assert both.source_names == ('x', 'y', 'z')
    assert both.source.tolist() == [0, 1, 2, 0]
    depths = pack.decode_depth(both.of_source('x').depth_codes).mean((1, 2))
    np.testing.assert_allclose(depths, [1.0, 4.0], rtol=0.002)


@pytest.mark.parametrize('harm', ['cut', 'flipped', 'missing', 'text'])
def test_a_damaged_pack_is_refused(tmp_path: Path, harm: str) -> None:
    path = tmp_path / 'a.pack'
    pack.write_pack(path, [('walls', [plain_frame(1.7)])])
    content = bytearray(path.read_bytes())
    if harm == 'cut':
        content = content[:-40]
    elif harm == 'flipped':
        content[200] ^= 1
    elif harm == 'text':
        content = bytearray(b'no pack')
    path.write_bytes(content)
    if harm == 'missing':
        path.unlink()
    with pytest.raises(pack.PackError, match='a.pack must be'):
        pack.read_pack(path)


def test_an_empty_pack_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(pack.PackError, match='must hold a frame'):
        pack.write_pack(tmp_path / 'a.pack', [('walls', [])])
    assert not (tmp_path / 'a.pack').exists()


def test_scenes_of_a_validation_split_never_go_into_a_training_pack(tmp_path: Path) -> None:
    splits = tmp_path / 'splits'
    splits.mkdir()
    for name in ('train', 'train_more', 'val', 'val_more', 'val_near'):
        (splits / f'{name}.txt').write_text(f'nyuv2/{name}\n')
    roots = {'rgbd': tmp_path}
    names = [name for _, _, scenes in pack.scenes_to_pack('train', roots) for name in scenes]
    assert names == ['nyuv2/train']
    for held_back in ('val', 'val_more', 'val_near'):
        (splits / 'train.txt').write_text(f'nyuv2/train\nnyuv2/{held_back}\n')
        with pytest.raises(pack.PackError, match=f'got nyuv2/{held_back}'):
            pack.scenes_to_pack('train', roots)


def test_a_scene_without_mounting_gets_the_fitted_floor(tmp_path: Path) -> None:
    write_scene(tmp_path, 'scene', floor_frame())
    (frame,) = load_scene(tmp_path, 'scene', {'floor_least_m': 0.3})
    np.testing.assert_allclose(frame.plane, PLANE, atol=0.02)
    agreed = frame.labels == floor_frame().labels
    assert agreed.mean() > 0.97 and (frame.labels == FLOOR).mean() > 0.2
    (frame,) = load_scene(tmp_path, 'scene', {})
    assert frame.plane is not None and frame.floor is None and not frame.labels.any()
    (frame,) = load_scene(tmp_path, 'scene', {'least_height_m': 0.7})
    assert frame.plane is None and not frame.labels.any()


def test_a_mounting_that_is_given_is_told_and_the_fitted_one_labels(tmp_path: Path) -> None:
    mount = {'height_m': 0.7, 'pitch_deg': 11.0}
    write_scene(tmp_path, 'scene', floor_frame(), mount=mount)
    (frame,) = load_scene(tmp_path, 'scene', {'floor_least_m': 0.3})
    assert np.linalg.norm(frame.plane) == pytest.approx(1 / 0.7)
    np.testing.assert_allclose(frame.floor, PLANE, atol=0.02)
    write_scene(tmp_path, 'drawn', floor_frame(), height_m=0.5, pitch_deg=0, roll_deg=0)
    (frame,) = load_scene(tmp_path, 'drawn', {'rendered': True})
    np.testing.assert_allclose(frame.plane, [0, 2, 0], atol=1e-9)
    np.testing.assert_allclose(frame.floor, [0, 2, 0], atol=1e-9)


def test_command_packs_folders_and_describes_the_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scene(tmp_path / 'rooms', 's1', floor_frame(), height_m=0.62, pitch_deg=12, roll_deg=2)
    out = tmp_path / 'train.pack'
    words = ['pack', 'train', '--data', f'rooms={tmp_path / "rooms"}', '--out', str(out)]
    monkeypatch.setattr('sys.argv', words)
    pack.main()
    assert 'rooms            1 pictures of    1 scenes' in capsys.readouterr().out
    assert cv2.haveImageWriter('.webp')
    monkeypatch.setattr('sys.argv', ['pack', 'train', '--data', 'rooms', '--out', str(out)])
    with pytest.raises(SystemExit):
        pack.main()
    assert 'must be NAME=FOLDER' in capsys.readouterr().err


def test_folders_are_read_as_a_pack_would_hold_them(tmp_path: Path) -> None:
    write_scene(tmp_path, 's1', floor_frame(), height_m=0.62, pitch_deg=12, roll_deg=2)
    frames = pack.frames_of_scenes(tmp_path, ['s1'], {'name': 'new', 'rendered': True})
    pack.write_pack(tmp_path / 'a', [('new', load_scene(tmp_path, 's1', {'rendered': True}))])
    packed = pack.read_pack(tmp_path / 'a')
    np.testing.assert_array_equal(frames.depth_codes, packed.depth_codes)
    np.testing.assert_array_equal(frames.labels, packed.labels)
    np.testing.assert_allclose(frames.planes, packed.planes)
    assert frames.source_names == packed.source_names


def test_the_score_crop_is_scaled_with_the_picture(tmp_path: Path) -> None:
    frame = floor_frame()
    large = cv2.resize(frame.image, (640, 480)), cv2.resize(frame.depth_mm, (640, 480))
    write_scene(
        tmp_path, 'scene', replace(frame, image=large[0], depth_mm=large[1]), fx=546, fy=546,
        cx=324.5, cy=252.5, width=640, height=480, eval_crop_x0y0x1y1=[44, 40, 601, 471],
    )  # fmt: skip
    (read,) = load_scene(tmp_path, 'scene', {})
    assert read.depth_mm.shape == (240, 320) and read.camera.fx_px == 273
    assert read.crop == (22, 20, 300, 236)


def test_a_plane_that_things_lie_under_is_no_floor(tmp_path: Path) -> None:
    floor = floor_frame()
    raised = 1.5 * PLANE  # a camera two thirds as high: the plane hovers above what was measured
    path = tmp_path / 'a.pack'
    false = replace(floor, plane=raised, floor=raised)
    pack.write_pack(path, [('floors', [floor, false, plain_frame(1.7)])])
    before = pack.read_pack(path)
    after = pack.without_false_floors(before)
    np.testing.assert_array_equal(after.planes[0], before.planes[0])
    np.testing.assert_array_equal(after.labels[0], before.labels[0])
    assert before.labels[1].any() and not after.labels[1].any()
    assert np.isnan(after.planes[1]).all() and np.isnan(after.floors[1]).all()
    np.testing.assert_array_equal(runs.read_packs([path]).labels, after.labels)
