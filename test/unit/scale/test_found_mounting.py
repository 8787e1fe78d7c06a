# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The mounting that a robot finds by driving over a floor; and when it must find none."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import cv2
from drawn_floor import CAMERA, MOUNTING, NS, pose_at, scene, WALL_M
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
from fcrn_depth_ros.camera.rectification import LensCalibration
from fcrn_depth_ros.estimation.depth_estimator import DepthEstimate
from fcrn_depth_ros.estimation.stopwatch import Stopwatch
from fcrn_depth_ros.perception.observation import CameraFrame, Observation
from fcrn_depth_ros.perception.pipeline import FrameConfig, PerceptionConfig, PerceptionPipeline
from fcrn_depth_ros.perception.quality import QualityConfig
from fcrn_depth_ros.perception.scan import ScanConfig
from fcrn_depth_ros.scale import found_mounting
from fcrn_depth_ros.scale.found_mounting import (
    _Belief,
    _FloorPoints,
    _Pair,
    _where_it_agrees,
    FoundMounting,
    MountingFinder,
)
from fcrn_depth_ros.scale.keeper import ScaleConfig, ScaleKeeper, ScaleReport
from fcrn_depth_ros.scale.motion import ODOMETRY_SIGMA
from fcrn_depth_ros.scale.odometry import CameraPose
from fcrn_depth_ros.scale.witness import Judgement
from fcrn_depth_ros.wire.contents import scan_of
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest

STEP_M = 0.03
RAISED = dataclasses.replace(MOUNTING, height_m=1.4 * MOUNTING.height_m)
# What the floor's shape says of it: some degrees and a factor wrong.
SHAPE = CameraMounting(0.55, 11.0, 1.0)


def drive(
    pictures: int = 30,
    shape: CameraMounting | None = SHAPE,
    stated: CameraMounting | None = None,
    mounting: CameraMounting = MOUNTING,
    floor: str = 'rough',
    yaw_deg: float = 0.0,
    felt: float = 1.0,
) -> MountingFinder:
    """Drive 3 cm a picture; `felt` is what odometry makes of a metre."""
    finder = MountingFinder()
    for index in range(pictures):
        x_m = round(STEP_M * index, 3)
        image, _, is_floor = scene(x_m, 0.0, mounting, floor, yaw_deg)
        finder.take(
            image,
            CAMERA,
            pose_at(felt * x_m, 0.0, stated),
            is_floor,
            stated or shape,
            stated is not None,
        )
    return finder


def found(finder: MountingFinder) -> CameraMounting:
    seen = finder.found()
    assert seen is not None
    return seen.mounting


@pytest.mark.parametrize(
    'mounting',
    [MOUNTING, CameraMounting(0.15, 5.0, 1.0), CameraMounting(0.6, 25.0, -2.0)],
)
def test_driving_over_a_floor_finds_the_mounting(mounting: CameraMounting) -> None:
    shape = CameraMounting(0.55, mounting.pitch_deg - 4.0, mounting.roll_deg + 1.0)
    seen = found(drive(mounting=mounting, shape=shape))
    assert seen.height_m == pytest.approx(mounting.height_m, rel=0.05)
    assert seen.pitch_deg == pytest.approx(mounting.pitch_deg, abs=2.0)
    assert seen.roll_deg == pytest.approx(mounting.roll_deg, abs=2.5)


@pytest.mark.parametrize('factor', [0.5, 2.0])
def test_the_height_of_the_shape_may_be_wrong(factor: float) -> None:
    shape = dataclasses.replace(SHAPE, height_m=factor * MOUNTING.height_m)
    seen = found(drive(shape=shape))
    assert seen.height_m == pytest.approx(MOUNTING.height_m, rel=0.05)


def test_the_height_is_in_the_metres_of_the_odometry() -> None:
    seen = found(drive(felt=1.2))
    assert seen.height_m == pytest.approx(1.2 * MOUNTING.height_m, rel=0.05)


