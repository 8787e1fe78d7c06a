# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A factor that differs over the picture: what motion measured vouches for no more than that."""

from __future__ import annotations

import math

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.estimation.depth_estimator import DepthEstimate
from fcrn_depth_ros.scale.field import DepthField, FieldPrior
from fcrn_depth_ros.scale.keeper import ScaleConfig, ScaleKeeper, ScaleReport
from fcrn_depth_ros.scale.lattice import at_place, on_picture, PLACES
from fcrn_depth_ros.scale.motion import MotionPoints, MotionReport, robust_log_ratio
from fcrn_depth_ros.scale.odometry import CameraPose
from fcrn_depth_ros.scale.range_hint import BeamPlace, RangeBeam, RangeHint
from fcrn_depth_ros.scale.witness import MOST_VERIFIED_SIGMA
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest

CAMERA = CameraIntrinsics(64.0, 64.0, 31.5, 23.5, 64, 48)
PICTURE = np.zeros((48, 64, 3), np.uint8)
NS = 1_000_000_000
LEVEL = CameraMounting(0.4, 0.0)


def points(network_m: NDArray[np.float64], ratio: NDArray[np.float64]) -> MotionPoints:
    """Spread points over the picture."""
    count = len(network_m)
    rng = np.random.default_rng(count)
    rays = np.column_stack([rng.uniform(-0.45, 0.45, (count, 2)), np.ones(count)])
    return MotionPoints(rays, network_m * ratio, network_m, np.full(count, 0.05))


class Seen:
    """A motion witness that says what it is told."""

    def __init__(self, told: MotionPoints, moved_m: float = 0.2) -> None:
        log_factor, _ = robust_log_ratio(told)
        self.report = MotionReport('', log_factor, 0.04, moved_m, points=told)

    def look(self, *_: object) -> MotionReport:
        return self.report

    def restart(self) -> None:
        pass


def estimate(depth_m: NDArray[np.float32], mounting_used: str = 'none') -> DepthEstimate:
    return DepthEstimate(depth_m, True, CAMERA, True, None, True, mounting_used)


def keep(
    told: MotionPoints,
    depth_m: NDArray[np.float32],
    mounting: CameraMounting | None = None,
    frames: int = 26,
) -> ScaleReport:
    keeper = ScaleKeeper(ScaleConfig())
    keeper._motion = Seen(told)  # type: ignore[assignment]
    for index in range(frames):
        time_s = 1.0 + 0.1 * index
        pose = CameraPose(np.eye(3), np.array([0.0, 0.0, 0.02 * index]))
        report = keeper.look(
            PICTURE, CAMERA, mounting, pose, time_s,
            estimate(depth_m, 'none' if mounting is None else 'network'),
        )  # fmt: skip
    return report


def near_and_far(near_m: float, far_m: float) -> NDArray[np.float32]:
    depth_m = np.full((48, 64), far_m, np.float32)
    depth_m[36:] = near_m
    return depth_m


def test_far_corners_do_not_speak_for_near_things() -> None:
    depth_m = near_and_far(0.5, 3.0)
    far = points(np.linspace(2.5, 4.0, 60), np.full(60, 1.6))
    report = keep(far, depth_m)
    assert report.judgement.state == 'verified'
    corrected = report.corrected(estimate(depth_m)).depth_m
    assert corrected[0, 0] == pytest.approx(1.6 * 3.0, rel=0.12)
    # One factor for all would draw it at 0.75 m.
    assert corrected[-1, 0] < 0.65
    assert report.sigma_at(corrected[0, 0], corrected) < MOST_VERIFIED_SIGMA
    assert report.sigma_at(corrected[-1, 0], corrected) > MOST_VERIFIED_SIGMA


def test_corners_near_and_far_speak_for_both() -> None:
    depth_m = near_and_far(0.5, 3.0)
    network_m = np.concatenate([np.linspace(0.45, 0.8, 30), np.linspace(2.5, 4.0, 30)])
    report = keep(points(network_m, np.where(network_m < 1.0, 0.8, 1.2)), depth_m)
    corrected = report.corrected(estimate(depth_m)).depth_m
    assert corrected[-1, 0] == pytest.approx(0.8 * 0.5, rel=0.1)
    assert corrected[0, 0] == pytest.approx(1.2 * 3.0, rel=0.12)
    assert report.sigma_at(corrected[-1, 0], corrected) < 0.1


def test_a_mounting_vouches_for_all_depths() -> None:
    depth_m = near_and_far(0.5, 3.0)
    far = points(np.linspace(2.5, 4.0, 60), np.full(60, 1.1))
    report = keep(far, depth_m, LEVEL)
    assert report.judgement.state == 'verified'
    corrected = report.corrected(estimate(depth_m)).depth_m
    assert report.sigma_at(corrected[-1, 0], corrected) < MOST_VERIFIED_SIGMA


