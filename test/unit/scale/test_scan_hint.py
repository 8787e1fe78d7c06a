# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A laser scan gives the scale where it lands; what cannot be true gives none, and no distance."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.estimation.depth_estimator import DepthEstimate
from fcrn_depth_ros.scale.keeper import ScaleConfig, ScaleKeeper, ScaleReport
from fcrn_depth_ros.scale.range_hint import HintTrack, RangeReport
from fcrn_depth_ros.scale.scan_hint import (
    ScanBeams,
    ScanHint,
    ScanHintConfig,
    ScanPlace,
    ScanWitness,
)
from fcrn_depth_ros.scale.witness import judge, Opinion
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

CAMERA = CameraIntrinsics(80.0, 80.0, 71.5, 55.5, 144, 112)
LEVEL = CameraMounting(0.3)
NOW_NS = 10**12
PLACE = ScanHintConfig().place()
ANGLES = np.linspace(-math.pi, math.pi, 361)


def hint(wall_m: float, stamp_ns: int | None = NOW_NS, **changes: Any) -> ScanHint:
    """Return a scan of a wall ahead, in a room with nothing else."""
    with np.errstate(divide='ignore'):
        ranges = np.where(np.abs(ANGLES) < 1.3, wall_m / np.cos(ANGLES), math.inf)
    scan = ScanHint(stamp_ns, -math.pi, float(ANGLES[1] - ANGLES[0]), 0.05, 12.0, ranges)
    return dataclasses.replace(scan, **changes)


def wall(depth_m: float) -> np.ndarray:
    return np.full((112, 144), depth_m, np.float32)


def look(
    scan: ScanHint, depth: np.ndarray, place: ScanPlace | None = PLACE, **changes: Any
) -> RangeReport:
    known = {'intrinsics': CAMERA, 'mounting': LEVEL, **changes}
    return ScanWitness().look(ScanBeams(scan, place), depth, **known)


@pytest.mark.parametrize('drawn_m', [0.5, 1.0, 2.0])
def test_a_wall_ahead(drawn_m: float) -> None:
    report = look(hint(1.0), wall(drawn_m))
    assert report.silence == ''
    assert report.log_factor == pytest.approx(math.log(1.0 / drawn_m), abs=0.03)
    assert 0.03 < report.sigma < 0.1


def test_a_scanner_that_looks_back_and_sits_behind() -> None:
    backward = ScanHintConfig(scan_hint_x_m=-0.2, scan_hint_yaw_deg=180.0).place()
    turned = hint(1.2)
    turned = dataclasses.replace(turned, ranges_m=np.roll(turned.ranges_m[:-1], 180))
    assert look(turned, wall(1.0), backward).log_factor == pytest.approx(0.0, abs=0.03)
    assert look(hint(1.2), wall(1.0), backward).silence.startswith('nothing within its reach')


def test_the_place_of_tf_needs_no_tilt_and_that_of_parameters_does() -> None:
    from_tf = ScanPlace(np.zeros(3), np.array([0.0, 0, 1]), np.array([-1.0, 0, 0]), False)
    assert look(hint(1.0), wall(1.0), from_tf, mounting=None).silence == ''
    assert 'tilt' in look(hint(1.0), wall(1.0), mounting=None).silence
    assert 'TF does not connect' in look(hint(1.0), wall(1.0), None).silence
    assert look(hint(1.0), wall(1.0), intrinsics=None).silence == 'no camera_info'


