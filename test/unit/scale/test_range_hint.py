# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""One beam gives the scale where it lands; whatever cannot be true gives none, and no distance."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.estimation.depth_estimator import DepthEstimate
from fcrn_depth_ros.scale.keeper import ScaleConfig, ScaleKeeper, ScaleReport
from fcrn_depth_ros.scale.range_hint import (
    BeamPlace,
    RangeBeam,
    RangeHint,
    RangeHintConfig,
    RangeHintTrack,
    RangeWitness,
)
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

CAMERA = CameraIntrinsics(80.0, 80.0, 71.5, 55.5, 144, 112)
LEVEL = CameraMounting(0.3)
NOW_NS = 10**12
PLACE = RangeHintConfig().place()
PICTURE = np.zeros((112, 144, 3), np.uint8)


def hint(distance_m: float, stamp_ns: int | None = NOW_NS, **changes: Any) -> RangeHint:
    return dataclasses.replace(RangeHint(stamp_ns, distance_m, 0.02, 4.0, 0.05), **changes)


def wall(depth_m: float) -> np.ndarray:
    return np.full((112, 144), depth_m, np.float32)


@pytest.mark.parametrize('drawn_m', [0.5, 1.0, 2.0])
def test_a_beam_straight_ahead(drawn_m: float) -> None:
    report = RangeWitness().look(RangeBeam(hint(1.0), PLACE), wall(drawn_m), CAMERA, LEVEL)
    assert report.silence == ''
    assert report.log_factor == pytest.approx(math.log(1.0 / drawn_m), abs=0.01)
    assert 0.04 < report.sigma < 0.08


@pytest.mark.parametrize('is_level', [True, False])
def test_a_sensor_ahead_of_the_camera_is_nearer_to_the_wall(is_level: bool) -> None:
    place = RangeHintConfig(range_hint_x_m=0.2).place()
    if not is_level:
        place = BeamPlace(np.array([0.0, 0.0, 0.2]), np.array([0.0, 0.0, 1.0]), False)
    report = RangeWitness().look(RangeBeam(hint(0.8), place), wall(1.0), CAMERA, LEVEL)
    assert report.log_factor == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize('yaw_deg', [-25.0, 25.0])
def test_a_beam_to_the_side_lands_there(yaw_deg: float) -> None:
    depth = wall(2.0)
    depth[:, :72] = 1.0  # the left half
    beam = RangeBeam(hint(1.2), RangeHintConfig(range_hint_yaw_deg=yaw_deg).place())
    report = RangeWitness().look(beam, depth, CAMERA, LEVEL)
    drawn_m = (1.0 if yaw_deg > 0 else 2.0) / math.cos(math.radians(yaw_deg))
    assert report.log_factor == pytest.approx(math.log(1.2 / drawn_m), abs=0.05)


def test_a_level_beam_lands_above_the_middle_of_a_camera_that_looks_down() -> None:
    depth = wall(2.0)
    depth[:40] = 1.0
    tilted = CameraMounting(0.3, 20.0)
    report = RangeWitness().look(RangeBeam(hint(1.0), PLACE), depth, CAMERA, tilted)
    assert report.log_factor == pytest.approx(math.log(math.cos(math.radians(20))), abs=0.1)
    assert RangeWitness().look(RangeBeam(hint(1.0), PLACE), depth, CAMERA, None).silence


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'distance_m': math.inf}, 'nothing within its reach'),
        ({'distance_m': 4.0}, 'nothing within its reach'),
        ({'distance_m': 0.02}, 'nothing within its reach'),
        ({'distance_m': math.nan}, 'range must be a number'),
        ({'distance_m': -math.inf}, 'range must be a number'),
        ({'distance_m': -1.0}, 'nothing within its reach'),
        ({'stamp_ns': None}, 'stamp must be a time'),
        ({'stamp_ns': 0}, 'stamp must be a time'),
        ({'max_m': math.nan}, 'are malformed'),
        ({'min_m': 5.0}, 'are malformed'),
        ({'field_of_view_rad': math.nan}, 'field_of_view must be'),
        ({'field_of_view_rad': 3.0}, 'field_of_view must be'),
        ({'distance_m': 0.2}, 'beyond belief'),
    ],
)
def test_what_says_nothing(changes: dict[str, Any], reason: str) -> None:
    report = RangeWitness().look(
        RangeBeam(dataclasses.replace(hint(1.0), **changes), PLACE), wall(1.0), CAMERA, LEVEL
    )
    assert reason in report.silence
    assert math.isnan(report.log_factor)