@pytest.mark.parametrize(('beam_m', 'is_verified'), [(0.5, True), (3.0, False)])
def test_a_beam_vouches_for_what_is_as_far_as_it_reaches(beam_m: float, is_verified: bool) -> None:
    depth_m = near_and_far(0.5, 3.0)
    if beam_m < 1.0:
        depth_m[20:] = 0.5
    keeper = ScaleKeeper(ScaleConfig())
    place = BeamPlace(np.zeros(3), np.array([1.0, 0.0, 0.0]))
    for index in range(4):
        hint = RangeHint(NS + index * NS // 10, beam_m, 0.1, 9.0, 0.05)
        report = keeper.look(
            PICTURE, CAMERA, None, None, 1.0 + 0.1 * index, estimate(depth_m),
            RangeBeam(hint, place), LEVEL,
        )  # fmt: skip
    assert report.judgement.state == 'verified'
    assert (report.sigma_at(0.5, depth_m) < MOST_VERIFIED_SIGMA) is is_verified


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.6, 7.0), st.floats(0.3, 3.0)), min_size=15, max_size=40),
    st.floats(0.15, 0.6),
    st.booleans(),
)
def test_no_points_make_anything_nearer_than_them_farther_than_they_are(
    told: list[tuple[float, float]], near_m: float, is_mounted: bool
) -> None:
    network_m, ratio = np.array(told).T
    depth_m = near_and_far(near_m, 3.0)
    report = keep(points(network_m, ratio), depth_m, LEVEL if is_mounted else None, 13)
    corrected = report.corrected(estimate(depth_m)).depth_m
    assert corrected[-1, 0] <= near_m * max(1.0, float(ratio.max())) * 1.001
    if report.judgement.state != 'verified':
        assert (corrected <= depth_m * 1.001).all()


def test_the_lattice_gives_what_stands_on_it_and_nothing_beyond() -> None:
    depth_m = np.geomspace(0.05, 30.0, 48 * 64).reshape(48, 64).astype(np.float32)
    linear = 0.3 * PLACES[:, 0] - 0.2 * PLACES[:, 1] + 0.1 * PLACES[:, 2]
    drawn = on_picture(linear, depth_m)
    assert drawn.shape == depth_m.shape and np.isfinite(drawn).all()
    assert drawn.min() >= linear.min() - 1e-6 and drawn.max() <= linear.max() + 1e-6
    inside = (depth_m > 0.25) & (depth_m < 7.0)
    x = (np.arange(64) + 0.5) / 64 - 0.5
    y = (np.arange(48) + 0.5 - 24) / 64
    expected = 0.3 * x - 0.2 * y[:, None] + 0.1 * np.log(depth_m / 2.0)
    assert drawn[inside] == pytest.approx(expected[inside], abs=1e-3)
    assert at_place(linear, np.array([x[10], y[20], 0.3])) == pytest.approx(
        0.3 * x[10] - 0.2 * y[20] + 0.03
    )
    assert at_place(linear, np.array([0.0, 0.0, 9.0])) == pytest.approx(0.1 * math.log(4.0))
    depth_m[0, 0] = np.nan
    assert np.isfinite(on_picture(linear, depth_m)).all()


def test_the_field_is_less_sure_the_nearer_something_is_than_its_points() -> None:
    field = DepthField(FieldPrior(beyond_sigma=0.15))
    for _ in range(5):
        field.take(points(np.linspace(2.0, 4.0, 40), np.full(40, 1.5)), CAMERA)
    places = np.column_stack([np.zeros((4, 2)), np.log(np.array([3.0, 1.5, 0.75, 0.3]) / 2.0)])
    mean, variance = field.at(places)
    assert mean[0] == pytest.approx(math.log(1.5), abs=0.1)
    assert (np.diff(variance) > 0.0).all()
    field.restart()
    assert field.at(places)[0] == pytest.approx(0.0)


def test_far_points_make_no_much_nearer_thing_farther() -> None:
    field = DepthField(FieldPrior(depth_sigma=0.15, beyond_sigma=0.15))
    for _ in range(5):
        field.take(points(np.linspace(2.0, 4.0, 40), np.full(40, 1.5)), CAMERA)
    places = np.column_stack([np.zeros((3, 2)), np.log(np.array([2.5, 1.3, 0.7]) / 2.0)])
    far, between, near = field.at(places)[0]
    assert far == pytest.approx(math.log(1.5), abs=0.1)
    assert 0.05 < between < 0.8 * far
    assert near == 0.0
    nearer = DepthField(FieldPrior(depth_sigma=0.15))
    for _ in range(5):
        nearer.take(points(np.linspace(2.0, 4.0, 40), np.full(40, 0.7)), CAMERA)
    # What makes nearer does not fade.
    assert nearer.at(places)[0][2] < -0.15


@pytest.mark.parametrize(
    ('factor', 'sigma', 'applied'),
    [(1.5, 0.05, 1.5), (1.5, 0.19, 1.5), (1.1, 0.19, 1.0), (0.7, 0.05, 0.7)],
)
def test_farther_keeps_back_its_sigma(factor: float, sigma: float, applied: float) -> None:
    kept_back = sigma if applied > 1.0 else 0.0
    config = ScaleConfig(scale_factor=factor, scale_factor_sigma=sigma)
    keeper = ScaleKeeper(config)
    for index in range(13):
        report = keeper.look(
            PICTURE, CAMERA, None, None, 1.0 + 0.1 * index, estimate(near_and_far(1.0, 3.0))
        )
    assert report.judgement.state == 'verified'
    assert report.log_factor == pytest.approx(math.log(applied) - kept_back, abs=1e-3)