def test_a_camera_that_looks_a_little_aside_is_found() -> None:
    seen = drive(yaw_deg=4.0).found()
    assert seen is not None
    assert seen.mounting.height_m == pytest.approx(MOUNTING.height_m, rel=0.05)
    ahead = seen.turn @ np.array([0.0, 0.0, 1.0])  # to the right of the robot, ahead
    assert math.degrees(math.atan2(-ahead[0], ahead[2])) == pytest.approx(4.0, abs=1.5)


@pytest.mark.parametrize('error', [0.7, 1.0, 1.3])
def test_a_stated_height_is_checked(error: float) -> None:
    stated = CameraMounting(error * MOUNTING.height_m, MOUNTING.pitch_deg)
    assert found(drive(stated=stated)).height_m == pytest.approx(MOUNTING.height_m, rel=0.05)


def test_joints_across_the_way_are_enough() -> None:
    # One direction less: height and pitch are told apart less well.
    seen = found(drive(floor='jointed'))
    assert seen.height_m == pytest.approx(MOUNTING.height_m, rel=0.12)


@pytest.mark.parametrize('floor', ['plain', 'grained'])
def test_a_floor_that_shows_no_motion_says_nothing(floor: str) -> None:
    assert drive(floor=floor).found() is None


def test_other_light_and_exposure_do_not_count() -> None:
    finder = MountingFinder()
    for index in range(15):
        x_m = round(STEP_M * index, 3)
        image, _, is_floor = scene(x_m)
        darker = (image * (0.5 if index % 2 else 0.9) + 10 * (index % 3)).astype(np.uint8)
        finder.take(darker, CAMERA, pose_at(x_m, 0.0, None), is_floor, SHAPE)
    assert found(finder).height_m == pytest.approx(MOUNTING.height_m, rel=0.06)


def test_what_is_mirrored_in_the_floor_is_not_the_floor() -> None:
    # A ceiling seen in a wet floor: the mirror image lies deep below, and moves less.
    ceiling = CameraMounting(3.0 * MOUNTING.height_m, MOUNTING.pitch_deg)
    finder = MountingFinder()
    for index in range(20):
        x_m = round(STEP_M * index, 3)
        image, _, is_floor = scene(x_m)
        mirrored, _, _ = scene(x_m + 2.0, 0.0, ceiling)
        both = cv2.addWeighted(image, 0.65, mirrored, 0.35, 0.0)
        finder.take(np.asarray(both), CAMERA, pose_at(x_m, 0.0, None), is_floor, SHAPE)
    seen = finder.found()
    assert seen is None or seen.mounting.height_m < 1.06 * MOUNTING.height_m


def test_a_camera_that_was_raised_is_found_anew() -> None:
    finder = drive(15)
    assert finder.found() is not None
    for index in range(38):
        x_m = round(15 * STEP_M + 2 * STEP_M * index, 3)
        image, _, is_floor = scene(x_m, 0.0, RAISED)
        finder.take(image, CAMERA, pose_at(x_m, 0.0, None), is_floor, SHAPE)
    assert found(finder).height_m == pytest.approx(RAISED.height_m, rel=0.06)


@pytest.mark.parametrize(('metres', 'stays'), [(3.4, True), (5.6, False)])
def test_a_mounting_that_no_pair_confirms_any_more_is_forgotten(
    metres: float, stays: bool
) -> None:
    finder = drive(15)
    image, _, is_floor = scene(0.0)
    noise = np.random.default_rng(1)
    for index in range(round(metres / 0.1)):
        noisy = noise.integers(0, 255, image.shape, np.uint8)
        finder.take(noisy, CAMERA, pose_at(0.5 + 0.1 * index, 0.0, None), is_floor, SHAPE)
    assert (finder.found() is not None) == stays


