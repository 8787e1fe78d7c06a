# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What is remembered of scans, for how long, and what makes it forgotten."""

from __future__ import annotations

import math

from fcrn_depth_ros.alert.memory import MemoryConfig, ObstacleMemory, RangeScan
from fcrn_depth_ros.alert.robot_track import TrackPose
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

BEARINGS = np.radians(np.arange(-30.0, 31.0))
PERIOD_S = 0.1


def scan(
    ranges_m: np.ndarray | float = math.inf, at: dict[int, float] | None = None, stamp_ns: int = 1
) -> RangeScan:
    """Make a scan of 61 degrees; `at` sets the ranges of single degrees."""
    ranges = np.full(61, 0.0) + ranges_m
    for degrees, range_m in (at or {}).items():
        ranges[degrees + 30] = range_m
    return RangeScan(stamp_ns, math.radians(-30.0), math.radians(1.0), 0.1, 8.0, ranges)


def pose(time_s: float, x_m: float = 0.0, heading: float = 0.0, drift: float = 0.0) -> TrackPose:
    return TrackPose(time_s, x_m, 0.0, heading, drift, drift)


def memory(**changes: float) -> ObstacleMemory:
    return ObstacleMemory(MemoryConfig(**changes), trigger_count=2, release_count=5)


def seen(kept: ObstacleMemory, time_s: float = 0.0, count: int = 2, **changes: float) -> float:
    """Show a post 1 m ahead, and return when it was seen last."""
    for index in range(count):
        kept.see(scan(at={0: 1.0}), pose(time_s + index * PERIOD_S, **changes))
    return time_s + (count - 1) * PERIOD_S


def test_one_scan_is_no_obstacle_and_two_are() -> None:
    kept = memory()
    seen(kept, count=1)
    assert len(kept.around(pose(0.0)).xy_m) == 0
    kept.see(scan(at={0: 1.0}), pose(0.0))  # the same picture again is no news
    assert len(kept.around(pose(0.0)).xy_m) == 0
    kept.see(scan(at={0: 1.0}), pose(0.1))
    assert kept.around(pose(0.1)).xy_m == pytest.approx(np.array([[1.0, 0.0]]))


def test_two_scans_far_apart_are_no_confirmation() -> None:
    kept = memory()
    seen(kept, 0.0, 1)
    seen(kept, 1.01, 1)
    assert len(kept.around(pose(1.01)).xy_m) == 0


def test_it_stays_where_it_is_while_the_robot_moves_and_turns() -> None:
    kept = memory()
    seen(kept)
    assert kept.around(pose(1.0, x_m=0.7)).xy_m == pytest.approx(np.array([[0.3, 0.0]]))
    turned = kept.around(pose(1.0, heading=math.pi / 2)).xy_m
    assert turned == pytest.approx(np.array([[0.0, -1.0]]))


def test_the_camera_sits_where_it_is_told() -> None:
    kept = memory(camera_x_m=0.2, camera_y_m=0.1, camera_yaw_deg=90.0)
    seen(kept)
    assert kept.around(pose(0.1)).xy_m == pytest.approx(np.array([[0.2, 1.1]]))


@pytest.mark.parametrize(('age_s', 'known'), [(9.99, True), (10.01, False)])
def test_it_is_forgotten_with_time(age_s: float, known: bool) -> None:
    kept = memory()
    last_s = seen(kept)
    found = kept.around(pose(last_s + age_s))
    assert (len(found.xy_m) == 1) == known
    if known:
        assert found.age_s == pytest.approx([age_s])


@pytest.mark.parametrize(('x_m', 'known'), [(-1.9, True), (-2.2, False)])
def test_it_is_forgotten_with_distance(x_m: float, known: bool) -> None:
    kept = memory()
    seen(kept)
    assert (len(kept.around(pose(0.2, x_m=x_m)).xy_m) == 1) == known
    assert (len(kept.around(pose(0.2)).xy_m) == 1) == known  # forgotten for good


def test_where_nothing_says_how_the_robot_moves_only_the_present_counts() -> None:
    kept = memory()
    last_s = seen(kept)
    assert len(kept.around(pose(last_s + 0.5), is_moving_known=False).xy_m) == 1
    assert len(kept.around(pose(last_s + 0.6), is_moving_known=False).xy_m) == 0


def test_the_doubt_is_the_drift_since() -> None:
    kept = memory()
    kept.see(scan(at={0: 1.0}), pose(0.0, drift=0.1))
    kept.see(scan(at={0: 1.0}), pose(0.1, drift=0.1))
    found = kept.around(pose(1.0, x_m=0.5, drift=0.3))
    assert found.doubt_m == pytest.approx([0.2])
    assert found.swing_m == pytest.approx([0.2 * 0.5])
    assert kept.around(pose(1.0, drift=0.1)).doubt_m == pytest.approx([0.0])