def test_an_edge_in_the_cone_says_nothing() -> None:
    depth = wall(1.0)
    depth[:, 72:] = 3.0
    report = RangeWitness().look(RangeBeam(hint(1.0), PLACE), depth, CAMERA, LEVEL)
    assert report.silence == 'it meets an edge'


def test_unknown_depth_where_it_lands_says_nothing() -> None:
    depth = wall(1.0)
    depth[50:60, 65:80] = np.nan
    report = RangeWitness().look(RangeBeam(hint(1.0), PLACE), depth, CAMERA, LEVEL)
    assert report.silence == 'the depth is unknown there'


def test_a_track_gives_what_was_measured_with_the_picture() -> None:
    track = RangeHintTrack()
    for step in range(5):
        track.add(hint(1.0 + step, NOW_NS + step * 10**8))
    found = track.at(NOW_NS + 3 * 10**8 + 10**7)
    assert found is not None and found.distance_m == 4.0
    assert track.at(NOW_NS + 4 * 10**8 + 150_000_001) is None
    track.add(hint(9.0, NOW_NS))
    assert track.fault == 'time went back'
    assert track.at(NOW_NS + 4 * 10**8) is None
    track.add(hint(math.nan, NOW_NS + 10**8))
    assert 'range must be a number' in track.fault and track.at(NOW_NS) is None


def estimate(depth_m: np.ndarray) -> DepthEstimate:
    return DepthEstimate(depth_m, True, CAMERA, True, None, True, 'none')


class Watch:
    """A keeper that sees a wall ten times a second."""

    def __init__(self) -> None:
        self.keeper = ScaleKeeper(ScaleConfig())
        self.step = 0

    def look(self, drawn_m: float, measured: RangeHint | None) -> ScaleReport:
        self.step += 1
        beam = None if measured is None else RangeBeam(measured, PLACE)
        return self.keeper.look(
            PICTURE, CAMERA, None, None, 0.1 * self.step, estimate(wall(drawn_m)), beam, LEVEL
        )

    @property
    def now_ns(self) -> int:
        return NOW_NS + self.step * 10**8


def test_a_beam_verifies_the_scale_and_makes_nearer_at_once() -> None:
    watch = Watch()
    reports = [watch.look(2.0, hint(1.0 + 1e-4 * k, watch.now_ns)) for k in range(5)]
    assert reports[0].judgement.state == 'unverified'
    assert reports[-1].judgement.state == 'verified'
    assert reports[-1].factor == pytest.approx(0.5, rel=0.05)


def test_farther_waits_and_keeps_a_sigma_back() -> None:
    watch = Watch()
    reports = [watch.look(1.0, hint(2.0 + 1e-4 * k, watch.now_ns)) for k in range(20)]
    assert all(report.factor == 1.0 for report in reports[:8])
    assert 1.5 < reports[-1].factor < 2.0


def test_a_value_that_stands_still_while_the_wall_comes_nearer_is_forgotten() -> None:
    watch = Watch()
    for k in range(20):
        report = watch.look(2.0, hint(2.0 + 1e-4 * k, watch.now_ns))
    assert report.judgement.state == 'verified'
    reports = [watch.look(2.0 - 0.05 * k, hint(2.0, watch.now_ns)) for k in range(30)]
    assert reports[-1].judgement.state == 'unverified'
    assert all(report.factor < 1.2 for report in reports)


HOSTILE = st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 0.0, 1e9, 4.0])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(HOSTILE, st.integers(-(10**9), 10**9)), min_size=1, max_size=20))
def test_nonsense_verifies_nothing_and_moves_nothing(given_: list[tuple[float, int]]) -> None:
    watch = Watch()
    for distance_m, off_ns in given_:
        report = watch.look(1.0, hint(distance_m, watch.now_ns + off_ns))
        assert report.judgement.state == 'unverified'
        assert report.factor == 1.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.05, 3.9), min_size=1, max_size=15))
def test_a_second_of_anything_makes_nothing_far(distances_m: list[float]) -> None:
    watch = Watch()
    for distance_m in distances_m[:10]:
        assert watch.look(1.0, hint(distance_m, watch.now_ns)).factor <= 1.0