def test_noise_on_a_plain_floor_does_not_count() -> None:
    rng = np.random.default_rng(3)
    columns, rows = np.meshgrid(np.arange(0, 128, 2), np.arange(0, 64, 2))
    px = np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float64)
    shown = rng.normal(size=len(px))
    is_noise = px[:, 0] >= 64
    before = np.where(is_noise, rng.normal(size=len(px)), shown + 0.2 * rng.normal(size=len(px)))
    known = px[:, 1] < 60
    points = _FloorPoints(px, np.ones((len(px), 3)), shown, shown, np.zeros((64, 128), np.float32))
    counts = _where_it_agrees(points, before, known)
    assert counts[known & ~is_noise].min() > 0.9
    assert counts[is_noise].max() == 0.0 and counts[~known].max() == 0.0


def test_where_nothing_agrees_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        found_mounting, '_where_it_agrees', lambda points, before, known: np.zeros(len(known))
    )
    assert drive().found() is None


def test_a_floor_that_never_answers_is_asked_once_a_metre(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_m: list[float] = []

    def ask(prior: _Belief, pair: _Pair, floor: NDArray[np.floating]) -> None:
        asked_m.append(x_m)

    monkeypatch.setattr(found_mounting, '_measure', ask)
    image, _, is_floor = scene(0.0)
    finder = MountingFinder()
    for index in range(200):
        x_m = 0.1 * index
        finder.take(image, CAMERA, pose_at(x_m, 0.0, None), is_floor, SHAPE)
    begun = [x_m for x_m, before in zip(asked_m[1:], asked_m, strict=False) if x_m - before > 0.5]
    # Ten pairs of 0.5 m; then they begin a metre apart.
    assert len([x_m for x_m in asked_m if x_m < 6.0]) > 20
    assert len(begun) >= 8


def test_a_pair_that_contradicts_itself_keeps_its_first_answer() -> None:
    surer = np.diag([0.01, 0.01, 0.01, 0.05**2])
    first = _Belief.begin(MOUNTING, np.array([0.1, 0.1, 0.1, 0.1]))
    alike = dataclasses.replace(first, log_height=first.log_height + 0.2, covariance=surer)
    other = dataclasses.replace(first, log_height=first.log_height + 0.3, covariance=surer)
    assert alike.surer_than(first)
    assert not other.surer_than(first)
    assert not first.surer_than(alike)


@pytest.mark.parametrize(('factor', 'is_heard'), [(1.1, True), (1.3, False)])
def test_one_motion_confirms_a_height_and_contradicts_none(factor: float, is_heard: bool) -> None:
    finder = drive(7)
    stated = dataclasses.replace(MOUNTING, height_m=factor * MOUNTING.height_m)
    seen = finder.height_beside(stated)
    assert finder.found() is None
    assert (seen is not None) == is_heard == finder.confirms(stated)
    if seen is not None:
        assert seen[0] == pytest.approx(-math.log(factor), abs=0.06)


def test_two_motions_contradict_a_height() -> None:
    finder = drive(12)
    stated = dataclasses.replace(MOUNTING, height_m=1.3 * MOUNTING.height_m)
    seen = finder.height_beside(stated)
    assert seen is not None
    assert seen[0] == pytest.approx(-math.log(1.3), abs=0.06)
    assert not finder.confirms(stated)
    assert finder.confirms(MOUNTING)


@pytest.mark.parametrize(
    ('sigma', 'sigmas_off', 'motions', 'is_heard'),
    [
        (0.12, 3.1, 2, True),
        (0.12, 2.9, 2, False),
        (0.12, -3.1, 2, True),
        (0.12, 3.1, 1, False),
        (0.19, 3.1, 2, True),
        (0.21, 3.1, 2, False),
        (0.07, 0.0, 2, True),
        (0.09, 0.0, 2, False),  # known too badly to confirm
    ],
)
def test_a_height_known_badly_contradicts_what_is_far_from_it(
    sigma: float, sigmas_off: float, motions: int, is_heard: bool
) -> None:
    finder = MountingFinder()
    begun = _Belief.begin(MOUNTING, np.array([0.01, 0.01, 0.01, sigma]))
    finder._belief = dataclasses.replace(begun, motions=motions)
    off = sigmas_off * math.hypot(sigma, ODOMETRY_SIGMA)
    stated = dataclasses.replace(MOUNTING, height_m=math.exp(off) * MOUNTING.height_m)
    seen = finder.height_beside(stated)
    assert (seen is not None) == is_heard
    if seen is not None:
        assert seen[0] == pytest.approx(-off)


def test_a_height_that_is_doubted_must_be_confirmed_again() -> None:
    finder = drive(30)
    assert finder.confirms(MOUNTING)
    finder.doubt()
    assert finder.confirms(MOUNTING)  # not looked at again yet
    image, _, is_floor = scene(0.0)
    noise = np.random.default_rng(1)
    for index in range(30, 50):
        noisy = noise.integers(0, 255, image.shape, np.uint8)
        finder.take(noisy, CAMERA, pose_at(STEP_M * index, 0.0, None), is_floor, SHAPE)
    assert not finder.confirms(MOUNTING)


def test_a_doubt_is_settled_by_the_next_pair() -> None:
    finder = drive(30)
    finder.doubt()
    for index in range(30, 40):
        x_m = round(STEP_M * index, 3)
        image, _, is_floor = scene(x_m)
        finder.take(image, CAMERA, pose_at(x_m, 0.0, None), is_floor, SHAPE)
    assert finder.confirms(MOUNTING)
    # Settled: a doubt that stays does not make one pair follow the other.
    finder.doubt()
    noisy = np.random.default_rng(1).integers(0, 255, image.shape, np.uint8)
    for index in range(40, 60):
        finder.take(noisy, CAMERA, pose_at(STEP_M * index, 0.0, None), is_floor, SHAPE)
    assert finder.confirms(MOUNTING)


def test_two_motions_at_least() -> None:
    # The first pair of pictures is asked 6, 9 and 15 cm apart, and so is the second.
    assert drive(7).found() is None
    assert drive(12).found() is not None


@pytest.mark.parametrize('nothing', [{'shape': None}, {'felt': 0.0}, {'felt': 0.01}])
def test_without_shape_or_motion_nothing_is_found(nothing: dict[str, Any]) -> None:
    assert drive(**nothing).found() is None


def test_no_odometry_and_another_epoch_begin_another_pair() -> None:
    finder = MountingFinder()
    for index in range(40):
        x_m = round(STEP_M * index, 3)
        image, _, is_floor = scene(x_m)
        pose: CameraPose | None = pose_at(x_m, 0.0, None)
        if index % 3 == 0:
            pose = None
        finder.take(image, CAMERA, pose, is_floor, SHAPE)
    assert finder.found() is None
    for index in range(40):
        x_m = round(STEP_M * index, 3)
        image, _, is_floor = scene(x_m)
        pose = dataclasses.replace(pose_at(x_m, 0.0, None), epoch=index // 2)
        finder.take(image, CAMERA, pose, is_floor, SHAPE)
    assert finder.found() is None


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-3.0, 3.0), st.floats(-3.2, 3.2), st.integers(0, 2), st.booleans()),
        min_size=5,
        max_size=15,
    )
)
def test_hostile_odometry_ends_in_nothing_worse_than_no_mounting(
    poses: list[tuple[float, float, int, bool]],
) -> None:
    finder = MountingFinder()
    for index, (x_m, heading_rad, epoch, is_there) in enumerate(poses):
        image, _, is_floor = scene(round(STEP_M * index, 3))
        pose = dataclasses.replace(pose_at(x_m, heading_rad, None), epoch=epoch)
        finder.take(image, CAMERA, pose if is_there else None, is_floor, SHAPE)
    # What it says is a mounting, or nothing; the drawn robot moved by 3 cm a picture.
    if (seen := finder.found()) is not None:
        assert 0.0 < seen.height_sigma < 0.2


