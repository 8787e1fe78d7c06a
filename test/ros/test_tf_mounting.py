# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

from fcrn_depth_ros.ros.tf_mounting import mounting_from_transform
import pytest


def optical_in_floor(pitch_deg: float, roll_deg: float) -> tuple[float, float, float, float]:
    """Give the rotation of an optical frame that looks along the floor's x axis."""
    level = (-0.5, 0.5, -0.5, 0.5)
    pitch, roll = (math.radians(angle) / 2 for angle in (pitch_deg, roll_deg))
    about_x = (-math.sin(pitch), 0.0, 0.0, math.cos(pitch))
    about_z = (0.0, 0.0, math.sin(roll), math.cos(roll))
    return product(product(level, about_x), about_z)


def product(first: tuple[float, ...], second: tuple[float, ...]) -> tuple[float, ...]:
    (x1, y1, z1, w1), (x2, y2, z2, w2) = first, second
    return (
        w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
        w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
        w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
    )


@pytest.mark.parametrize(('pitch_deg', 'roll_deg'), [(0, 0), (20, 0), (-10, 0), (0, 7), (30, -5)])
def test_pose_to_mounting(pitch_deg: float, roll_deg: float) -> None:
    mounting = mounting_from_transform((3.0, -2.0, 0.4), optical_in_floor(pitch_deg, roll_deg))
    assert mounting is not None
    assert mounting.height_m == pytest.approx(0.4)
    assert mounting.pitch_deg == pytest.approx(pitch_deg, abs=1e-6)
    assert mounting.roll_deg == pytest.approx(roll_deg, abs=1e-6)


@pytest.mark.parametrize('height_m', [0.0, -0.3])
def test_a_camera_below_the_floor_has_no_mounting(height_m: float) -> None:
    assert mounting_from_transform((0.0, 0.0, height_m), optical_in_floor(0, 0)) is None
