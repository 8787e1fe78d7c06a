# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Intrinsics: scaling, rays, bounds, and the files they are read from."""

from __future__ import annotations

import json
import math

from fcrn_depth_ros.camera.camera_file import load_camera_calibration, load_camera_file
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.errors import CameraInfoError, ToolInputError
import numpy as np
import pytest

VGA = CameraIntrinsics(520.0, 510.0, 319.5, 239.5, 640, 480)

ROS_YAML = """
image_width: 640
image_height: 480
camera_name: test
camera_matrix: {rows: 3, cols: 3, data: [520.0, 0, 319.5, 0, 510.0, 239.5, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0.001, 0.002, 0.0]}
"""


def test_centre_stays_in_the_centre_when_scaled():
    half = VGA.scaled_to(320, 240)
    assert (half.fx_px, half.fy_px, half.cx_px, half.cy_px) == (260.0, 255.0, 159.5, 119.5)
    assert half.scaled_to(640, 480) == VGA


def test_a_point_keeps_its_ray_when_the_image_is_scaled():
    # The edge between pixels 199 and 200 of 640 is the one between 99 and 100 of 320.
    left, right = VGA.rays()[0, 199:201, 0]
    left_half, right_half = VGA.scaled_to(320, 240).rays()[0, 99:101, 0]
    assert (left + right) / 2 == pytest.approx((left_half + right_half) / 2)


def test_rays_point_right_down_and_forward():
    rays = VGA.rays()
    assert rays.shape == (480, 640, 3)
    assert rays.dtype == np.float32
    assert rays[479, 639] == pytest.approx([319.5 / 520, 239.5 / 510, 1.0])
    assert rays[0, 0] == pytest.approx([-319.5 / 520, -239.5 / 510, 1.0])


def test_field_of_view_of_another_width():
    camera = CameraIntrinsics.from_field(518.86, 640, 320, 180)
    assert camera.fx_px == camera.fy_px == pytest.approx(259.43)
    assert (camera.cx_px, camera.cy_px) == (159.5, 89.5)


@pytest.mark.parametrize(
    ('change', 'name'),
    [
        ({'fx_px': 0.0}, 'fx'),
        ({'fx_px': 63.9}, 'fx'),
        ({'fx_px': 12801.0}, 'fx'),
        ({'fy_px': -510.0}, 'fy'),
        ({'fy_px': math.nan}, 'fy'),
        ({'fy_px': math.inf}, 'fy'),
        ({'cx_px': math.nan}, 'cx'),
        ({'cx_px': -641.0}, 'cx'),
        ({'cy_px': 961.0}, 'cy'),
        ({'width_px': 0}, 'size'),
        ({'height_px': -480}, 'size'),
    ],
)
def test_nonsense_is_refused_by_name(change, name):
    values = {**VGA.__dict__, **change}
    with pytest.raises(CameraInfoError, match=name):
        CameraIntrinsics(**values)


@pytest.mark.parametrize('change', [{'fx_px': 64.0}, {'fx_px': 12800.0}, {'cx_px': -640.0}])
def test_bounds_themselves_are_allowed(change):
    CameraIntrinsics(**{**VGA.__dict__, **change})


def test_camera_json(tmp_path):
    path = tmp_path / 'camera.json'
    content = {'fx': 520, 'fy': 510, 'cx': 319.5, 'cy': 239.5, 'width': 640, 'height': 480}
    path.write_text(json.dumps(content))
    assert load_camera_file(path) == VGA
    assert load_camera_calibration(path).distortion == ()
    path.write_text(json.dumps({**content, 'k1': 0.1, 'k3': 0.5}))
    calibration = load_camera_calibration(path)
    assert calibration.distortion_model == 'plumb_bob'
    assert calibration.distortion == (0.1, 0.0, 0.0, 0.0, 0.5)


def test_ros_calibration(tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(ROS_YAML)
    calibration = load_camera_calibration(path)
    assert calibration.intrinsics == VGA
    assert calibration.distortion_model == 'plumb_bob'
    assert calibration.distortion == (0.1, -0.2, 0.001, 0.002, 0.0)


@pytest.mark.parametrize(
    ('name', 'text', 'expected'),
    [
        ('camera.json', '{', 'readable'),
        ('camera.json', '[1, 2]', 'named values'),
        ('camera.json', '{"fx": 1}', 'fy'),
        ('camera.json', '{"fx":"a","fy":1,"cx":1,"cy":1,"width":4,"height":4}', 'numbers'),
        ('camera.json', '{"fx":0,"fy":1,"cx":1,"cy":1,"width":4,"height":4}', 'fx'),
        ('camera.yaml', 'a: [', 'readable'),
        ('camera.yaml', ROS_YAML.replace('520.0, 0, ', ''), '7 numbers'),
        ('camera.yaml', ROS_YAML.replace('image_width: 640', ''), 'image_width'),
        ('camera.yaml', ROS_YAML.replace('data: [0.1', 'data: [x'), 'numbers'),
        ('camera.yaml', 'camera_matrix: 3', 'numbers'),
    ],
)
def test_bad_files_are_one_clear_error(tmp_path, name, text, expected):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ToolInputError, match=expected) as caught:
        load_camera_file(path)
    assert '\n' not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(ToolInputError, match='none.yaml'):
        load_camera_file(tmp_path / 'none.yaml')