@pytest.mark.parametrize(
    ('height_m', 'pitch_deg', 'differs'),
    [(0.419, 15.0, False), (0.421, 15.0, True), (0.4, 16.9, False), (0.4, 17.1, True)],
)
def test_small_changes_are_no_news(height_m: float, pitch_deg: float, differs: bool) -> None:
    one = FoundMounting(MOUNTING, 0.05, np.eye(3))
    other = FoundMounting(CameraMounting(height_m, pitch_deg), 0.05, np.eye(3))
    assert other.differs_from(one) == differs
    assert other.differs_from(None)


def keep(
    network: float,
    stated: CameraMounting | None = None,
    config: ScaleConfig | None = None,
    pictures: int = 45,
    felt: float = 1.0,
    raised_from: int = 1000,
) -> tuple[ScaleKeeper, list[ScaleReport]]:
    """
    Drive with a keeper.

    The network draws everything `network` times as large while it knows no mounting, and as the
    mounting has it that it is told. From picture `raised_from` on the camera is RAISED.
    """
    keeper, reports = ScaleKeeper(config or ScaleConfig()), []
    for index in range(pictures):
        x_m = round(STEP_M * index, 3)
        true = MOUNTING if index < raised_from else RAISED
        image, depth, is_floor = scene(x_m, 0.0, true)
        told = keeper.told(stated)
        factor = network if told is None else told.height_m / true.height_m
        estimate = DepthEstimate(
            depth * np.float32(factor), True, CAMERA, True, None, True,
            'none' if told is None else 'network', floor=is_floor,
        )  # fmt: skip
        tilt = CameraMounting(factor * true.height_m, 12.0) if told is None else None
        reports.append(
            keeper.look(
                image,
                CAMERA,
                told,
                pose_at(felt * x_m, 0.0, stated),
                1.0 + 0.1 * index,
                estimate,
                tilt=tilt,
                is_stated=stated is not None,
            )
        )
    return keeper, reports


