# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Scale from motion, on drawn pictures of a floor and a wall; and when it must say nothing."""

from __future__ import annotations

import math

from drawn_floor import CAMERA, MOUNTING, NS, pose_at, scene
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.estimation.depth_estimator import DepthEstimate
from fcrn_depth_ros.odometry import planar_odometry
from fcrn_depth_ros.scale.keeper import floor_height, ScaleConfig, ScaleKeeper, ScaleReport
from fcrn_depth_ros.scale.motion import AxisBelief, MotionReport, MotionWitness, triangulate
from fcrn_depth_ros.scale.odometry import CameraPlace, CameraPose, OdometryTrack, rotation_by
import numpy as np
import pytest


def drive(
    factor: float = 1.4,
    felt: float = 1.0,
    moved: float = 1.0,
    mounting: CameraMounting | None = MOUNTING,
) -> list[MotionReport]:
    witness = MotionWitness()
    reports = []
    for index in range(8):
        x_m = round(0.05 * index, 3)
        image, depth, _ = scene(moved * x_m)
        reports.append(
            witness.look(image, CAMERA, pose_at(felt * x_m, 0.0, mounting), depth / factor)
        )
    return reports


def said(reports: list[MotionReport]) -> list[float]:
    return [report.log_factor for report in reports if not report.silence]


@pytest.mark.parametrize('factor', [0.7, 1.0, 1.4])
def test_driving_ahead_measures_the_factor(factor: float) -> None:
    found = said(drive(factor))
    assert len(found) >= 3
    assert np.exp(np.median(found)) == pytest.approx(factor, rel=0.05)


def test_the_pitch_of_the_camera_need_not_be_known() -> None:
    found = said(drive(mounting=None))
    assert len(found) >= 3
    assert np.exp(np.median(found)) == pytest.approx(1.4, rel=0.07)


def test_wheels_that_turn_on_the_spot_are_contrary() -> None:
    reports = drive(moved=0.0)
    assert not said(reports)
    assert any(report.is_contrary for report in reports)


def test_odometry_that_stands_says_nothing() -> None:
    reports = drive(felt=0.0)
    assert {report.silence for report in reports[1:]} == {'no base line'}


def test_odometry_that_drives_backward_is_contrary() -> None:
    assert not said(drive(felt=-1.0))


def test_a_robot_that_only_turns_says_nothing() -> None:
    witness = MotionWitness()
    for index in range(8):
        heading = 0.04 * index
        image, depth, _ = scene(0.0, heading)
        report = witness.look(image, CAMERA, pose_at(0.0, heading), depth)
        assert report.silence


@pytest.mark.parametrize('grey', [0, 128, 255])
def test_an_empty_picture_says_nothing(grey: int) -> None:
    witness = MotionWitness()
    image = np.full((240, 320, 3), grey, np.uint8)
    for index in range(5):
        report = witness.look(
            image, CAMERA, pose_at(0.05 * index), np.ones((240, 320), np.float32)
        )
        assert report.silence


@pytest.mark.parametrize('shape', [(1, 1), (2, 2000), (2000, 2), (5, 5)])
def test_a_picture_of_any_shape_is_taken(shape: tuple[int, int]) -> None:
    height, width = shape
    camera = CameraIntrinsics(100.0, 100.0, 0.0, 0.0, width, height)
    witness = MotionWitness()
    image = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    for index in range(3):
        depth = np.ones((height, width), np.float32)
        assert witness.look(image, camera, pose_at(0.05 * index), depth).silence


def test_no_odometry_and_another_epoch_begin_anew() -> None:
    witness = MotionWitness()
    image, depth, _ = scene(0.0)
    assert witness.look(image, CAMERA, None, depth).silence == 'no odometry'
    pose = pose_at(0.0)
    assert witness.look(image, CAMERA, pose, depth).silence == 'the first picture'
    other = CameraPose(pose.rotation, pose.position_m, pose.epoch + 1)
    assert witness.look(image, CAMERA, other, depth).silence == 'the first picture'


def test_rays_from_two_places_meet() -> None:
    rng = np.random.default_rng(1)
    points = np.column_stack([rng.uniform(-1, 1, (50, 2)), rng.uniform(1, 4, 50)])
    rotation, translation = rotation_by(np.array([0.02, -0.05, 0.01])), np.array([0.05, 0.0, -0.3])
    after = points @ rotation.T + translation
    depth, sigma = triangulate(
        points / points[:, 2:], after / after[:, 2:], rotation, translation, 0.002
    )
    assert depth == pytest.approx(after[:, 2])
    assert (sigma > 0.0).all()
    parallel, unsure = triangulate(
        np.array([[0.0, 0.0, 1.0]]), np.array([[0.0, 0.0, 1.0]]), np.eye(3), translation, 0.002
    )
    assert np.isinf(parallel).all() and np.isinf(unsure).all()


def keep(
    given: CameraMounting | None,
    factor: float,
    frames: int = 26,
    config: ScaleConfig | None = None,
) -> list[ScaleReport]:
    """Drive with a keeper: 26 pictures are 2.5 seconds, and 1.25 m."""
    keeper, track = ScaleKeeper(config or ScaleConfig()), OdometryTrack()
    place = CameraPlace.stated(given)
    reports = []
    for index in range(frames):
        x_m, time_s = round(0.05 * index, 3), 1.0 + 0.1 * index
        stamp_ns = round(time_s * NS)
        track.add(planar_odometry(stamp_ns, x_m, 0.0, 0.0))
        robot = track.at(stamp_ns)
        image, depth, _ = scene(x_m)
        estimate = DepthEstimate(
            depth / np.float32(factor), True, CAMERA, True, None, True,
            'none' if given is None else 'network',
        )  # fmt: skip
        pose = None if robot is None else place.pose(robot)
        reports.append(keeper.look(image, CAMERA, given, pose, time_s, estimate))
    return reports


