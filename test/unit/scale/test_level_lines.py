# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Which way is down, from the straight lines of a picture."""

from __future__ import annotations

import math

import cv2
from drawn_boxes import boxes, CAMERA
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.camera.orientation import level_axes
from fcrn_depth_ros.scale.level_lines import find_lines, LevelWatch, upright
import numpy as np
from numpy.typing import NDArray
import pytest


def angles_deg(down: NDArray[np.float64]) -> tuple[float, float]:
    found = CameraMounting.from_down_vector(down, 1.0)
    return found.pitch_deg, found.roll_deg


@pytest.mark.parametrize(
    ('pitch_deg', 'roll_deg'),
    [(0.0, 0.0), (15.0, 0.0), (-12.0, 0.0), (35.0, 0.0), (10.0, 8.0), (20.0, -11.0)],
)
def test_edges_of_boxes_tell_pitch_and_roll(pitch_deg: float, roll_deg: float) -> None:
    down = upright(find_lines(boxes(pitch_deg, roll_deg), CAMERA))
    assert down is not None
    assert angles_deg(down) == pytest.approx((pitch_deg, roll_deg), abs=1.5)


def test_a_larger_picture_of_another_camera_says_the_same() -> None:
    large = cv2.resize(boxes(15.0), (1280, 720))
    wide = CameraIntrinsics(1000.0, 750.0, 639.5, 359.5, 1280, 720)
    down = upright(find_lines(np.asarray(large), wide))
    assert down is not None
    assert angles_deg(down) == pytest.approx((15.0, 0.0), abs=1.5)


@pytest.mark.parametrize(
    'picture',
    [
        np.full((480, 640, 3), 128, np.uint8),
        np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8),
        boxes(15.0, count=1),  # too few
        boxes(15.0, heading_deg=0.0, axes='x'),  # one bundle, toward a point straight ahead
    ],
)
def test_a_picture_without_what_people_build_says_nothing(picture: NDArray[np.uint8]) -> None:
    assert upright(find_lines(picture, CAMERA)) is None


def test_lines_any_way_say_nothing() -> None:
    rng = np.random.default_rng(2)
    picture = np.full((480, 640, 3), 200, np.uint8)
    for _ in range(40):
        middle, angle = rng.uniform((60, 60), (580, 420)), rng.uniform(0, math.pi)
        reach = 50 * np.array([math.cos(angle), math.sin(angle)])
        ends = [tuple(int(v) for v in middle + sign * reach) for sign in (-1, 1)]
        cv2.line(picture, *ends, (30, 30, 30), 3, cv2.LINE_AA)
    assert upright(find_lines(picture, CAMERA)) is None


def test_the_watch_needs_three_pictures_and_takes_their_middle() -> None:
    watch = LevelWatch()
    said = [watch.look(boxes(15.0, seed=index), CAMERA, 10.0 + 0.35 * index) for index in range(4)]
    assert said[0] is None and said[1] is None
    assert said[3] is not None
    assert angles_deg(said[3]) == pytest.approx((15.0, 0.0), abs=1.0)