def look(
    keeper: ScaleKeeper,
    told: CameraMounting,
    image: NDArray[np.uint8],
    depth_m: NDArray[np.float32],
    is_floor: NDArray[np.float32],
    x_m: float,
    index: int,
) -> str:
    """
    Show a keeper one more picture of a camera whose found mounting the network was told.

    Returns what it says of the scale: verified, unverified or contradicted.
    """
    estimate = DepthEstimate(depth_m, True, CAMERA, True, None, True, 'network', floor=is_floor)
    report = keeper.look(
        image, CAMERA, told, pose_at(x_m, 0.0, None), 1.0 + 0.1 * index, estimate, is_stated=False
    )
    return report.judgement.state


@pytest.mark.parametrize('network', [0.6, 1.5])
def test_the_network_is_told_what_was_found(network: float) -> None:
    keeper, reports = keep(network)
    told = keeper.told(None)
    assert told is not None
    assert told.height_m == pytest.approx(MOUNTING.height_m, rel=0.05)
    assert reports[0].found is None
    last = reports[-1]
    assert last.found is not None
    assert last.found.mounting == told
    assert last.judgement.state == 'verified'
    assert 'mounting' in [opinion.witness for opinion in last.judgement.opinions]
    assert last.factor == pytest.approx(1.0, abs=0.1)


def test_the_network_is_told_anew_when_the_camera_was_raised() -> None:
    keeper, reports = keep(1.0, pictures=95, raised_from=18)
    assert reports[17].found is not None
    assert reports[17].found.mounting.height_m == pytest.approx(MOUNTING.height_m, rel=0.06)
    told = keeper.told(None)
    assert told is not None
    assert told.height_m == pytest.approx(RAISED.height_m, rel=0.06)


def test_a_mounting_that_was_lost_is_looked_for_from_the_found_one() -> None:
    keeper, reports = keep(1.0, pictures=18)
    before = keeper.told(None)
    assert before is not None
    noise = np.random.default_rng(1)
    image, depth, is_floor = scene(0.0)
    for index in range(70):  # nothing that a pair of pictures could confirm
        noisy = noise.integers(0, 255, image.shape, np.uint8)
        look(keeper, before, noisy, depth, is_floor, 0.6 + 0.1 * index, 18 + index)
    assert keeper.told(None) == before
    # Too little to be contradicted.
    higher = dataclasses.replace(MOUNTING, height_m=1.1 * before.height_m)
    for index in range(40):
        told = keeper.told(None)
        assert told is not None
        image, depth, is_floor = scene(0.06 * index, 0.0, higher)
        drawn = depth * np.float32(told.height_m / higher.height_m)
        look(keeper, told, image, drawn, is_floor, 7.6 + 0.06 * index, 88 + index)
    told = keeper.told(None)
    assert told is not None
    assert told.height_m == pytest.approx(higher.height_m, rel=0.05)


