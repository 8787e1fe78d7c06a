# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Intrinsics: scaling, rays and bounds."""

from __future__ import annotations

import math

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.errors import CameraInfoError
import numpy as np
import pytest

VGA = CameraIntrinsics(520.0, 510.0, 319.5, 239.5, 640, 480)


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
        CameraIntrinsics(**values).check_plausible()


@pytest.mark.parametrize('change', [{'fx_px': 64.0}, {'fx_px': 12800.0}, {'cx_px': -640.0}])
def test_bounds_themselves_are_allowed(change):
    CameraIntrinsics(**{**VGA.__dict__, **change}).check_plausible()


def test_a_crop_may_lie_anywhere_but_its_numbers_must_be_numbers():
    CameraIntrinsics(1440.0, 1440.0, -640.5, 119.5, 320, 240)
    for change in ({'fx_px': 0.0}, {'fy_px': math.inf}, {'cx_px': math.inf}, {'cy_px': math.nan}):
        with pytest.raises(CameraInfoError, match=next(iter(change))[:2]):
            CameraIntrinsics(**{**VGA.__dict__, **change})
