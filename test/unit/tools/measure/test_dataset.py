# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Reading datasets: what is scored, and one clear error for each way to be broken."""

from __future__ import annotations

import json
import os

import cv2
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.tools.measure.dataset import list_scenes, open_dataset
import numpy as np
import pytest
from tiny_dataset import CAMERA, HEIGHT, WIDTH, write_scene


def test_scenes_of_a_split_in_its_order(tmp_path):
    for scene in ('a/one', 'a/two', 'b'):
        write_scene(tmp_path, scene, [1.0, 2.0])
    split = tmp_path / 'split.txt'
    split.write_text('b\na/one\n')
    names = [(source.scene, source.name) for source in open_dataset(tmp_path, split)]
    assert names == [('b', '0000'), ('b', '0001'), ('a/one', '0000'), ('a/one', '0001')]
    assert len(open_dataset(tmp_path)) == 6


def test_a_scene_is_one_line_of_a_split_whatever_its_name(tmp_path):
    for scene in ('living room', 'b'):
        write_scene(tmp_path, scene, [1.0])
    split = tmp_path / 'split.txt'
    # As an editor of Windows leaves it.
    split.write_bytes(b'\xef\xbb\xbfliving room\r\n\r\n  b  \r\n')
    assert [source.scene for source in open_dataset(tmp_path, split)] == ['living room', 'b']


def test_linked_scenes_are_found_and_circles_end(tmp_path):
    elsewhere = tmp_path / 'elsewhere'
    write_scene(elsewhere, 'room', [1.0])
    root = tmp_path / 'data'
    write_scene(root, 'own', [1.0])
    (root / 'linked').symlink_to(elsewhere / 'room')
    (root / 'group').symlink_to(elsewhere)
    (root / 'own' / 'up').symlink_to(root)
    (root / 'own' / 'self').symlink_to(root / 'own')
    (root / 'broken').symlink_to(root / 'nothing')
    assert list_scenes(root) == ['group/room', 'linked', 'own']
    assert [source.scene for source in open_dataset(root)] == ['group/room', 'linked', 'own']


def test_what_is_scored(tmp_path):
    folder = write_scene(
        tmp_path,
        's',
        [2.0],
        eval_crop_x0y0x1y1=[4, 5, 60, 99],
        max_reliable_m=3.0,
        height_m=0.5,
        pitch_deg=10.0,
    )
    depth = np.full((HEIGHT, WIDTH), 2000, np.uint16)
    depth[10] = 0
    depth[11] = 3001
    cv2.imwrite(str(folder / 'depth' / '0000.png'), depth)
    sample = open_dataset(tmp_path)[0].load()
    scored = np.isfinite(sample.depth_m)
    assert not scored[:5].any()
    assert not scored[:, :4].any()
    assert not scored[:, 60:].any()
    assert not scored[10:12].any()
    assert scored.sum() == (HEIGHT - 5 - 2) * 56
    assert sample.depth_m[scored] == pytest.approx(2.0)
    assert sample.mounting == CameraMounting(0.5, 10.0)
    assert sample.intrinsics.fx_px == 64.0


def test_pictures_may_be_a_scaled_copy_of_what_the_camera_file_describes(tmp_path):
    write_scene(
        tmp_path,
        's',
        [2.0],
        width=2 * WIDTH,
        height=2 * HEIGHT,
        cx=63.5,
        cy=47.5,
        eval_crop_x0y0x1y1=[20, 10, 120, 90],
        mount={'height_m': 0.7, 'pitch_down_deg': 20, 'roll_deg': 3},
    )
    sample = open_dataset(tmp_path)[0].load()
    rows, columns = np.nonzero(np.isfinite(sample.depth_m))
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (10, 5, 59, 44)
    assert (sample.intrinsics.fx_px, sample.intrinsics.cx_px) == (32.0, 31.5)
    assert sample.mounting == CameraMounting(0.7, 20.0, 3.0)


def test_pictures_are_rgb(tmp_path):
    folder = write_scene(tmp_path, 's', [1.0])
    red = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    red[..., 2] = 200  # OpenCV writes BGR
    cv2.imwrite(str(folder / 'rgb' / '0000.png'), red)
    assert open_dataset(tmp_path)[0].load().image_rgb[0, 0].tolist() == [200, 0, 0]


def break_scene(folder, how):
    picture, depth = folder / 'rgb' / '0000.png', folder / 'depth' / '0000.png'
    if how == 'no depth':
        depth.unlink()
    elif how == 'text as depth':
        depth.write_text('x')
    elif how == 'empty depth':
        depth.write_bytes(b'')
    elif how == '8-bit depth':
        cv2.imwrite(str(depth), np.ones((HEIGHT, WIDTH), np.uint8))
    elif how == 'small depth':
        cv2.imwrite(str(depth), np.ones((HEIGHT - 1, WIDTH), np.uint16))
    elif how == 'text as picture':
        picture.write_text('x')
    elif how == 'large picture':
        cv2.imwrite(str(picture), np.ones((HEIGHT, WIDTH + 1, 3), np.uint8))
    elif how == 'no pictures':
        picture.unlink()
    elif how == 'no camera':
        (folder / 'camera.json').unlink()
    else:
        content = {**CAMERA, **json.loads(how)}
        (folder / 'camera.json').write_text(json.dumps(content))