def test_a_factor_of_the_depth_before_does_not_outlive_the_finding() -> None:
    _, reports = keep(1.5)
    first = next(i for i, report in enumerate(reports) if report.found is not None)
    assert reports[first - 1].factor < 0.75
    assert reports[first].factor == pytest.approx(1.0, abs=0.1)


def test_what_is_stated_counts() -> None:
    stated = CameraMounting(0.5, 15.0)
    keeper, reports = keep(1.0)
    assert keeper.told(stated) == stated
    assert reports[-1].found is not None
    _, reports = keep(1.0, stated)
    assert {report.found for report in reports} == {None}


def test_with_scale_correction_off_the_network_is_told_nothing() -> None:
    keeper, reports = keep(1.5, config=ScaleConfig(scale_correction=False))
    assert keeper.told(None) is None
    assert {report.found for report in reports} == {None}


@pytest.mark.parametrize('error', [0.7, 1.3])
def test_a_wrong_stated_height_is_contradicted_by_the_floor(error: float) -> None:
    stated = CameraMounting(error * MOUNTING.height_m, MOUNTING.pitch_deg)
    _, reports = keep(1.0, stated)
    assert reports[-1].judgement.state == 'contradicted'
    assert 'mounting says' in reports[-1].judgement.reason
    assert reports[-1].factor <= 1.0


def test_restart_forgets_the_mounting() -> None:
    keeper, _ = keep(1.0)
    assert keeper.told(None) is not None
    keeper.restart()
    assert keeper.told(None) is None


def test_a_contradicted_finding_is_forgotten() -> None:
    """The camera is lowered to half of its height while the robot drives on."""
    keeper, _ = keep(1.0)
    assert keeper.told(None) is not None
    low = CameraMounting(0.5 * MOUNTING.height_m, MOUNTING.pitch_deg)
    answers: list[CameraMounting | None] = []
    for index in range(45, 80):
        x_m = round(STEP_M * index, 3)
        image, depth, is_floor = scene(x_m, 0.0, low)
        told = keeper.told(None)
        factor = 1.0 if told is None else told.height_m / low.height_m
        estimate = DepthEstimate(
            depth * np.float32(factor), True, CAMERA, True, None, True,
            'none' if told is None else 'network', floor=is_floor,
        )  # fmt: skip
        keeper.look(
            image, CAMERA, told, pose_at(x_m, 0.0, None), 1.0 + 0.1 * index, estimate,
            tilt=CameraMounting(low.height_m, 12.0) if told is None else None, is_stated=False,
        )  # fmt: skip
        answers.append(keeper.told(None))
    assert None in answers or answers[-1] != answers[0]
    last = answers[-1]
    assert last is None or last.height_m == pytest.approx(low.height_m, rel=0.2)


def test_a_found_mounting_that_the_floor_confirms_outlives_a_contradiction() -> None:
    """The network draws half as far as things are; that says nothing of the camera's height."""
    keeper, _ = keep(1.0)
    told = keeper.told(None)
    assert told is not None
    states = []
    for index in range(45, 80):
        x_m = round(STEP_M * index, 3)
        image, depth, is_floor = scene(x_m)
        look_m = depth * np.float32(0.5)
        states.append(look(keeper, told, image, look_m, is_floor, x_m, index))
        assert keeper.told(None) == told
    assert 'contradicted' in states


