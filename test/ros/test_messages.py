# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.errors import CameraInfoError
from fcrn_depth_ros.ros.messages import (
    camera_info_message,
    depth_image_message,
    point_cloud_message,
    range_message,
)
from fcrn_depth_ros.wire.camera_info import calibration_from_camera_info, is_uncalibrated
from fcrn_depth_ros.wire.contents import horizontal_field_of_view_rad
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Range, RegionOfInterest
from std_msgs.msg import Header

CAMERA = CameraIntrinsics(500.0, 510.0, 319.5, 239.5, 640, 480)


def camera_info(**changes: object) -> CameraInfo:
    info = camera_info_message(Header(), CAMERA)
    for name, value in changes.items():
        setattr(info, name, value)
    return info


def test_camera_info_round_trip() -> None:
    calibration = calibration_from_camera_info(camera_info(), 640, 480)
    assert calibration.intrinsics == CAMERA


def test_a_calibration_that_comes_again_is_not_read_again() -> None:
    first = calibration_from_camera_info(camera_info(), 640, 480)
    assert calibration_from_camera_info(camera_info(), 640, 480) is first
    other = calibration_from_camera_info(
        camera_info(k=[600.0, 0, 320, 0, 600, 240, 0, 0, 1]), 640, 480
    )
    assert other is not first
    assert other.camera_matrix[0, 0] == 600.0


def test_projection_is_used_and_camera_matrix_where_it_is_empty() -> None:
    projection = camera_info().p
    projection[0] = 450.0
    assert (
        calibration_from_camera_info(camera_info(p=projection), 640, 480).intrinsics.fx_px == 450.0
    )
    assert (
        calibration_from_camera_info(camera_info(p=[0.0] * 12), 640, 480).intrinsics.fx_px == 500.0
    )


def test_binning_and_region_of_interest() -> None:
    info = camera_info(
        binning_x=2,
        binning_y=2,
        roi=RegionOfInterest(x_offset=100, y_offset=40, width=400, height=300),
    )
    intrinsics = calibration_from_camera_info(info, 200, 150).intrinsics
    assert (intrinsics.fx_px, intrinsics.fy_px) == (250.0, 255.0)
    assert (intrinsics.cx_px, intrinsics.cy_px) == ((319.5 - 100) / 2, (239.5 - 40) / 2)


@pytest.mark.parametrize(
    ('sensor', 'focal', 'roi', 'centre'),
    [
        ((1920, 1440), 1440.0, (1600, 600, 320, 240), (-640.5, 119.5)),
        ((1920, 1440), 1440.0, (0, 1200, 1920, 240), (959.5, -480.5)),
        ((1920, 1440), 4000.0, (880, 660, 160, 120), (79.5, 59.5)),
    ],
)
def test_a_crop_far_from_the_centre_of_the_sensor_is_accepted(
    sensor: tuple[int, int],
    focal: float,
    roi: tuple[int, int, int, int],
    centre: tuple[float, float],
) -> None:
    x, y, width, height = roi
    whole = CameraIntrinsics(
        focal, focal, (sensor[0] - 1) / 2, (sensor[1] - 1) / 2, sensor[0], sensor[1]
    )
    info = camera_info_message(Header(), whole)
    info.roi = RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height)
    intrinsics = calibration_from_camera_info(info, width, height).intrinsics
    assert (intrinsics.fx_px, intrinsics.cx_px, intrinsics.cy_px) == (focal, *centre)
    # The same numbers are refused for a whole sensor.
    info.p[0] = info.k[0] = 20.1 * sensor[0]
    with pytest.raises(CameraInfoError, match='sensor of 1920x1440'):
        calibration_from_camera_info(info, width, height)


def test_a_lens_without_a_name_is_derived_or_refused() -> None:
    info = camera_info(distortion_model='', d=[0.1, 0.0, 0.0, 0.0, 0.0])
    assert calibration_from_camera_info(info, 640, 480).distortion_model == 'plumb_bob'
    info.d = [0.18, -0.03, 0.0, 0.0]
    with pytest.raises(CameraInfoError, match='distortion_model must be stated'):
        calibration_from_camera_info(info, 640, 480)
    info.d = [0.0] * 4
    assert not calibration_from_camera_info(info, 640, 480).is_distorted


@pytest.mark.parametrize('size', [(320, 240), (640, 481), (0, 0)])
def test_contradictory_size_is_named(size: tuple[int, int]) -> None:
    with pytest.raises(CameraInfoError, match=r'got 640x480'):
        calibration_from_camera_info(camera_info(), *size)


@pytest.mark.parametrize('focal', [math.nan, math.inf, -500.0, 1e9])
def test_unusable_focal_length_is_refused(focal: float) -> None:
    info = camera_info(p=[0.0] * 12)
    info.k[0] = focal
    with pytest.raises(CameraInfoError):
        calibration_from_camera_info(info, 640, 480)


def test_uncalibrated() -> None:
    assert is_uncalibrated(CameraInfo())
    assert not is_uncalibrated(camera_info())


@pytest.mark.parametrize(
    ('metres', 'millimetres'),
    [
        (math.nan, 0),
        (0.0004, 0),
        (0.001, 1),
        (1.2345, 1234),
        (65.535, 65535),
        (65.536, 0),
        (math.inf, 0),
        (-1.0, 0),
    ],
)
def test_sixteen_bit_depth(metres: float, millimetres: int) -> None:
    message = depth_image_message(Header(), np.full((2, 3), metres, np.float32), '16UC1')
    assert (message.encoding, message.step) == ('16UC1', 6)
    assert np.all(np.frombuffer(message.data, np.uint16) == millimetres)


def test_float_depth_keeps_nan() -> None:
    message = depth_image_message(Header(), np.array([[1.5, np.nan]], np.float32), '32FC1')
    values = np.frombuffer(message.data, np.float32)
    assert values[0] == 1.5 and np.isnan(values[1])


def test_cloud_layout() -> None:
    points = np.array([[[1, 2, 3], [np.nan] * 3]], np.float32)
    colors = np.array([[[10, 20, 30], [0, 0, 0]]], np.uint8)
    cloud = point_cloud_message(Header(), points, colors)
    assert (cloud.width, cloud.height, cloud.point_step, cloud.row_step) == (2, 1, 16, 32)
    assert not cloud.is_dense
    values = np.frombuffer(cloud.data, np.float32).reshape(2, 4)
    assert values[0, :3].tolist() == [1, 2, 3]
    packed = np.frombuffer(cloud.data, np.uint32).reshape(2, 4)[0, 3]
    assert packed == 10 << 16 | 20 << 8 | 30


@pytest.mark.parametrize(('nearest', 'published'), [(0.5, 0.5), (10.0, 10.0), (10.1, 10.0)])
def test_range_is_finite(nearest: float, published: float) -> None:
    message = range_message(Header(), nearest, 1.0, 10.0, 0.25)
    assert message.variance == 0.25
    assert isinstance(message, Range) and message.range == pytest.approx(published)


def test_field_of_view() -> None:
    whole = horizontal_field_of_view_rad(CAMERA)
    assert whole == pytest.approx(2 * math.atan(320 / 500))
    halves = [horizontal_field_of_view_rad(CAMERA, *half) for half in ((0.0, 0.5), (0.5, 1.0))]
    assert halves == [pytest.approx(whole / 2)] * 2
