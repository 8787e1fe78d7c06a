# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Height, pitch and roll of the camera, from drawn floor and from points that motion fixed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
from drawn_boxes import boxes
from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, fit_floor, inverse_floor_depth
from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.scale.motion import MotionPoints
from fcrn_depth_ros.tools.calibrate.mounting import height_from_distance, pooled_depth
import numpy as np
from numpy.typing import NDArray
import pytest
from tiny_dataset import blocks, CAMERA
from tiny_models import write_model
import yaml

NETWORK = CameraIntrinsics(32.0, 32.0, 15.5, 11.5, 32, 24)
# What the network draws: twice as large as it is.
DRAWN = CameraMounting(0.6, 20.0, 5.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lay down a network that draws a floor, and a picture."""
    inverse = inverse_floor_depth(NETWORK, DRAWN)
    depth = np.minimum(1.0 / np.maximum(inverse, 1e-3), 6.0).astype(np.float32)
    write_model(tmp_path / 'floor.onnx', output=depth[None, None])
    (tmp_path / 'camera.json').write_text(json.dumps(CAMERA))
    cv2.imwrite(str(tmp_path / 'floor.png'), blocks(100))
    return tmp_path


def calibrate(folder: Path, *arguments: object) -> int:
    common = '--mounting', '--out', folder / 'out', '--model', folder / 'floor.onnx'
    camera = '--camera-info', folder / 'camera.json'
    return main([str(argument) for argument in ('calibrate', *common, *camera, *arguments)])


def parameters(folder: Path) -> dict[str, float]:
    content = yaml.safe_load((folder / 'out' / 'calibration.yaml').read_text())
    values: dict[str, float] = content['/**']['ros__parameters']
    return values


@pytest.mark.parametrize('pitch_deg', [-10.0, 0.0, 30.0])
def test_a_distance_along_the_floor_gives_the_height(pitch_deg: float) -> None:
    down = CameraMounting(0.4, pitch_deg, 3.0).down_vector()
    ray = np.array([0.05, 0.6, 1.0])
    point = ray * 0.4 / (ray @ down)
    along = point - 0.4 * down
    assert height_from_distance(down, ray, float(np.linalg.norm(along))) == pytest.approx(0.4)


@pytest.mark.parametrize(('below_deg', 'is_refused'), [(4.9, True), (5.1, False)])
def test_a_point_near_the_horizon_is_refused(below_deg: float, is_refused: bool) -> None:
    down = np.array([0.0, 1.0, 0.0])
    ray = np.array([0.0, math.tan(math.radians(below_deg)), 1.0])
    if is_refused:
        with pytest.raises(ToolInputError, match='below the horizon'):
            height_from_distance(down, ray, 1.0)
    else:
        assert height_from_distance(down, ray, 1.0) == pytest.approx(ray[1])


def test_pitch_and_roll_come_from_the_shape_and_the_height_from_the_tape(folder: Path) -> None:
    # The middle of the lower edge of the picture of 64x48.
    true = CameraMounting(0.3, DRAWN.pitch_deg, DRAWN.roll_deg)
    ray = np.array([0.0, 23.5 / 64.0, 1.0])
    point = ray * 0.3 / (ray @ true.down_vector())
    distance_m = float(np.linalg.norm(point - 0.3 * true.down_vector()))
    assert calibrate(folder, '--images', folder / 'floor.png', '--distance', distance_m) == 0
    values = parameters(folder)
    assert values['camera_height_m'] == pytest.approx(0.3, rel=0.03)
    assert values['camera_pitch_deg'] == pytest.approx(20.0, abs=1.0)
    assert values['camera_roll_deg'] == pytest.approx(5.0, abs=1.0)
    assert 'UTC' in (folder / 'out' / 'calibration.yaml').read_text()
    assert cv2.imread(str(folder / 'out' / 'calibration.png')) is not None


def test_a_measured_height_is_taken_as_it_is(folder: Path) -> None:
    assert calibrate(folder, '--images', folder / 'floor.png', '--camera-height', '0.25') == 0
    assert parameters(folder)['camera_height_m'] == 0.25
    assert parameters(folder)['camera_pitch_deg'] == pytest.approx(20.0, abs=1.0)


@pytest.fixture
def box_folder(folder: Path) -> Path:
    """Lay down four pictures of boxes for the camera that sees them."""
    camera = {'fx': 500.0, 'fy': 500.0, 'cx': 319.5, 'cy': 239.5, 'width': 640, 'height': 480}
    (folder / 'camera.json').write_text(json.dumps(camera))
    (folder / 'boxes').mkdir()
    for index in range(4):
        draw(folder, index, boxes(12.0, 3.0, seed=index))
    return folder


def draw(folder: Path, index: int, picture: NDArray[np.uint8]) -> None:
    cv2.imwrite(str(folder / 'boxes' / f'{index}.png'), picture)


def test_straight_lines_are_surer_than_the_shape(
    box_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = '--images', box_folder / 'boxes', '--camera-height', '0.25'
    assert calibrate(box_folder, *arguments) == 0
    values = parameters(box_folder)
    assert values['camera_pitch_deg'] == pytest.approx(12.0, abs=1.0)
    assert values['camera_roll_deg'] == pytest.approx(3.0, abs=1.0)
    said = capsys.readouterr().out
    assert 'from straight lines in 4 of 4 pictures' in said and 'warning' not in said
    # The network of the fixture draws a floor of another pitch.
    assert "the floor's shape in 4 pictures, which is less sure, says pitch 2" in said


@pytest.mark.parametrize('blank', [2, 3])
def test_lines_must_speak_in_half_of_the_pictures(
    box_folder: Path, capsys: pytest.CaptureFixture[str], blank: int
) -> None:
    balls = np.full((480, 640, 3), 200, np.uint8)
    for x, y, shade in np.random.default_rng(0).integers((40, 40, 0), (600, 440, 150), (25, 3)):
        cv2.circle(balls, (int(x), int(y)), 30, (int(shade),) * 3, -1)
    for index in range(blank):
        draw(box_folder, index, balls)
    arguments = '--images', box_folder / 'boxes', '--camera-height', '0.25'
    assert calibrate(box_folder, *arguments) == 0
    source = 'straight lines in 2 of 4' if blank == 2 else "the floor's shape in 4 of 4"
    assert f'from {source} pictures' in capsys.readouterr().out


def test_lines_that_disagree_do_not_count(
    box_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index, pitch_deg in enumerate((0.0, 10.0, 20.0, 30.0)):
        draw(box_folder, index, boxes(pitch_deg, seed=index))
    arguments = '--images', box_folder / 'boxes', '--camera-height', '0.25'
    assert calibrate(box_folder, *arguments) == 0
    assert "from the floor's shape in 4 of 4 pictures" in capsys.readouterr().out


@pytest.mark.parametrize(('turned', 'roll_deg'), [(1, '90'), (2, '180')])
def test_a_stated_roll_says_which_side_is_up(box_folder: Path, turned: int, roll_deg: str) -> None:
    for index in range(4):
        draw(box_folder, index, np.ascontiguousarray(np.rot90(boxes(12.0, seed=index), turned)))
    if turned == 1:
        camera = {'fx': 500.0, 'fy': 500.0, 'cx': 239.5, 'cy': 319.5, 'width': 480, 'height': 640}
        (box_folder / 'camera.json').write_text(json.dumps(camera))
    arguments = '--images', box_folder / 'boxes', '--camera-height', '0.25'
    assert calibrate(box_folder, *arguments, '--camera-roll', roll_deg) == 0
    values = parameters(box_folder)
    assert values['camera_pitch_deg'] == pytest.approx(12.0, abs=1.0)
    assert abs(values['camera_roll_deg']) == pytest.approx(float(roll_deg), abs=1.0)


def test_points_of_several_pictures_are_one_floor_in_metres() -> None:
    camera = CameraIntrinsics(320.0, 320.0, 159.5, 119.5, 320, 240)
    mounting = CameraMounting(0.35, 12.0, -2.0)
    random = np.random.default_rng(1)
    pictures = []
    for _ in range(10):
        px = random.uniform((0, 130), (319, 239), (80, 2))
        rays = np.column_stack(
            [(px[:, 0] - camera.cx_px) / 320.0, (px[:, 1] - camera.cy_px) / 320.0, np.ones(80)]
        )
        depth = 0.35 / (rays @ mounting.down_vector())
        keep = depth < 4.0
        noisy = depth * np.exp(random.normal(0.0, 0.01, 80))
        noisy[::15] *= 0.7  # a thing that stands there
        pictures.append(
            MotionPoints(rays[keep], noisy[keep], noisy[keep], np.full(int(keep.sum()), 0.02))
        )
    found = fit_floor(*pooled_depth(pictures, camera))
    assert found is not None
    assert found.height_m == pytest.approx(0.35, rel=0.03)
    assert found.pitch_deg == pytest.approx(12.0, abs=1.0)
    assert found.roll_deg == pytest.approx(-2.0, abs=1.5)


@pytest.mark.parametrize('slack', [0.0, 0.05])
def test_slack_is_what_a_drawn_floor_may_be_off(slack: float) -> None:
    camera = CameraIntrinsics(160.0, 160.0, 79.5, 59.5, 160, 120)
    inverse = inverse_floor_depth(camera, CameraMounting(0.5, 15.0))
    waves = 1.0 + 0.05 * np.sign(np.sin(np.arange(160) / 5.0))
    depth = np.where(inverse > 0.15, waves / np.maximum(inverse, 0.1), np.nan)
    found = fit_floor(depth, camera, slack=slack, min_share=0.9)
    assert (found is not None) == (slack > 0.0)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((), 'with one of'),
        (('--distance', '1', '--camera-height', '1'), 'with one of'),
        (('--distance', '-1'), 'one distance'),
        (('--distance', '1', '--mark', '32', '2'), 'below the horizon'),
        (('--distance', '1', '--labels', 'x'), 'one of'),
        (('--motion',), '--poses must'),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert calibrate(folder, '--images', folder / 'floor.png', *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1