def test_the_floor_output_is_needed() -> None:
    def look(floor: NDArray[np.float32] | None) -> MountingFinder:
        finder = MountingFinder()
        for index in range(30):
            x_m = round(STEP_M * index, 3)
            finder.take(scene(x_m)[0], CAMERA, pose_at(x_m, 0.0, None), floor, SHAPE)
        return finder

    assert look(None).found() is None
    assert look(np.zeros((120, 160), np.float32)).found() is None
    assert look(scene(0.0)[2]).found() is not None


class DrawnDepth:
    """A network that draws all too far while it is not told the mounting, and right afterward."""

    name, is_metric = 'drawn', True

    def __init__(self) -> None:
        self.x_m = 0.0

    def estimate(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics | None = None,
        mounting: CameraMounting | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> DepthEstimate:
        _, depth, is_floor = scene(self.x_m)
        floor = None if mounting is None else inverse_floor_depth(CAMERA, mounting)
        factor = 1.4 if mounting is None else mounting.height_m / MOUNTING.height_m
        return DepthEstimate(
            depth * np.float32(factor), True, CAMERA, True, floor, True,
            'none' if mounting is None else 'network', floor=is_floor,
        )  # fmt: skip

    def unknown(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics | None = None,
        mounting: CameraMounting | None = None,
    ) -> DepthEstimate:
        return self.estimate(image_rgb, intrinsics, mounting).without_depth()


def observe(pictures: int) -> list[Observation]:
    source = DrawnDepth()
    frames = FrameConfig(frozen_frame_count=0)
    quality = QualityConfig(min_coherence=0.0)  # the drawn floor is as rough as noise
    config = PerceptionConfig(frames=frames, quality=quality)
    pipeline = PerceptionPipeline(lambda _: source, config)
    seen = []
    for index in range(pictures):
        source.x_m = round(STEP_M * index, 3)
        seen.append(
            pipeline.observe(
                CameraFrame(
                    scene(source.x_m)[0],
                    NS + index * NS // 10,
                    calibration=LensCalibration.of_raw_picture(CAMERA),
                    pose=pose_at(source.x_m, 0.0, None),
                )
            )
        )
    return seen


def test_the_pipeline_goes_on_with_the_mounting_that_was_found() -> None:
    seen = observe(40)
    assert seen[0].mounting is None and seen[0].floor_plane is not None
    last = seen[-1]
    assert last.mounting is not None
    assert last.mounting.height_m == pytest.approx(MOUNTING.height_m, rel=0.05)
    assert last.floor_plane is None
    assert last.scale.state == 'verified'
    assert f'mounting found by driving: {last.mounting}' in str(last.scale)
    truth = scene(round(STEP_M * 39, 3))[1]
    assert np.median(last.depth_m / truth) == pytest.approx(1.0, abs=0.1)
    # Floor is no obstacle, before and after, and the wall is where it is.
    wall_m = WALL_M - STEP_M * 39
    assert np.nanmin(scan_of(last, ScanConfig()).ranges_m) == pytest.approx(wall_m, rel=0.15)
    assert last.nearest_m == pytest.approx(wall_m, rel=0.15)


@pytest.mark.parametrize('factor', [0.5, 1.0])
def test_the_floor_of_the_scan_moves_with_the_depth(factor: float) -> None:
    """A factor for the depth lifts the floor in it; the scan must not see that as an obstacle."""
    seen = observe(40)[-1]
    report = ScaleReport(Judgement('verified', math.log(factor), 0.05), math.log(factor))
    seen = dataclasses.replace(
        seen,
        estimate=report.corrected(DrawnDepth().estimate(seen.image_rgb, CAMERA, MOUNTING)),
        scale=dataclasses.replace(seen.scale, report=report),
        mounting=MOUNTING,
        floor_evidence=None,
    )
    drawn = seen.drawn_mounting
    assert drawn is not None
    assert drawn.height_m == pytest.approx(factor * MOUNTING.height_m)
    nearest_m = np.nanmin(scan_of(seen, ScanConfig()).ranges_m)
    assert nearest_m == pytest.approx(factor * WALL_M, rel=0.1)
