# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Camera files: what is read, and one line with file and key for what is wrong."""

from __future__ import annotations

import json
import math
from pathlib import Path

from fcrn_depth_ros.camera.camera_file import CameraFile, read_camera_file
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.errors import ToolInputError
import pytest

VGA = CameraIntrinsics(520.0, 510.0, 319.5, 239.5, 640, 480)
FLAT = {'fx': 520, 'fy': 510, 'cx': 319.5, 'cy': 239.5, 'width': 640, 'height': 480}

ROS_YAML = """
image_width: 640
image_height: 480
camera_name: test
camera_matrix: {rows: 3, cols: 3, data: [520.0, 0, 319.5, 0, 510.0, 239.5, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0.001, 0.002, 0.0]}
"""
FISHEYE_YAML = ROS_YAML.replace('distortion_model: plumb_bob', 'camera_model: fisheye').replace(
    'data: [0.1, -0.2, 0.001, 0.002, 0.0]', 'data: [0.18, -0.03, 4e-04, -7e-04]'
)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def flat(folder: Path, **extra: object) -> CameraFile:
    return read_camera_file(written(folder, 'camera.json', json.dumps({**FLAT, **extra})))


def test_camera_json(tmp_path: Path) -> None:
    file = flat(tmp_path)
    assert file.intrinsics == VGA
    assert file.mounting is None
    assert file.score_crop == (0, 0, 640, 480)
    assert file.max_reliable_m == math.inf
    assert file.calibration.distortion_model == 'plumb_bob'
    assert not file.calibration.is_distorted
    lens = flat(tmp_path, k1=0.1, k3=0.5).calibration
    assert (lens.distortion_model, lens.is_distorted) == ('plumb_bob', True)
    assert lens.distortion.tolist() == [0.1, 0.0, 0.0, 0.0, 0.5]
    lens = flat(tmp_path, distortion_model='equidistant', k1=0.1, k4=0.2).calibration
    assert (lens.distortion_model, lens.distortion.tolist()) == ('equidistant', [0.1, 0, 0, 0.2])


def test_ros_calibration(tmp_path: Path) -> None:
    file = read_camera_file(written(tmp_path, 'camera.yaml', ROS_YAML + 'height_m: 0.4\n'))
    assert file.intrinsics == VGA
    assert file.mounting == CameraMounting(0.4)
    assert file.calibration.distortion_model == 'plumb_bob'
    assert file.calibration.distortion.tolist() == [0.1, -0.2, 0.001, 0.002, 0.0]
    assert file.calibration.camera_matrix[:2].tolist() == [[520, 0, 319.5], [0, 510, 239.5]]


@pytest.mark.parametrize(
    ('old', 'new', 'model', 'count'),
    [
        # What some calibrators write, with the lens model in camera_model.
        ('distortion_model: plumb_bob', 'camera_model: plumb_bob', 'plumb_bob', 5),
        # Five coefficients are plumb_bob's, eight rational_polynomial's, and nobody else's.
        ('distortion_model: plumb_bob', '', 'plumb_bob', 5),
        ('distortion_model: plumb_bob', 'distortion_model:', 'plumb_bob', 5),
        ('0.002, 0.0]', '0.002, 0.0, 0.1, 0.2, 0.3]', 'plumb_bob', 8),
        ('{rows: 1, cols: 5, data: [0.1, -0.2, 0.001, 0.002, 0.0]}', '[0.1, 0, 0, 1e-05, 0]',
         'plumb_bob', 5),
        ('plumb_bob', 'kannala_brandt', 'kannala_brandt', 5),
    ],
)  # fmt: skip
def test_a_lens_model_is_stated_or_derived(
    tmp_path: Path, old: str, new: str, model: str, count: int
) -> None:
    assert old in ROS_YAML
    lens = read_camera_file(written(tmp_path, 'c.yaml', ROS_YAML.replace(old, new))).calibration
    assert (lens.distortion_model, len(lens.distortion)) == (model, count)
    assert lens.is_distorted


def test_a_fisheye_without_distortion_model_is_equidistant(tmp_path: Path) -> None:
    lens = read_camera_file(written(tmp_path, 'c.yaml', FISHEYE_YAML)).calibration
    assert lens.distortion_model == 'equidistant'
    assert lens.distortion.tolist() == [0.18, -0.03, 0.0004, -0.0007]


