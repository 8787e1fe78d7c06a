# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Time to collision from pictures that grow, stand still, turn, or show nothing."""

from __future__ import annotations

from collections.abc import Callable
import math

import cv2
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.perception.looming import LoomingWatch
import numpy as np
from numpy.typing import NDArray
import pytest

CAMERA = CameraIntrinsics(300.0, 300.0, 159.5, 119.5, 320, 240)
PERIOD_NS = 100_000_000


def wall(seed: int = 0) -> NDArray[np.uint8]:
    """Paint a wall with spots of every size."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((1200, 1600), np.float32)
    for sigma in (2, 5, 12):
        spots = cv2.GaussianBlur(rng.normal(size=picture.shape).astype(np.float32), (0, 0), sigma)
        picture += spots / spots.std()
    picture = np.clip(128 + 35 * picture, 0, 255)
    return np.repeat(picture[..., None], 3, axis=2).astype(np.uint8)


WALL = wall()


def view(distance_m: float, right_m: float = 0.0, turn_rad: float = 0.0) -> NDArray[np.uint8]:
    """Look at a wall 4 m wide: 400 of its pixels are a metre."""
    scale = 300.0 / (400.0 * distance_m)
    shift = 300.0 * (right_m / distance_m + math.tan(turn_rad))
    matrix = np.array(
        [[scale, 0.0, 159.5 - scale * 800 - shift], [0.0, scale, 119.5 - scale * 600]]
    )
    seen = cv2.warpAffine(WALL, matrix, (320, 240), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(seen, np.uint8)


def told(
    pictures: Callable[[float], NDArray[np.uint8]],
    count: int = 9,
    mounting: CameraMounting | None = None,
) -> list[float]:
    """Show pictures at 10 Hz, given the time in seconds; return what is said, without NaN."""
    watch = LoomingWatch()
    said = [
        watch.update(pictures(index / 10), 10**9 + index * PERIOD_NS, CAMERA, mounting)
        for index in range(count)
    ]
    return [ttc_s for ttc_s in said if not math.isnan(ttc_s)]


@pytest.mark.parametrize(('start_m', 'speed_mps'), [(2.0, 0.5), (1.2, 0.8), (1.0, 0.25)])
def test_a_wall_that_comes_near_is_timed(start_m: float, speed_mps: float) -> None:
    said = told(lambda time_s: view(start_m - speed_mps * time_s))
    assert len(said) == 4
    for index, ttc_s in enumerate(said):
        true_s = (start_m - speed_mps * 0.2 * (index + 1)) / speed_mps
        assert ttc_s == pytest.approx(true_s, rel=0.12)


@pytest.mark.parametrize(
    'pictures',
    [
        lambda time_s: view(1.0),  # still
        lambda time_s: view(1.0 + 0.5 * time_s),  # goes away
        lambda time_s: view(1.0, turn_rad=0.3 * time_s),  # the robot turns
        lambda time_s: view(1.0, right_m=0.3 * time_s),  # passes by
    ],
)
def test_what_does_not_grow_is_not_reached(pictures: Callable[[float], NDArray[np.uint8]]) -> None:
    said = told(pictures)
    assert len(said) == 4 and min(said) > 5.0


@pytest.mark.parametrize(
    'picture',
    [np.full((240, 320, 3), 90, np.uint8), np.zeros((240, 320, 3), np.uint8)],
)
def test_a_picture_without_corners_says_nothing(picture: NDArray[np.uint8]) -> None:
    assert told(lambda _: picture) == []


def test_pictures_that_have_nothing_to_do_with_each_other_say_nothing() -> None:
    rng = np.random.default_rng(1)
    assert told(lambda _: rng.integers(0, 255, (240, 320, 3)).astype(np.uint8)) == []


@pytest.mark.parametrize(
    ('later_ns', 'says'),
    [
        (150_000_000, True),
        (149_000_000, False),
        (600_000_000, True),
        (601_000_000, False),
        (-1, False),
    ],
)
def test_pictures_must_be_neither_too_near_nor_too_far_apart(later_ns: int, says: bool) -> None:
    watch = LoomingWatch()
    assert math.isnan(watch.update(view(1.0), 10**9, CAMERA, None))
    assert math.isnan(watch.update(view(0.95), 10**9 + later_ns, CAMERA, None)) != says


def test_what_is_beside_the_heading_does_not_count() -> None:
    # The camera looks 40 degrees down: its heading is above the picture.
    assert told(lambda time_s: view(1.0 - 0.4 * time_s), 9, CameraMounting(0.4, 40.0, 0.0)) == []


def test_a_restart_and_another_size_begin_anew() -> None:
    watch = LoomingWatch()
    watch.update(view(1.0), 10**9, CAMERA, None)
    watch.restart()
    assert math.isnan(watch.update(view(0.9), 10**9 + 2 * PERIOD_NS, CAMERA, None))
    smaller = cv2.resize(view(0.8), (160, 120))
    assert math.isnan(watch.update(smaller, 10**9 + 4 * PERIOD_NS, CAMERA, None))