def test_a_known_mounting_and_a_right_network_stay_as_they_are() -> None:
    last = keep(MOUNTING, 1.0)[-1]
    assert last.judgement.state == 'verified'
    assert last.factor == pytest.approx(1.0, abs=0.05)
    assert last.height_m == pytest.approx(MOUNTING.height_m, rel=0.08)


@pytest.mark.parametrize('factor', [0.7, 1.4])
def test_an_unknown_mounting_is_measured_within_a_metre(factor: float) -> None:
    reports = keep(None, factor)
    assert reports[0].judgement.state == 'unverified'
    assert reports[-1].judgement.state == 'verified'
    assert reports[-1].factor == pytest.approx(factor, rel=0.1)
    assert all(report.factor <= max(1.0, 1.1 * factor) for report in reports)


def test_farther_waits_and_stays_below_what_was_measured() -> None:
    reports = keep(None, 1.4)
    first = next(i for i, r in enumerate(reports) if r.judgement.state == 'verified')
    assert all(report.factor <= 1.0 for report in reports[: first + 10])
    assert all(report.factor < 1.4 for report in reports)


@pytest.mark.parametrize('error', [0.7, 1.3])
def test_a_wrong_height_is_found(error: float) -> None:
    given = CameraMounting(MOUNTING.height_m * error, MOUNTING.pitch_deg)
    reports = keep(given, 1.0 / error)
    assert reports[-1].judgement.state == 'contradicted'
    assert 'motion' in reports[-1].judgement.reason
    assert 'mounting' in reports[-1].judgement.reason
    assert all(report.factor <= 1.0 + 1e-6 for report in reports)


@pytest.mark.parametrize(
    ('told', 'factor', 'state'),
    [
        (1.35, 1.25, 'verified'),  # too far by the height, too near by everything else
        (0.7, 0.85, 'contradicted'),  # what stands on the floor makes no camera higher
    ],
)
def test_what_stands_on_the_floor_is_not_taken_for_it(
    told: float, factor: float, state: str
) -> None:
    given = CameraMounting(MOUNTING.height_m * told, MOUNTING.pitch_deg)
    assert keep(given, factor)[-1].judgement.state == state


def test_correction_can_be_switched_off() -> None:
    reports = keep(None, 0.7, config=ScaleConfig(scale_correction=False))
    assert reports[-1].judgement.state == 'verified'
    assert {report.factor for report in reports} == {1.0}


def test_a_calibrated_factor_is_a_witness() -> None:
    config = ScaleConfig(scale_factor=0.8, scale_factor_sigma=0.05)
    reports = keep(None, 0.8, frames=2, config=config)
    assert reports[-1].judgement.state == 'verified'
    assert reports[-1].factor == pytest.approx(0.8)


def test_the_corrected_floor_moves_with_the_depth() -> None:
    report = keep(None, 0.7)[-1]
    image, depth, _ = scene(0.0)
    estimate = DepthEstimate(depth, True, CAMERA, True, 1.0 / depth, True, 'network')
    corrected = report.corrected(estimate)
    assert corrected.depth_m == pytest.approx(depth * report.factors, rel=1e-5)
    assert float(np.median(corrected.depth_m / depth)) == pytest.approx(report.factor, rel=1e-2)
    assert corrected.inverse_floor_depth is not None
    assert corrected.depth_m * corrected.inverse_floor_depth == pytest.approx(
        np.ones_like(depth), rel=1e-5
    )


def test_floor_height_needs_a_floor() -> None:
    points = next(report.points for report in drive()[::-1] if report.points is not None)
    found = floor_height(points, MOUNTING)
    assert found == pytest.approx(MOUNTING.height_m, rel=0.1)
    looks_up = CameraMounting(MOUNTING.height_m, -60.0)
    assert floor_height(points, looks_up) is None


def test_noise_makes_no_corner_both_chosen_and_near() -> None:
    rng = np.random.default_rng(3)
    count, wall_m, moved_m, noise_px = 400, 2.0, 0.06, 0.3
    px = rng.uniform((10.0, 10.0), (310.0, 230.0), (count, 2))
    centre = np.array([CAMERA.cx_px, CAMERA.cy_px])
    moved_px = centre + (px - centre) * wall_m / (wall_m - moved_m)
    inside = (np.abs(moved_px - centre) < (155.0, 115.0)).all(axis=1)
    witness = MotionWitness()
    witness._key_px = (px + rng.normal(0.0, noise_px, px.shape))[inside].astype(np.float32)
    witness._now_px = (moved_px + rng.normal(0.0, noise_px, px.shape))[inside].astype(np.float32)
    report = witness._measure(
        CAMERA,
        np.eye(3),
        np.array([0.0, 0.0, -moved_m]),
        AxisBelief.stated(math.radians(1.0)),
        np.full((24, 32), wall_m - moved_m, np.float32),
    )
    assert report.points is not None
    error = np.log(report.points.depth_m / (wall_m - moved_m))
    assert abs(float(np.median(error))) < 0.04
    assert report.log_factor == pytest.approx(0.0, abs=0.04)