def test_left_is_left() -> None:
    depth = wall(2.0)
    depth[:, :72] = 1.0
    with np.errstate(divide='ignore'):
        steps = np.where(ANGLES > 0, 1.0, 2.0) / np.cos(ANGLES)
    ranges = np.where(np.abs(ANGLES) < 1.3, steps, np.nan)
    report = look(hint(1.0, ranges_m=ranges), depth)
    assert report.log_factor == pytest.approx(0.0, abs=0.03) and report.sigma < 0.06
    assert look(hint(1.0, ranges_m=ranges[::-1]), depth).silence == (
        'its beams disagree about the picture'
    )


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'ranges_m': np.full(361, np.nan)}, 'nothing within its reach'),
        ({'ranges_m': np.full(361, 12.0)}, 'nothing within its reach'),
        ({'ranges_m': np.full(361, -1.0)}, 'nothing within its reach'),
        ({'ranges_m': np.zeros(0)}, 'ranges must not be empty'),
        ({'stamp_ns': None}, 'stamp must be a time'),
        ({'stamp_ns': 0}, 'stamp must be a time'),
        ({'max_m': math.inf}, 'are malformed'),
        ({'min_m': math.nan}, 'are malformed'),
        ({'angle_min_rad': math.nan}, 'angle_min must be finite'),
        ({'angle_increment_rad': 0.0}, 'angle_increment must be in'),
        ({'angle_increment_rad': math.nan}, 'angle_increment must be in'),
        ({'angle_min_rad': 0.5 * math.pi, 'angle_increment_rad': 1e-3}, 'nothing within its'),
        ({'ranges_m': np.full(361, 0.1)}, 'too few of its beams'),
    ],
)
def test_what_says_nothing(changes: dict[str, Any], reason: str) -> None:
    report = look(hint(1.0, **changes), wall(1.0))
    assert reason in report.silence
    assert math.isnan(report.log_factor)


def test_two_beams_are_too_few_and_three_are_enough() -> None:
    for count, silent in ((2, True), (3, False)):
        ranges = np.full(361, math.nan)
        ranges[180 : 180 + count] = 1.0
        assert bool(look(hint(1.0, ranges_m=ranges), wall(1.0)).silence) == silent


def test_too_old_a_scan_is_no_scan() -> None:
    track: HintTrack[ScanHint] = HintTrack()
    track.add(hint(1.0))
    assert track.at(NOW_NS + 150_000_000) is not None
    assert track.at(NOW_NS + 150_000_001) is None
    track.add(hint(1.0, NOW_NS - 1))
    assert track.fault == 'time went back'


class Watch:
    """A keeper that sees a wall ten times a second."""

    def __init__(self) -> None:
        self.keeper, self.step = ScaleKeeper(ScaleConfig()), 0

    def look(self, drawn_m: float, measured: ScanHint) -> ScaleReport:
        self.step += 1
        estimate = DepthEstimate(wall(drawn_m), True, CAMERA, True, None, True, 'none')
        picture = np.zeros((112, 144, 3), np.uint8)
        scan = ScanBeams(measured, PLACE)
        time_s = 0.1 * self.step
        return self.keeper.look(picture, CAMERA, None, None, time_s, estimate, None, LEVEL, scan)


def test_a_scan_verifies_the_scale_and_makes_nearer_at_once() -> None:
    watch = Watch()
    reports = [watch.look(2.0, hint(1.0 + 1e-4 * k, NOW_NS + k * 10**8)) for k in range(5)]
    assert reports[0].judgement.state == 'unverified'
    assert reports[-1].judgement.state == 'verified'
    assert reports[-1].factor == pytest.approx(0.5, rel=0.05)


def test_a_scan_that_hangs_is_forgotten() -> None:
    watch = Watch()
    for k in range(20):
        report = watch.look(2.0, hint(2.0 + 1e-4 * k, NOW_NS + k * 10**8))
    assert report.judgement.state == 'verified'
    for k in range(20, 50):
        report = watch.look(2.0 - 0.05 * (k - 19), hint(2.0, NOW_NS + k * 10**8))
    assert report.judgement.state == 'unverified'


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.floats(width=32), min_size=1, max_size=30),
            st.floats(width=32),
            st.floats(-0.5, 0.5),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_nothing_that_a_scan_contains_makes_anything_far_within_a_second(
    scans: list[tuple[list[float], float, float]],
) -> None:
    watch = Watch()
    for k, (ranges, start, step) in enumerate(scans):
        scan = ScanHint(NOW_NS + k * 10**8, start, step, 0.05, 12.0, np.array(ranges))
        assert watch.look(1.0, scan).factor <= 1.0


def test_a_local_witness_contradicts_others_later() -> None:
    motion = Opinion('motion', -0.25, 0.05)
    assert judge([motion, Opinion('range', 0.0, 0.05)]).state == 'contradicted'
    joined = judge([motion, Opinion('range', 0.0, 0.05, 0.13)])
    assert joined.state == 'verified'
    assert -0.25 < joined.log_factor < -0.2  # motion sees more of the picture
    assert judge([motion, Opinion('range', 0.1, 0.05, 0.13)]).state == 'contradicted'
    assert judge([Opinion('range', 0.0, 0.05, 0.13)]).sigma == pytest.approx(0.05)