@pytest.mark.parametrize(
    ('how', 'expected'),
    [
        ('no depth', 'readable'),
        ('text as depth', '16-bit PNG'),
        ('empty depth', '16-bit PNG'),
        ('8-bit depth', 'uint8'),
        ('small depth', '64x47'),
        ('text as picture', 'must be a picture'),
        ('large picture', '65x48'),
        ('{"k1": 0.1}', 'rectified'),
        ('no pictures', 'got none'),
        ('no camera', 'camera'),
        ('{"height_m": -1}', 'height'),
        ('{"height_m": "low"}', 'low'),
        ('{"eval_crop_x0y0x1y1": [1, 2]}', 'camera.json'),
        ('{"eval_crop_x0y0x1y1": 7}', 'camera.json'),
    ],
)
def test_broken_scenes(tmp_path, how, expected):
    break_scene(write_scene(tmp_path, 's', [1.0]), how)
    split = tmp_path / 'split.txt'
    split.write_text('s')
    with pytest.raises(ToolInputError, match=expected):
        open_dataset(tmp_path, split)[0].load()


@pytest.mark.parametrize(
    ('split', 'expected'),
    [('', 'empty'), ('  \n', 'empty'), ('missing', 'missing'), (b'\xff\xfe', 'text file')],
)
def test_broken_splits(tmp_path, split, expected):
    write_scene(tmp_path, 's', [1.0])
    path = tmp_path / 'split.txt'
    path.write_bytes(split if isinstance(split, bytes) else split.encode())
    with pytest.raises(ToolInputError, match=expected):
        open_dataset(tmp_path, path)


def test_broken_datasets(tmp_path):
    with pytest.raises(ToolInputError, match='folder of scenes'):
        open_dataset(tmp_path / 'none')
    with pytest.raises(ToolInputError, match='got none'):
        open_dataset(tmp_path)
    with pytest.raises(ToolInputError, match='split'):
        open_dataset(tmp_path, tmp_path / 'none.txt')


class TestNyuMatFile:
    """NYU's own file: MATLAB's order of axes, its camera and crop."""

    @pytest.fixture
    def mat(self, tmp_path):
        h5py = pytest.importorskip('h5py')
        path = tmp_path / 'nyu_depth_v2_labeled.mat'
        with h5py.File(path, 'w') as file:
            pictures = np.zeros((3, 3, 640, 480), np.uint8)
            pictures[1, 0, 100, 50] = 255  # picture 2: red at x 100, y 50
            depths = np.full((3, 640, 480), 2.0, np.float32)
            depths[1, 100, 50] = 3.0
            depths[1, 101, 50] = 0.0
            file['images'], file['depths'] = pictures, depths
            scenes = file.create_dataset('scenes', (1, 3), h5py.ref_dtype)
            for index, name in enumerate(('kitchen', 'study', 'study')):
                codes = np.array([[ord(letter)] for letter in name], np.uint16)
                scenes[0, index] = file.create_dataset(f'text{index}', data=codes).ref
        return path

    def test_pixels_camera_and_crop(self, mat):
        sources = open_dataset(mat)
        assert [source.scene for source in sources] == ['kitchen', 'study', 'study']
        sample = sources[1].load()
        assert (sample.scene, sample.name) == ('study', '0002')
        assert sample.image_rgb.shape == (480, 640, 3)
        assert sample.image_rgb[50, 100].tolist() == [255, 0, 0]
        assert sample.depth_m[50, 100] == 3.0
        assert np.isnan(sample.depth_m[50, 101])
        scored = np.isfinite(sample.depth_m)
        assert scored.sum() == (471 - 45) * (601 - 41) - 1
        assert scored[45:471, 41:601].sum() == scored.sum()
        assert sample.intrinsics.fx_px == pytest.approx(518.86, abs=0.01)

    def test_the_file_is_closed(self, mat):
        sources = open_dataset(mat)
        for source in sources:
            source.load()
        opened = os.listdir('/proc/self/fd')
        assert str(mat) not in {os.path.realpath(f'/proc/self/fd/{number}') for number in opened}

    def test_split_counts_from_one(self, mat, tmp_path):
        split = tmp_path / 'split.txt'
        split.write_text('3\n1\n')
        assert [source.name for source in open_dataset(mat, split)] == ['0003', '0001']
        for bad in ('0', '4', 'one'):
            split.write_text(bad)
            with pytest.raises(ToolInputError, match='1 to 3'):
                open_dataset(mat, split)

    def test_other_files(self, tmp_path):
        h5py = pytest.importorskip('h5py')
        path = tmp_path / 'other.mat'
        path.write_text('no HDF5')
        with pytest.raises(ToolInputError, match='nyu_depth_v2_labeled'):
            open_dataset(path)
        with h5py.File(path, 'w') as file:
            file['images'] = np.zeros(3)
        with pytest.raises(ToolInputError, match='nyu_depth_v2_labeled'):
            open_dataset(path)
