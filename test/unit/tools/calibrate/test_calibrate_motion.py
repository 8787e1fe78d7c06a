# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The scale of a recording with known poses, on drawn pictures of a wall that passes by."""

from __future__ import annotations

import json
import math
from pathlib import Path

from bag_files import IMAGE, INFO, Messages, ODOMETRY, write_bag
import cv2
from drawn_wall import FOCAL_PX, HEIGHT, SIZE, TEXTURE, WALL_M, wall_picture, WIDTH
from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.scale.field import DepthField
from fcrn_depth_ros.scale.landmarks import _DepthSums, _SeenPicture, LandmarkFinder
from fcrn_depth_ros.scale.motion import MotionPoints, rays_at
from fcrn_depth_ros.scale.odometry import CameraPose, rotation_by
from fcrn_depth_ros.scale.poses import read_tum_poses
from fcrn_depth_ros.tools.calibrate.pictures import read_pictures, UsedCamera
import numpy as np
import pytest
from tiny_models import write_model
import yaml

STEP_M, COUNT = 0.08, 8
CAMERA = CameraIntrinsics(FOCAL_PX, FOCAL_PX, 159.5, 119.5, *SIZE)


def picture(index: int) -> np.ndarray:
    return wall_picture(index * STEP_M)


def pose(index: int, turn_rad: float = 0.0) -> CameraPose:
    turned = rotation_by(np.array([0.0, turn_rad, 0.0]))
    return CameraPose(turned, np.array([index * STEP_M, 0.0, 0.0]))