@pytest.mark.parametrize(
    ('x_m', 'drift', 'known'),
    [(1.0, 0.59, True), (1.0, 0.61, False), (0.0, 0.29, True), (0.0, 0.31, False)],
)
def test_what_may_be_anywhere_is_forgotten(x_m: float, drift: float, known: bool) -> None:
    kept = memory()
    seen(kept)
    assert (len(kept.around(pose(1.0, x_m=x_m, drift=drift)).xy_m) == 1) == known


@pytest.mark.parametrize(
    ('behind', 'known_after_5'),
    [
        (scan(3.0), False),
        (scan(math.inf), False),
        (scan(1.45), False),
        (scan(1.35), True),  # within the error of the depth
        (scan(math.nan), True),  # unknown is no evidence
        (scan(math.inf, at={4: math.nan}), True),
        (scan(math.inf, at={4: 1.1}), True),  # something is near there all the same
    ],
)
def test_scans_that_see_past_it_make_it_forgotten(behind: RangeScan, known_after_5: bool) -> None:
    kept = memory()
    last_s = seen(kept)
    for count in range(1, 6):
        time_s = last_s + count * PERIOD_S
        kept.see(behind, pose(time_s))
        places = kept.around(pose(time_s)).xy_m
        is_known = bool(len(places)) and bool(np.hypot(*(places - (1.0, 0.0)).T).min() < 0.15)
        assert is_known == (known_after_5 or count < 5)


def test_seen_again_it_must_be_seen_past_anew() -> None:
    kept = memory()
    last_s = seen(kept)
    for count in range(1, 5):
        kept.see(scan(3.0), pose(last_s + count * PERIOD_S))
    last_s = seen(kept, last_s + 0.5, 1)
    for count in range(1, 5):
        kept.see(scan(3.0), pose(last_s + count * PERIOD_S))
    assert np.hypot(*(kept.around(pose(last_s + 0.4)).xy_m - (1.0, 0.0)).T).min() < 0.01


@pytest.mark.parametrize(
    ('x_m', 'blind_m', 'known'),
    [
        (0.1, 0.95, True),
        (0.1, 0.85, False),
        (0.03, 1.05, True),
        (0.01, 1.05, False),  # it was seen from here
        (-0.1, 1.15, False),  # and from nearer
    ],
)
def test_what_may_be_below_the_picture_is_not_seen_past(
    x_m: float, blind_m: float, known: bool
) -> None:
    kept = memory(memory_blind_m=blind_m, camera_x_m=0.3)
    last_s = seen(kept)
    for count in range(1, 8):
        kept.see(scan(), pose(last_s + count * PERIOD_S, x_m=x_m))
    assert (len(kept.around(pose(last_s + 0.8, x_m=x_m)).xy_m) == 1) == known


def test_what_left_the_picture_is_not_seen_past() -> None:
    kept = memory()
    last_s = seen(kept)
    for count in range(1, 8):
        kept.see(scan(), pose(last_s + count * PERIOD_S, heading=1.0))
    assert len(kept.around(pose(last_s + 0.8)).xy_m) == 1


@pytest.mark.parametrize(
    ('changes', 'flaw'),
    [
        ({}, ''),
        ({'stamp_ns': None}, 'stamp'),
        ({'stamp_ns': 0}, 'stamp'),
        ({'range_min_m': 8.0}, 'range limits'),
        ({'range_min_m': -0.1}, 'range limits'),
        ({'range_max_m': math.inf}, 'range limits'),
        ({'range_max_m': math.nan}, 'range limits'),
        ({'angle_increment_rad': 0.0}, 'angle_increment'),
        ({'angle_increment_rad': math.nan}, 'angle_increment'),
        ({'angle_increment_rad': 0.2}, 'angle_increment'),
        ({'angle_increment_rad': 4e-4}, 'angle_increment'),
        ({'angle_increment_rad': 6e-4}, ''),
        ({'angle_min_rad': math.inf}, 'angle_min'),
    ],
)
def test_flaws_of_a_scan_are_named(changes: dict[str, float | None], flaw: str) -> None:
    values = {**vars(scan()), **changes}
    found = RangeScan(**values).flaw()
    assert flaw in found and bool(found) == bool(flaw)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=40),
            st.floats(0.01, 1.0),
            st.floats(-1.0, 1.0),
        ),
        max_size=8,
    )
)
def test_no_scan_is_an_error(events: list[tuple[list[float], float, float]]) -> None:
    kept, time_s, x_m = memory(), 0.0, 0.0
    for ranges, passed_s, moved_m in events:
        time_s, x_m = time_s + passed_s, x_m + moved_m
        one = RangeScan(1, -0.5, 0.02, 0.1, 8.0, np.array(ranges))
        kept.see(one, pose(time_s, x_m))
        found = kept.around(pose(time_s, x_m))
        assert np.isfinite(found.xy_m).all() and (found.doubt_m >= 0).all()
        assert (np.hypot(*found.xy_m.T) <= 3.2).all()


def test_it_does_not_grow_without_end() -> None:
    kept, rng = memory(memory_distance_m=20.0), np.random.default_rng(0)
    for index in range(400):
        kept.see(scan(rng.uniform(0.2, 7.9, 61)), pose(index * 0.01, heading=index * 0.3))
    assert len(kept._keys) <= 4000