@pytest.mark.parametrize(('says', 'looks'), [(True, 9), (False, 20)])
def test_the_watch_looks_often_to_begin_with(
    says: bool, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def count(*_: object) -> NDArray[np.float64] | None:
        asked.append(now_s)
        return np.array([0.0, 1.0, 0.0]) if says else None

    monkeypatch.setattr('fcrn_depth_ros.scale.level_lines.upright', count)
    watch, blank = LevelWatch(), np.zeros((48, 64, 3), np.uint8)
    for step in range(400):
        now_s = 0.05 * step
        watch.look(blank, CAMERA, now_s)
    gaps = np.diff(asked)  # of pictures 0.05 s apart
    assert gaps[: looks - 1] == pytest.approx(np.full(looks - 1, 0.3), abs=0.051)
    assert gaps[looks - 1 :] == pytest.approx(np.full(len(gaps) - looks + 1, 2.0), abs=0.051)


def test_a_camera_that_was_turned_is_believed_in_the_end() -> None:
    watch = LevelWatch()
    for index in range(9):
        watch.look(boxes(15.0, seed=index), CAMERA, 0.4 * index)
    said = [watch.look(boxes(25.0, seed=index), CAMERA, 10.0 + 2.1 * index) for index in range(9)]
    assert said[0] is not None and angles_deg(said[0])[0] == pytest.approx(15.0, abs=1.0)
    assert said[4] is None  # as many say the one as the other
    assert said[8] is not None and angles_deg(said[8])[0] == pytest.approx(25.0, abs=1.0)


def test_time_that_goes_back_forgets() -> None:
    watch = LevelWatch()
    for index in range(4):
        watch.look(boxes(15.0, seed=index), CAMERA, 10.0 + 0.4 * index)
    assert watch.look(boxes(15.0), CAMERA, 11.5) is not None
    assert watch.look(boxes(15.0), CAMERA, 5.0) is None


def watched(
    stated: CameraMounting | None, pitch_deg: float, roll_deg: float = 0.0, pictures: int = 5
) -> LevelWatch:
    watch = LevelWatch()
    for index in range(pictures):
        picture = boxes(pitch_deg, roll_deg, seed=index)
        watch.look(picture, CAMERA, 10.0 + 0.35 * index, stated)
    return watch


@pytest.mark.parametrize(('off_deg', 'is_wrong'), [(0.0, False), (6.5, False), (9.5, True)])
@pytest.mark.parametrize('is_roll', [False, True])
def test_a_stated_angle_that_is_8_degrees_off_is_contradicted(
    off_deg: float, is_wrong: bool, is_roll: bool
) -> None:
    stated = CameraMounting(0.4, 12.0 + (0 if is_roll else off_deg), off_deg if is_roll else 0.0)
    seen = watched(stated, 12.0).contradicts(stated)
    assert (seen is not None) == is_wrong
    if seen is not None:
        assert (seen.pitch_deg, seen.roll_deg) == pytest.approx((12.0, 0.0), abs=1.5)
        assert seen.height_m == 0.4


def test_four_pictures_contradict_nobody() -> None:
    stated = CameraMounting(0.4, 30.0)
    assert watched(stated, 12.0, pictures=4).contradicts(stated) is None
    assert watched(stated, 12.0, pictures=5).contradicts(stated) is not None


@pytest.mark.parametrize('pitch_deg', [-29.0, 53.0])
def test_a_stated_pitch_at_the_end_of_what_is_tried_is_not_checked(pitch_deg: float) -> None:
    stated = CameraMounting(0.4, pitch_deg)
    assert watched(stated, 12.0).contradicts(stated) is None
    inside = CameraMounting(0.4, math.copysign(27.0, pitch_deg))
    assert watched(inside, 12.0).contradicts(inside) is not None


@pytest.mark.parametrize('quarters', [1, 2, 3])
def test_a_camera_that_is_mounted_turned_is_checked_the_right_way_up(quarters: int) -> None:
    stated = CameraMounting(0.4, 12.0, (90.0 * quarters + 180.0) % 360.0 - 180.0)
    to_optical = np.column_stack(level_axes(stated))
    upright_px = boxes(12.0)
    turned = upright_px
    # A camera rolled clockwise shows the world turned counterclockwise.
    for _ in range(quarters):
        turned = np.rot90(turned)
    picture = np.ascontiguousarray(turned)
    camera = CAMERA if quarters == 2 else CameraIntrinsics(500.0, 500.0, 239.5, 319.5, 480, 640)
    watch = LevelWatch()
    for index in range(5):
        down = watch.look(picture, camera, 0.35 * index, stated)
    assert down is not None
    assert np.degrees(np.arccos(down @ -to_optical[:, 2])) < 1.5
    assert watch.contradicts(stated) is None
    wrong = CameraMounting(0.4, 25.0, stated.roll_deg)
    watch = LevelWatch()
    for index in range(5):
        watch.look(picture, camera, 0.35 * index, wrong)
    assert watch.contradicts(wrong) is not None


def test_a_mounting_that_changes_is_checked_anew() -> None:
    """A camera that is tilted on its way is not compared with what it saw before."""
    watch = watched(CameraMounting(0.4, 12.0), 12.0)
    tilted = CameraMounting(0.4, 30.0)
    assert watch.look(boxes(30.0), CAMERA, 12.0, tilted) is None
    assert watch.contradicts(tilted) is None
    # A lift of the camera changes no angle.
    watch = watched(CameraMounting(0.4, 12.0), 12.0)
    assert watch.look(boxes(12.0), CAMERA, 12.0, CameraMounting(0.8, 13.0)) is not None