def test_without_coefficients_there_is_no_distortion(tmp_path: Path) -> None:
    text = ROS_YAML[: ROS_YAML.index('distortion_model')]
    lens = read_camera_file(written(tmp_path, 'c.yaml', text)).calibration
    assert (lens.distortion_model, lens.is_distorted) == ('plumb_bob', False)


@pytest.mark.parametrize(
    ('name', 'text', 'expected'),
    [
        ('camera.json', '{', 'readable'),
        ('camera.json', '[' * 100_000, 'readable'),
        ('camera.json', '[1, 2]', 'named values'),
        ('camera.json', '{"fx": 1}', 'fy'),
        ('camera.yaml', 'a: [', 'readable'),
        ('camera.yaml', ROS_YAML.replace('520.0, 0, ', ''), 'camera_matrix .*9 numbers, got 7'),
        ('camera.yaml', ROS_YAML.replace('image_width: 640', ''), 'image_width'),
        ('camera.yaml', ROS_YAML.replace('data: [0.1', 'data: [x'), 'distortion_coef.*got x'),
        ('camera.yaml', 'camera_matrix: 3', 'camera_matrix .*got 3'),
        ('camera.yaml', 'camera_matrix:', 'camera_matrix .*got nothing'),
        ('camera.yaml', ROS_YAML.replace('data: [0.1', 'data: [.nan'), 'distortion_coefficients'),
        ('camera.yaml', ROS_YAML.replace('data: [520.0', 'data: [.inf'), 'camera_matrix'),
        # An empty key, and coefficients of a model that is not stated.
        (
            'camera.yaml',
            ROS_YAML[: ROS_YAML.index('distortion_model')] + 'distortion_coefficients:\n',
            'distortion_coefficients .*got nothing',
        ),
        ('camera.yaml', ROS_YAML.replace('plumb_bob', '3'), 'distortion_model .*a name, got 3'),
        (
            'camera.yaml',
            FISHEYE_YAML.replace('camera_model: fisheye', ''),
            'distortion_model must be stated for 4 coefficients, got none',
        ),
        (
            'camera.yaml',
            FISHEYE_YAML.replace('fisheye', 'pinhole'),
            "distortion_model must be stated for 4 coefficients of camera_model 'pinhole'",
        ),
        (
            'camera.yaml',
            FISHEYE_YAML.replace('data: [0.18, ', 'data: ['),
            "distortion_model must be stated for 3 coefficients of camera_model 'fisheye'",
        ),
        ('camera.yaml', ROS_YAML + 'camera_model: fisheye', 'agree with camera_model'),
        ('camera.yaml', ROS_YAML.replace('plumb_bob', 'equidistant'), '4 numbers .*got 5'),
    ],
)
def test_bad_files_are_one_clear_error(
    tmp_path: Path, name: str, text: str, expected: str
) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(ToolInputError, match=expected) as caught:
        read_camera_file(path)
    assert '\n' not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ('key', 'text'),
    [
        ('width', 'Infinity'),
        ('width', 'NaN'),
        ('width', '640.5'),
        ('width', '0'),
        ('width', '"wide"'),
        ('width', 'true'),
        ('height', '-480'),
        ('height', '1e300'),
        ('fx', '"a"'),
        ('fx', '0'),
        ('fx', 'NaN'),
        ('fx', '1' + '0' * 400),
        ('fy', 'null'),
        ('cx', '[1]'),
        ('cy', '-Infinity'),
        ('k1', '"barrel"'),
        ('k4', '0.1'),
        ('k6', '0.1'),
        ('distortion_coefficients', 'null'),
        ('distortion_coefficients', '7'),
        ('distortion_coefficients', '{"data": null}'),
        ('camera_model', '[]'),
        ('height_m', '-1.0'),
        ('height_m', '"low"'),
        ('height_m', 'null'),
        ('height_m', 'NaN'),
        ('mount', '0.5'),
        ('mount.height_m', '{"height_m": true}'),
        ('mount.roll_deg', '{"height_m": 0.5, "roll_deg": "left"}'),
        ('mount.pitch_down_deg', '{"height_m": 0.5, "pitch_down_deg": 91}'),
        ('max_reliable_m', '0'),
        ('max_reliable_m', 'Infinity'),
        ('eval_crop_x0y0x1y1', '[1, 2]'),
        ('eval_crop_x0y0x1y1', '7'),
        ('eval_crop_x0y0x1y1', '[0, 0, 10.5, 10]'),
        ('eval_crop_x0y0x1y1', '[10, 0, 10, 10]'),
        ('eval_crop_x0y0x1y1', '[640, 0, 700, 10]'),
    ],
)
def test_a_bad_value_is_named_with_its_key(tmp_path: Path, key: str, text: str) -> None:
    values = {name: str(value) for name, value in FLAT.items()} | {key.split('.')[0]: text}
    content = ', '.join(f'"{name}": {value}' for name, value in values.items())
    path = written(tmp_path, 'camera.json', f'{{{content}}}')
    with pytest.raises(ToolInputError, match=rf'\b{key}\b.*got ') as caught:
        read_camera_file(path)
    assert '\n' not in str(caught.value) and len(str(caught.value)) < 600
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_utf8_or_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'camera.yaml'
    path.write_bytes('camera_name: Büro'.encode('latin-1'))
    with pytest.raises(ToolInputError, match=r'readable.*camera\.yaml'):
        read_camera_file(path)
    with pytest.raises(ToolInputError, match='none.yaml'):
        read_camera_file(tmp_path / 'none.yaml')