def points(ratio: np.ndarray, network_m: np.ndarray, sigma: float = 0.02) -> MotionPoints:
    """Return points all over the picture."""
    columns, rows = np.meshgrid(np.linspace(10, 310, 12), np.linspace(10, 230, 8))
    rays = np.ones((96, 3))
    rays[:, 0] = (columns.ravel() - CAMERA.cx_px) / FOCAL_PX
    rays[:, 1] = (rows.ravel() - CAMERA.cy_px) / FOCAL_PX
    return MotionPoints(rays, ratio * network_m, network_m, np.full(96, sigma))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Lay down pictures named by their stamps, poses, a camera, and a network that says 1 m."""
    (tmp_path / 'rgb').mkdir()
    lines = ['# stamp tx ty tz qx qy qz qw']
    for index in range(COUNT):
        stamp = f'{100 + 0.1 * index:.6f}'
        cv2.imwrite(str(tmp_path / 'rgb' / f'{stamp}.png'), picture(index))
        lines.append(f'{stamp} {index * STEP_M:.6f} 0 0 0 0 0 1')
    (tmp_path / 'poses.txt').write_text('\n'.join(lines) + '\n')
    camera = {'fx': FOCAL_PX, 'fy': FOCAL_PX, 'cx': 159.5, 'cy': 119.5}
    (tmp_path / 'camera.json').write_text(json.dumps({**camera, 'width': 320, 'height': 240}))
    write_model(tmp_path / 'tiny.onnx')
    return tmp_path


def calibrate(folder: Path, *arguments: object) -> int:
    common = '--motion', '--out', folder / 'out', '--model', folder / 'tiny.onnx'
    return main([str(argument) for argument in ('calibrate', *common, *arguments)])


def parameters(folder: Path) -> dict[str, float]:
    content = yaml.safe_load((folder / 'out' / 'calibration.yaml').read_text())
    values: dict[str, float] = content['/**']['ros__parameters']
    return values


def test_features_of_earlier_pictures_fix_the_depth() -> None:
    finder = LandmarkFinder()
    network = np.full((24, 32), 1.0, np.float32)
    found = [finder.look(picture(i), CAMERA, pose(i), network) for i in range(4)]
    # 0.08 m is no base line, 0.16 m is one.
    assert found[0] is None and found[1] is None
    assert found[2] is not None and len(found[2].depth_m) > 30
    assert np.median(found[2].depth_m) == pytest.approx(WALL_M, rel=0.02)
    assert found[3] is not None
    assert np.mean(np.abs(found[3].depth_m / WALL_M - 1) < 0.1) > 0.95


def test_a_camera_that_mostly_turned_says_nothing() -> None:
    finder = LandmarkFinder()
    network = np.full((24, 32), 1.0, np.float32)
    turned = [pose(i, 0.2 * i) for i in range(4)]
    assert all(finder.look(picture(i), CAMERA, turned[i], network) is None for i in range(4))


def test_noise_makes_no_feature_both_chosen_and_near() -> None:
    rng = np.random.default_rng(5)
    wall_m, moved_m, noise_px = 3.0, 0.2, 0.5
    px = rng.uniform((10.0, 10.0), (310.0, 230.0), (600, 2))
    centre = np.array([CAMERA.cx_px, CAMERA.cy_px])
    moved_px = centre + (px - centre) * wall_m / (wall_m - moved_m)
    finder, sums = LandmarkFinder(), _DepthSums(len(px))
    # Each feature looks like none but itself.
    looks = np.eye(len(px), dtype=np.float32)
    before, now = (
        _SeenPicture(
            CameraPose(np.eye(3), np.array([0.0, 0.0, ahead_m])),
            rays_at(seen_px + rng.normal(0.0, noise_px, px.shape), CAMERA),
            looks,
        )
        for ahead_m, seen_px in ((0.0, px), (moved_m, moved_px))
    )
    # The network is a third too near: what is due follows the factor that the points share.
    network_m = np.full(len(px), (wall_m - moved_m) / 1.5)
    finder._measure(before, now, network_m, FOCAL_PX, sums)
    depth, sigma = sums.result()
    chosen = sigma < 0.15
    error = np.log(depth[chosen] / (wall_m - moved_m))
    assert np.count_nonzero(chosen) > 50
    assert abs(float(np.median(error))) < 0.015


def test_the_field_follows_points_and_not_one_factor() -> None:
    field = DepthField()
    depth = np.full((48, 64), 2.0, np.float32)
    left = np.repeat(np.linspace(0, 1, 12)[None] < 0.5, 8, axis=0).ravel()
    ratio = np.where(left, 1.5, 0.8)
    report = None
    for _ in range(8):
        report = field.look(points(ratio, np.full(96, 2.0)), depth, CAMERA.scaled_to(64, 48))
    assert report is not None
    factor = np.exp(report.log_factor)
    assert np.median(factor[:, :24]) == pytest.approx(1.5, rel=0.05)
    assert np.median(factor[:, 40:]) == pytest.approx(0.8, rel=0.05)


def test_the_field_takes_a_while_to_believe_and_forgets() -> None:
    field = DepthField()
    depth, camera = np.full((48, 64), 2.0, np.float32), CAMERA.scaled_to(64, 48)
    right = points(np.full(96, 1.5), np.full(96, 2.0))
    logs = [float(np.median(field.look(right, depth, camera).log_factor)) for _ in range(8)]
    assert logs[0] < 0.3 * math.log(1.5)
    assert logs[-1] == pytest.approx(math.log(1.5), rel=0.05)
    for _ in range(60):
        report = field.look(None, depth, camera)
    assert float(np.abs(report.log_factor).max()) < 0.02


def test_wrong_points_among_right_ones_do_not_matter() -> None:
    field = DepthField()
    ratio = np.where(np.arange(96) % 6 == 0, 3.0, 1.2)
    depth, camera = np.full((48, 64), 2.0, np.float32), CAMERA.scaled_to(64, 48)
    for _ in range(8):
        report = field.look(points(ratio, np.full(96, 2.0)), depth, camera)
    assert np.median(np.exp(report.log_factor)) == pytest.approx(1.2, rel=0.06)


def test_the_recording_gives_factor_file_picture_and_corrected_depth(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = '--poses', recording / 'poses.txt', '--camera-info', recording / 'camera.json'
    assert calibrate(recording, '--images', recording / 'rgb', *files) == 0
    stems = sorted(path.stem for path in (recording / 'rgb').iterdir())
    # The tiny network sees the mean of the wall.
    network = float(np.mean(TEXTURE)) / 100
    values = parameters(recording)
    assert values['scale_factor'] == pytest.approx(WALL_M / network, rel=0.05)
    assert 0.05 <= values['scale_factor_sigma'] <= 0.2
    depth = np.load(recording / 'out' / f'{stems[-1]}.npy')
    assert depth.shape == (HEIGHT, WIDTH) and depth.dtype == np.float32
    assert np.median(depth) == pytest.approx(WALL_M, rel=0.08)
    # Before there was a base line nothing is known.
    first = np.load(recording / 'out' / f'{stems[0]}.npy')
    assert np.median(first) == pytest.approx(network, rel=0.05)
    millimetres = cv2.imread(str(recording / 'out' / f'{stems[-1]}_depth.png'), -1)
    assert millimetres.dtype == np.uint16
    assert np.median(millimetres) == pytest.approx(1000 * np.median(depth), abs=2)
    assert (recording / 'out' / f'{stems[-1]}_color.png').exists()
    assert cv2.imread(str(recording / 'out' / 'calibration.png')) is not None
    line = capsys.readouterr().out
    assert 'factor' in line and 'spread' in line and 'points in' in line


def test_a_camera_that_rests_leaves_the_depth_as_it_is(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stems = sorted(path.stem for path in (recording / 'rgb').iterdir())
    lines = [f'{stem} 0 0 0 0 0 0 1' for stem in stems]
    (recording / 'still.txt').write_text('\n'.join(lines))
    files = '--poses', recording / 'still.txt', '--camera-info', recording / 'camera.json'
    assert calibrate(recording, '--images', recording / 'rgb', *files) == 0
    assert parameters(recording) == {'scale_factor': 1.0, 'scale_factor_sigma': 0.0}
    assert 'says nothing' in capsys.readouterr().out
    network = float(np.mean(TEXTURE)) / 100
    last = np.load(recording / 'out' / f'{stems[-1]}.npy')
    assert np.median(last) == pytest.approx(network, rel=0.1)


def test_a_bag_brings_odometry_and_camera_info(recording: Path) -> None:
    made = Messages()

    info = made.camera_info(0, SIZE)
    info.k[:] = [FOCAL_PX, 0, 159.5, 0, FOCAL_PX, 119.5, 0, 0, 1]
    info.p[:] = [FOCAL_PX, 0, 159.5, 0, 0, FOCAL_PX, 119.5, 0, 0, 0, 1, 0]
    content = [('/camera/camera_info', 10**9, INFO, info)]
    for index in range(COUNT):
        stamp_ns = 2 * 10**9 + index * 10**8
        message = made.odometry(stamp_ns, 0.0, -index * STEP_M)
        content.append(('/odom', stamp_ns, ODOMETRY, message))
        image = made.image(stamp_ns, picture(index))
        content.append(('/camera/image_rect', stamp_ns + 1, IMAGE, image))
    bag = write_bag(recording / 'bag', content)
    # The robot drives to the right of where it looks, with the camera level.
    assert calibrate(recording, '--images', bag) == 0
    network = float(np.mean(TEXTURE)) / 100
    assert parameters(recording)['scale_factor'] == pytest.approx(WALL_M / network, rel=0.05)


def test_pictures_named_by_stamps_come_by_time(tmp_path: Path) -> None:
    for name in ('10.5', '9.5', '100.25'):
        cv2.imwrite(str(tmp_path / f'{name}.png'), picture(0))
    camera = UsedCamera(None, None)
    found = [each.name for each in read_pictures([str(tmp_path)], camera)]
    assert found == ['9.5', '10.5', '100.25']
    cv2.imwrite(str(tmp_path / 'a.png'), picture(0))
    found = [each.name for each in read_pictures([str(tmp_path)], camera)]
    assert found == ['10.5', '100.25', '9.5', 'a']


def test_poses_lie_between_stamps_and_end_at_gaps(tmp_path: Path) -> None:
    file = tmp_path / 'poses.txt'
    half = math.sin(math.pi / 4)
    file.write_text(f'1.0 0 0 0 0 0 0 1\n1.2 1 0 0 0 0 {half} {half}\n# gap\n1.8 2 0 0 0 0 0 1\n')
    poses = read_tum_poses(file)
    middle = poses.at(1_100_000_000)
    assert middle is not None and middle.position_m[0] == pytest.approx(0.5)
    turned = middle.rotation @ np.array([1.0, 0.0, 0.0])
    assert turned == pytest.approx([math.sqrt(0.5), math.sqrt(0.5), 0.0])
    assert poses.at(1_200_000_000) is not None and poses.at(1_800_000_000) is not None
    assert poses.at(1_500_000_000) is None  # 0.6 s
    assert poses.at(999_999_999) is None and poses.at(1_800_000_001) is None


@pytest.mark.parametrize(
    'line', ['1 2 3', '1 0 0 0 0 0 0 0', 'a 0 0 0 0 0 0 1', '1 nan 0 0 0 0 0 1']
)
def test_lines_that_are_no_pose_are_refused(
    recording: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    (recording / 'poses.txt').write_text(f'1 0 0 0 0 0 0 1\n{line}\n')
    files = '--poses', recording / 'poses.txt', '--camera-info', recording / 'camera.json'
    assert calibrate(recording, '--images', recording / 'rgb', *files) == 2
    assert 'line 2' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('left_out', 'message'),
    [('--images', 'must have pictures'), ('--poses', '--poses must'), ('--camera-info', 'lens')],
)
def test_what_is_missing_is_one_line(
    recording: Path, capsys: pytest.CaptureFixture[str], left_out: str, message: str
) -> None:
    given = {
        '--images': recording / 'rgb',
        '--poses': recording / 'poses.txt',
        '--camera-info': recording / 'camera.json',
    }
    del given[left_out]
    assert calibrate(recording, *(word for pair in given.items() for word in pair)) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1
