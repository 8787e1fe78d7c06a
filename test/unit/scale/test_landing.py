# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The depth where a beam lands, and nowhere else."""

from __future__ import annotations

import math

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.estimation.depth_estimator import DepthEstimate
from fcrn_depth_ros.scale.keeper import ScaleConfig, ScaleKeeper
from fcrn_depth_ros.scale.landing import Landing, LandingFactor, with_landing
from fcrn_depth_ros.scale.range_hint import BeamPlace, RangeBeam, RangeHint
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest

CAMERA = CameraIntrinsics(64.0, 64.0, 31.5, 23.5, 64, 48)
PICTURE = np.zeros((48, 64, 3), np.uint8)
PLACE = BeamPlace(np.zeros(3), np.array([1.0, 0.0, 0.0]))
MIDDLE = Landing(31.5, 23.5, 3.0, 64.0, 1.0)
NS = 1_000_000_000


def flat(value: float) -> NDArray[np.float32]:
    return np.full((48, 64), value, np.float32)


def seen(measured_m: list[float], depth_m: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return the corrected depth of picture after picture, ten a second."""
    keeper = ScaleKeeper(ScaleConfig())
    corrected = []
    for index, value_m in enumerate(measured_m):
        beam = RangeBeam(RangeHint(NS + index * NS // 10, value_m, 0.1, 9.0, 0.05), PLACE)
        estimate = DepthEstimate(depth_m, True, CAMERA, True, None, True, 'none')
        report = keeper.look(
            PICTURE, CAMERA, None, None, 1.0 + 0.1 * index, estimate, beam,
            CameraMounting(0.4, 0.0),
        )  # fmt: skip
        corrected.append(report.corrected(estimate).depth_m)
    return corrected


def test_where_a_beam_lands_farther_waits_for_three_messages_only() -> None:
    drawn = seen([1.5, 1.501, 1.502, 1.503], flat(1.0))
    assert [float(depth_m[23, 31]) for depth_m in drawn[:2]] == pytest.approx([1.0, 1.0])
    assert float(drawn[2][23, 31]) == pytest.approx(1.5, rel=0.02)
    # Elsewhere it waits for scale_patience_s.
    assert float(drawn[3][2, 2]) == pytest.approx(1.0)


def test_nearer_counts_at_once() -> None:
    drawn = seen([0.6], flat(1.0))
    assert float(drawn[0][23, 31]) == pytest.approx(0.6, rel=0.02)


def test_a_nearer_message_counts_at_once_and_a_farther_one_only_with_another() -> None:
    factor = LandingFactor()
    said = [0.3, 0.3, 0.3, -0.2, 0.3, 0.3, 0.3, 0.9, 0.3]
    held = [factor.take(1.0 + 0.1 * index, value) for index, value in enumerate(said)]
    assert held == pytest.approx([0.0, 0.0, 0.3, -0.2, 0.3, 0.3, 0.3, 0.4, 0.3])
    assert seen([1.5, 1.501, 1.502, 0.8], flat(1.0))[-1][23, 31] == pytest.approx(0.8, rel=0.02)


@pytest.mark.parametrize(('change', 'held'), [(0.08, 0.38), (0.12, 0.4)])
def test_a_network_that_trembles_is_put_right_at_once(change: float, held: float) -> None:
    factor = LandingFactor()
    for index in range(3):
        factor.take(1.0 + 0.1 * index, 0.3)
    assert factor.take(1.3, 0.3 + change) == pytest.approx(held)


def test_what_is_nearer_than_the_landing_stays_where_it_was() -> None:
    depth_m = flat(1.0)
    depth_m[:, 34:] = 0.5
    corrected = with_landing(flat(0.0), depth_m, MIDDLE, 0.4, True)
    assert corrected[23, 31] == pytest.approx(0.4, abs=0.01)
    assert corrected[23, 34] < 0.001
    assert corrected[2, 2] == 0.0 and corrected[23, 60] == 0.0


def test_an_unverified_beam_makes_nothing_farther() -> None:
    assert (with_landing(flat(0.0), flat(1.0), MIDDLE, 0.4, False) == 0.0).all()
    assert with_landing(flat(0.0), flat(1.0), MIDDLE, -0.4, False)[23, 31] < -0.39


@pytest.mark.parametrize('later_s', [-0.1, 0.7])
def test_old_messages_and_time_that_goes_back_are_forgotten(later_s: float) -> None:
    factor = LandingFactor()
    assert [factor.take(1.0 + 0.1 * k, 0.3) for k in range(3)] == [0.0, 0.0, 0.3]
    assert factor.take(1.2 + later_s, 0.3) == 0.0


@settings(max_examples=50, deadline=None)
@given(
    st.floats(-1.4, 1.4), st.floats(-1.4, 1.4), st.floats(-20.0, 90.0), st.floats(-20.0, 70.0),
    st.floats(0.1, 9.0), st.booleans(),
)  # fmt: skip
def test_nothing_leaves_the_room_between_what_both_say(
    before: float, said: float, column: float, row: float, drawn_m: float, may: bool
) -> None:
    depth_m = np.geomspace(0.1, 9.0, 48 * 64).reshape(48, 64).astype(np.float32)
    depth_m[0, 0] = math.nan
    landing = Landing(column, row, 3.0, 64.0, drawn_m)
    corrected = with_landing(flat(before), depth_m, landing, said, may)
    assert corrected.min() >= min(before, said) - 1e-6
    assert corrected.max() <= max(before, said if may else before) + 1e-6