def test_whole_numbers_may_be_written_as_floats(tmp_path: Path) -> None:
    assert flat(tmp_path, width=640.0, height=480.0).intrinsics == VGA


@pytest.mark.parametrize(
    ('extra', 'expected'),
    [
        ({}, None),
        ({'mount': {'how': 'by eye'}}, None),
        ({'height_m': 0.5}, CameraMounting(0.5)),
        ({'height_m': 0.3, 'pitch_deg': 12}, CameraMounting(0.3, 12.0)),
        ({'height_m': 0.3, 'pitch_deg': 12, 'roll_deg': -3.5}, CameraMounting(0.3, 12.0, -3.5)),
        ({'mount': {'height_m': 0.7, 'pitch_down_deg': 52.4}}, CameraMounting(0.7, 52.4)),
        (
            {'mount': {'height_m': 0.7, 'pitch_deg': 5, 'roll_deg': 2}},
            CameraMounting(0.7, 5.0, 2.0),
        ),
    ],
)
def test_the_mounting_is_read_with_its_roll(
    tmp_path: Path, extra: dict[str, object], expected: CameraMounting | None
) -> None:
    assert flat(tmp_path, **extra).mounting == expected


def test_a_mounting_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match='mount .*absent where height_m'):
        flat(tmp_path, height_m=0.5, mount={'height_m': 0.5})


def test_everything_scales_with_the_picture(tmp_path: Path) -> None:
    file = flat(
        tmp_path, k1=0.1, eval_crop_x0y0x1y1=[44, 40, 601, 999], max_reliable_m=4, height_m=0.5
    )
    assert file.score_crop == (44, 40, 601, 480)
    half = file.fitted_to(320, 240)
    assert half.intrinsics == CameraIntrinsics(260.0, 255.0, 159.5, 119.5, 320, 240)
    assert half.calibration.camera_matrix[:2].tolist() == [[260, 0, 159.5], [0, 255, 119.5]]
    assert half.calibration.distortion.tolist() == file.calibration.distortion.tolist()
    assert half.score_crop == (22, 20, 300, 240)
    assert (half.max_reliable_m, half.mounting) == (4.0, CameraMounting(0.5))
    assert file.fitted_to(640, 480).calibration.same_as(file.calibration)
    # Stretching is for whoever stretches the picture alike.
    assert file.scaled_to(320, 480).score_crop == (22, 40, 300, 480)


@pytest.mark.parametrize(
    ('size', 'fits'),
    [
        ((1280, 960), True),
        ((427, 320), True),  # 426.7: rounded
        ((425, 320), False),
        ((640, 360), False),
        ((480, 640), False),
    ],
)
def test_pictures_of_another_shape_do_not_fit(
    tmp_path: Path, size: tuple[int, int], fits: bool
) -> None:
    file = flat(tmp_path)
    if fits:
        assert file.fitted_to(*size).intrinsics.width_px == size[0]
        return
    with pytest.raises(ToolInputError, match=f'{size[0]}x{size[1]}, got 640x480'):
        file.fitted_to(*size)


def test_distortion_is_refused_where_it_is_not_removed(tmp_path: Path) -> None:
    flat(tmp_path, k1=0.0).check_rectified()
    with pytest.raises(ToolInputError, match='rectified pictures, got a lens of model plumb_bob'):
        flat(tmp_path, k1=0.1).check_rectified()
