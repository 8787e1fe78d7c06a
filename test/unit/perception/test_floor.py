# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The border of free floor: drawn scenes, both sides of every bound, and hostile floor outputs."""

from __future__ import annotations

from typing import Any

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
from fcrn_depth_ros.camera.orientation import (
    level_axes,
    turn_intrinsics,
    turn_mounting,
    turn_picture,
)
from fcrn_depth_ros.errors import DepthShapeError
from fcrn_depth_ros.perception.floor import floor_evidence, FloorConfig, FloorEvidence
from fcrn_depth_ros.perception.proximity import (
    estimate_proximity,
    near_pixels,
    obstacle_pixels,
    ProximityConfig,
    ProximityEstimate,
)
from fcrn_depth_ros.perception.scan import depth_to_scan, ScanConfig
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
import numpy as np
from numpy.typing import NDArray
import pytest

Map = NDArray[np.float32]

HEIGHT, WIDTH = 56, 72
CAMERA = CameraIntrinsics(50.0, 50.0, 35.5, 27.5, WIDTH, HEIGHT)
MOUNTING = CameraMounting(0.4)
INVERSE = inverse_floor_depth(CAMERA, MOUNTING)
PROXIMITY = ProximityConfig()
TOLERANCE = PROXIMITY.floor_tolerance
CONFIG = FloorConfig()
FAR_M = 8.0
# The floor as a network paints it: nothing stands on it, and far away there is a wall.
EMPTY = np.minimum(1 / np.maximum(INVERSE, 1e-6), FAR_M).astype(np.float32)
THING = slice(30, 45)  # columns


def free_floor() -> Map:
    """Return the floor output for nothing on the floor."""
    return np.where(INVERSE > 1 / FAR_M, 0.95, 0.05).astype(np.float32)


def with_thing(base_row: int, top_row: int = 20, columns: slice = THING) -> Map:
    """Return the floor output for a thing whose lowest row is `base_row`."""
    floor = free_floor()
    floor[top_row : base_row + 1, columns] = 0.05
    return floor


def mounted(depth_m: Map, floor: Map, config: FloorConfig = CONFIG) -> FloorEvidence:
    evidence = floor_evidence(depth_m, floor, config, TOLERANCE, CAMERA, MOUNTING, INVERSE)
    assert evidence is not None
    return evidence


def unmounted(depth_m: Map, floor: Map, config: FloorConfig = CONFIG) -> FloorEvidence | None:
    return floor_evidence(depth_m, floor, config, TOLERANCE, CAMERA)


def seen(depth_m: Map, evidence: FloorEvidence | None, **changes: Any) -> ProximityEstimate:
    config = ProximityConfig(**changes)
    return estimate_proximity(depth_m, config, INVERSE, None, evidence)


@pytest.mark.parametrize('base_row', [37, 45, 54])
def test_a_thing_that_depth_paints_into_the_floor_is_as_far_as_its_base(base_row: int) -> None:
    evidence = mounted(EMPTY, with_thing(base_row))
    base_m = 1 / INVERSE[base_row, 30]
    assert seen(EMPTY, None).nearest_distance_m > 5.0
    told = seen(EMPTY, evidence)
    assert told.nearest_distance_m == pytest.approx(base_m)
    assert not told.hidden_base
    assert evidence.stands[31 : base_row + 1, THING].all()
    np.testing.assert_allclose(evidence.distance_m[31 : base_row + 1, THING], base_m, rtol=1e-6)
    assert not evidence.stands[31:, :30].any()
    np.testing.assert_array_equal(evidence.distance_m[40:, :30], EMPTY[40:, :30])
    assert evidence.floor is None


def test_what_stands_though_depth_says_floor_begins_at_the_tolerance() -> None:
    depth = EMPTY.copy()
    floor = with_thing(45, top_row=32)
    depth[32:46, THING] = 0.99 * (1 - TOLERANCE) * EMPTY[32:46, THING]
    assert not mounted(depth, floor).stands[32:46, THING].any()
    depth[32:46, THING] = 1.01 * (1 - TOLERANCE) * EMPTY[32:46, THING]
    assert mounted(depth, floor).stands[32:46, THING].all()


@pytest.mark.parametrize('pitch_deg', [-10.0, 0.0, 35.0])
@pytest.mark.parametrize(('too_far', 'same_thing'), [(1.69, True), (1.71, False), (0.9, False)])
def test_a_thing_in_front_of_the_floor_is_no_farther_than_its_base(
    pitch_deg: float, too_far: float, same_thing: bool
) -> None:
    mounting = CameraMounting(0.4, pitch_deg)
    inverse = inverse_floor_depth(CAMERA, mounting)
    ahead = CAMERA.rays() @ level_axes(mounting)[0]
    base_row = 50
    wall_m = ahead[base_row, 35] / inverse[base_row, 35] / ahead  # upright, over its base
    floor = np.full((HEIGHT, WIDTH), 0.95, np.float32)
    floor[5 : base_row + 1, THING] = 0.05
    depth = np.full((HEIGHT, WIDTH), FAR_M, np.float32)
    depth[5 : base_row + 1, THING] = too_far * wall_m[5 : base_row + 1, THING]
    evidence = floor_evidence(depth, floor, CONFIG, TOLERANCE, CAMERA, mounting, inverse)
    assert evidence is not None
    in_front = depth[:, 35] * inverse[:, 35] < 1 - TOLERANCE
    in_front[:5] = in_front[base_row + 1 :] = False
    assert in_front.sum() > 8
    expected = (wall_m if same_thing else depth)[in_front, 35]
    np.testing.assert_allclose(evidence.distance_m[in_front, 35], expected, rtol=1e-5)
    assert not evidence.stands[in_front, 35].any()


def test_a_thing_is_no_farther_than_its_base_without_a_mounting_too() -> None:
    depth = low(0.4, 20.0)
    base_row, base_m = 50, float(depth[50, 35])
    claim = np.full(depth.shape, 0.95, np.float32)
    claim[depth >= FAR_M] = 0.05
    claim[: base_row + 1, THING] = 0.05
    depth[: base_row + 1, THING] = 1.2 * base_m
    evidence = unmounted(depth, claim)
    assert evidence is not None
    ahead = CAMERA.rays() @ level_axes(CameraMounting(0.4, 20.0))[0]
    wall_m = base_m * ahead[base_row, 35] / ahead[5, 35]
    assert evidence.distance_m[5, 35] == pytest.approx(wall_m, rel=0.02)


def test_a_distance_is_never_more_than_depth_says() -> None:
    depth = EMPTY * np.float32(1 - TOLERANCE / 2)  # nearer than the floor, yet within tolerance
    evidence = mounted(depth, with_thing(45))
    base = evidence.stands[45, 30], evidence.distance_m[45, 30]
    assert base == (True, depth[45, 30]) and depth[45, 30] < 1 / INVERSE[45, 30]


def test_floor_seen_below_a_thing_ends_it() -> None:
    floor = with_thing(33)
    floor[40:46, THING] = 0.05  # a second thing, nearer, in the same columns
    distance = mounted(EMPTY, floor).distance_m
    assert distance[31, 35] == pytest.approx(1 / INVERSE[33, 35])
    assert distance[41, 35] == pytest.approx(1 / INVERSE[45, 35])


@pytest.mark.parametrize(('base_row', 'hidden'), [(HEIGHT - 2, False), (HEIGHT - 1, True)])
def test_a_base_below_the_picture_makes_the_reading_uncertain(base_row: int, hidden: bool) -> None:
    evidence = mounted(EMPTY, with_thing(base_row))
    told = seen(EMPTY, evidence)
    assert told.hidden_base is hidden
    assert told.nearest_distance_m == pytest.approx(1 / INVERSE[base_row, 30])
    assert evidence.hidden_base[20 : base_row + 1, THING].all() == hidden
    assert not evidence.hidden_base[:, 45:].any()


def test_a_base_below_the_picture_is_uncertain_however_near_depth_says_it_is() -> None:
    depth = EMPTY.copy()
    depth[20:, THING] = 0.3
    assert seen(depth, mounted(depth, with_thing(HEIGHT - 1))).hidden_base
    assert not seen(depth, mounted(depth, free_floor())).hidden_base
    assert not seen(depth, None).hidden_base


@pytest.mark.parametrize(('columns', 'hidden'), [(11, False), (12, False), (13, True)])
def test_most_of_the_nearest_pixels_decide_whether_the_base_is_hidden(
    columns: int, hidden: bool
) -> None:
    depth = np.full((HEIGHT, WIDTH), 5.0, np.float32)
    depth[0, :24] = 0.4
    evidence = FloorEvidence(
        depth, np.zeros(depth.shape, np.bool_), np.zeros(depth.shape, np.bool_)
    )
    evidence.hidden_base[0, :columns] = True
    assert estimate_proximity(depth, PROXIMITY, None, None, evidence).hidden_base is hidden


@pytest.mark.parametrize(('probability', 'stands'), [(0.499, True), (0.5, False), (np.nan, False)])
def test_a_thing_stands_below_the_probability(probability: float, stands: bool) -> None:
    floor = np.full((HEIGHT, WIDTH), 0.95, np.float32)
    floor[40:50, THING] = probability
    assert mounted(EMPTY, floor).stands[40:50, THING].all() == stands
    assert mounted(EMPTY, floor).stands.any() == stands


@pytest.mark.parametrize(('share', 'stands'), [(1 / 32, True), (1 / 31, False)])
def test_small_areas_are_speckles(share: float, stands: bool) -> None:
    floor = np.full((HEIGHT, WIDTH), 0.95, np.float32)
    floor[40:49, 10:24] = 0.05  # 126 of 4,032 pixels
    evidence = mounted(EMPTY, floor, FloorConfig(obstacle_min_share=share))
    assert evidence.stands.any() == stands


def test_areas_that_touch_at_a_corner_are_two() -> None:
    floor = np.full((HEIGHT, WIDTH), 0.95, np.float32)
    floor[40:44, 10:14] = floor[44:48, 14:18] = 0.05
    config = FloorConfig(obstacle_min_share=20 / floor.size)
    assert not mounted(EMPTY, floor, config).stands.any()
    floor[44, 13] = 0.05
    assert mounted(EMPTY, floor, config).stands.sum() == 33


def test_a_thing_of_unknown_depth_stands_at_its_base() -> None:
    depth = EMPTY.copy()
    depth[20:46, THING] = np.nan
    depth[45, 30], depth[45, 31], depth[45, 32] = 0.0, -1.0, np.inf
    evidence = mounted(depth, with_thing(45))
    np.testing.assert_allclose(evidence.distance_m[31:46, THING], 1 / INVERSE[45, 30], rtol=1e-6)
    # Above the horizon there is no floor to compare with.
    assert np.isnan(evidence.distance_m[20:28, THING]).all()
    assert seen(depth, evidence).nearest_distance_m == pytest.approx(1 / INVERSE[45, 30])


def test_a_share_is_at_most_one() -> None:
    depth = np.full((HEIGHT, WIDTH), np.nan, np.float32)
    depth[:30] = 0.4
    everything = np.zeros((HEIGHT, WIDTH), np.float32)
    evidence = mounted(depth, everything)
    near = seen(depth, evidence, min_valid_fraction=0.5, near_distance_m=2.0)
    assert near.proximity == 1.0


def test_the_corridor_holds_for_the_nearer_distance() -> None:
    slope = np.zeros((HEIGHT, WIDTH), np.float32)
    slope[:, THING] = 0.6
    evidence = mounted(EMPTY, with_thing(45))
    beside_m = 0.6 / INVERSE[45, 30]  # where the top of the thing is, too, at its base's distance
    for width_m, inside in ((2.02 * beside_m, True), (1.98 * beside_m, False)):
        config = ProximityConfig(corridor_width_m=float(width_m))
        obstacle = obstacle_pixels(EMPTY, config, INVERSE, slope, evidence)
        assert obstacle[32:46, THING].all() == obstacle[32:46, THING].any() == inside


def test_near_pixels_are_those_that_count() -> None:
    evidence = mounted(EMPTY, with_thing(50))
    near = near_pixels(EMPTY, PROXIMITY, INVERSE, None, evidence)
    told = seen(EMPTY, evidence)
    assert near.mean() == pytest.approx(told.proximity)
    assert near[30:51, THING].all() and not near[:, :30].any()
    assert not near_pixels(EMPTY, PROXIMITY, INVERSE).any()


def test_relative_mode_takes_no_floor() -> None:
    config = ProximityConfig(proximity_mode='relative')
    depth = np.linspace(1, 5, EMPTY.size, dtype=np.float32).reshape(EMPTY.shape)
    evidence = mounted(EMPTY, with_thing(50))
    assert estimate_proximity(depth, config, None, None, evidence).proximity == (
        estimate_proximity(depth, config).proximity
    )


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_a_camera_on_its_side_sees_the_same(turns: int) -> None:
    floor = with_thing(HEIGHT - 1, columns=slice(0, 15))
    floor[30:40, 40:60] = 0.05
    upright = mounted(EMPTY, floor)
    turned_mounting = turn_mounting(MOUNTING, -turns)
    turned_camera = turn_intrinsics(CAMERA, -turns)
    evidence = floor_evidence(
        turn_picture(EMPTY, -turns),
        turn_picture(floor, -turns),
        CONFIG,
        TOLERANCE,
        turned_camera,
        turned_mounting,
        turn_picture(INVERSE, -turns),
    )
    assert evidence is not None
    for name in ('distance_m', 'stands', 'hidden_base'):
        there = turn_picture(getattr(evidence, name), turns)
        np.testing.assert_allclose(there, getattr(upright, name), rtol=1e-5)


def test_it_can_be_turned_off() -> None:
    off = FloorConfig(use_floor=False)
    assert floor_evidence(EMPTY, with_thing(45), off, 0.3, CAMERA, MOUNTING, INVERSE) is None


@pytest.mark.parametrize('mounting', [None, MOUNTING])
def test_a_floor_of_another_size_is_refused(mounting: CameraMounting | None) -> None:
    with pytest.raises(DepthShapeError, match=r'floor must be of the shape'):
        floor_evidence(EMPTY, free_floor()[1:], CONFIG, 0.3, CAMERA, mounting)


def test_evidence_of_another_size_is_refused() -> None:
    with pytest.raises(DepthShapeError, match='evidence'):
        estimate_proximity(EMPTY[1:], PROXIMITY, None, None, mounted(EMPTY, free_floor()))


def test_probabilities_that_cross_contradict_each_other() -> None:
    crossed = FloorConfig(floor_probability=0.6, obstacle_floor_probability=0.7)
    assert 'obstacle_floor_probability' in crossed.contradiction()
    assert not FloorConfig(floor_probability=0.7, obstacle_floor_probability=0.6).contradiction()


def test_a_scan_sees_what_depth_paints_into_the_floor() -> None:
    config = ScanConfig()
    free = depth_to_scan(EMPTY, CAMERA, config, MOUNTING)
    scan = depth_to_scan(EMPTY, CAMERA, config, MOUNTING, None, mounted(EMPTY, with_thing(45)))
    ahead = round(-scan.angle_min_rad / scan.angle_increment_rad)
    assert free.ranges_m[ahead] > 7.0
    assert scan.ranges_m[ahead] == pytest.approx(1 / INVERSE[45, 30], rel=0.01)
    assert scan.ranges_m[-5] == free.ranges_m[-5]  # beside it


# ---- the mounting is unknown


def low(height_m: float = 0.4, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> Map:
    """Return the depth of an empty floor before a wall 8 m away."""
    inverse = inverse_floor_depth(CAMERA, CameraMounting(height_m, pitch_deg, roll_deg))
    return np.minimum(1 / np.maximum(inverse, 1e-6), FAR_M).astype(np.float32)


def test_the_floor_itself_is_not_near_where_the_mounting_is_unknown() -> None:
    config = ProximityConfig(near_distance_m=1.5)
    assert estimate_proximity(EMPTY, config).proximity > 0.2
    evidence = unmounted(EMPTY, free_floor())
    assert evidence is not None and evidence.floor is not None
    np.testing.assert_array_equal(evidence.floor, free_floor() > 0.9)
    told = estimate_proximity(EMPTY, config, None, None, evidence)
    assert told.proximity == 0.0
    assert told.nearest_distance_m == pytest.approx(FAR_M, rel=0.15)


def test_a_thing_painted_into_the_floor_is_near_without_a_mounting_too() -> None:
    evidence = unmounted(EMPTY, with_thing(50))
    told = estimate_proximity(EMPTY, PROXIMITY, None, None, evidence)
    assert told.nearest_distance_m == pytest.approx(1 / INVERSE[50, 30], rel=0.02)


def test_a_scan_leaves_out_the_floor_where_the_mounting_is_unknown() -> None:
    config = ScanConfig(scan_band=1.0)
    floor = free_floor()
    beside = depth_to_scan(EMPTY, CAMERA, config)
    scan = depth_to_scan(EMPTY, CAMERA, config, None, None, unmounted(EMPTY, floor))
    ahead = round(-scan.angle_min_rad / scan.angle_increment_rad)
    assert beside.ranges_m[ahead] < 0.8 and scan.ranges_m[ahead] > 5.0


@pytest.mark.parametrize(
    ('claim', 'depth'),
    [
        (
            1.0,
            np.full((HEIGHT, WIDTH), 0.4, np.float32),
        ),  # a wall that the network takes for floor
        (1.0, np.full((HEIGHT, WIDTH), np.nan, np.float32)),
        (0.0, EMPTY),
        (np.nan, EMPTY),
        (0.899, EMPTY),
        (1.0, EMPTY[::-1].copy()),  # a ceiling
        (1.0, np.random.default_rng(1).uniform(0.2, 5, EMPTY.shape).astype(np.float32)),
    ],
)
def test_a_claim_without_evidence_changes_nothing(claim: float, depth: Map) -> None:
    assert unmounted(depth, np.full(depth.shape, claim, np.float32)) is None


def test_chance_is_no_evidence() -> None:
    floor = np.random.default_rng(0).uniform(0, 1, EMPTY.shape).astype(np.float32)
    assert unmounted(EMPTY, floor) is None
    # Where less of it says that something stands there, all of that is speckles.
    assert not mounted(EMPTY, floor, FloorConfig(obstacle_floor_probability=0.2)).stands.any()


def test_a_thing_in_front_of_the_plane_stays_even_where_the_network_claims_floor() -> None:
    depth = EMPTY.copy()
    depth[36:50, THING] = 0.5 * (1 - TOLERANCE) * EMPTY[36:50, THING]
    claimed = np.where(INVERSE > 1 / FAR_M, 1, 0).astype(np.float32)
    evidence = unmounted(depth, claimed)
    assert evidence is not None and evidence.floor is not None
    assert not evidence.floor[36:50, THING].any() and evidence.floor[50:].all()
    with_it = estimate_proximity(depth, PROXIMITY, None, None, evidence)
    assert with_it.nearest_distance_m <= depth[40, 35]


def test_floor_beyond_a_gap_is_not_claimed() -> None:
    floor = free_floor()
    floor[40:42] = 0.7
    evidence = unmounted(EMPTY, floor)
    assert evidence is not None and evidence.floor is not None
    assert evidence.floor[42:].all() and not evidence.floor[:42].any()


@pytest.mark.parametrize(('rows', 'enough'), [(3, True), (2, False)])
def test_a_claim_takes_a_twentieth_of_the_picture(rows: int, enough: bool) -> None:
    floor = np.full(EMPTY.shape, 0.7, np.float32)
    floor[HEIGHT - rows :] = 1.0
    assert (unmounted(EMPTY, floor) is not None) == enough


@pytest.mark.parametrize(('bad_columns', 'enough'), [(14, True), (15, False)])
def test_most_of_a_claim_lies_on_the_plane(bad_columns: int, enough: bool) -> None:
    floor = np.full(EMPTY.shape, 0.7, np.float32)
    floor[40:] = 1.0
    depth = EMPTY.copy()
    depth[:, : 5 * bad_columns : 5] *= 2
    assert (unmounted(depth, floor) is not None) == enough


@pytest.mark.parametrize(('bad_columns', 'enough'), [(14, True), (15, False)])
def test_most_of_a_claim_has_a_depth(bad_columns: int, enough: bool) -> None:
    floor = np.full(EMPTY.shape, 0.7, np.float32)
    floor[40:] = 1.0
    depth = EMPTY.copy()
    depth[:, :bad_columns] = np.nan
    assert (unmounted(depth, floor) is not None) == enough


@pytest.mark.parametrize(
    ('height_m', 'pitch_deg', 'roll_deg', 'is_floor'),
    [
        (0.4, 59, 0, True),
        (0.4, 61, 0, False),
        (0.4, -19, 0, True),
        (0.4, 20, 24, True),
        (0.4, 20, 26, False),
        (0.4, 20, -24, True),
        (0.4, 20, -26, False),
        (0.051, 20, 0, True),
        (0.049, 20, 0, False),
        (2.45, 40, 0, True),
        (2.55, 40, 0, False),
    ],
)
def test_a_plane_of_a_floor(
    height_m: float, pitch_deg: float, roll_deg: float, is_floor: bool
) -> None:
    depth = low(height_m, pitch_deg, roll_deg)
    claim = np.where(depth < FAR_M, 1, 0).astype(np.float32)
    assert (unmounted(depth, claim) is not None) == is_floor


@pytest.mark.parametrize(('tilt_deg', 'is_floor'), [(-29.0, True), (-31.0, False)])
def test_a_camera_that_looks_up_sees_little_floor(tilt_deg: float, is_floor: bool) -> None:
    wide = CameraIntrinsics(20.0, 20.0, 35.5, 27.5, WIDTH, HEIGHT)
    inverse = inverse_floor_depth(wide, CameraMounting(0.4, tilt_deg))
    depth = np.minimum(1 / np.maximum(inverse, 1e-6), FAR_M).astype(np.float32)
    claim = np.where(depth < FAR_M, 1, 0).astype(np.float32)
    evidence = floor_evidence(depth, claim, CONFIG, TOLERANCE, wide)
    assert (evidence is not None) == is_floor


depths = arrays.arrays(
    np.float32,
    (14, 18),
    elements=st.one_of(
        st.floats(0.125, 9.0, width=32), st.sampled_from([np.nan, np.inf, 0.0, -1.0])
    ),
)
floors = arrays.arrays(
    np.float32, (14, 18), elements=st.one_of(st.floats(0, 1, width=32), st.just(np.nan))
)
SMALL = CAMERA.scaled_to(18, 14)
SMALL_INVERSE = inverse_floor_depth(SMALL, MOUNTING)
ANY_VALID = ProximityConfig(min_valid_fraction=0.01)


@settings(max_examples=40, deadline=None)
@given(depth=depths, floor=floors, share=st.sampled_from([0.0, 0.01, 0.1]))
def test_with_the_mounting_nothing_is_told_farther_than_by_depth_alone(
    depth: Map, floor: Map, share: float
) -> None:
    config = FloorConfig(obstacle_min_share=share)
    evidence = floor_evidence(depth, floor, config, TOLERANCE, SMALL, MOUNTING, SMALL_INVERSE)
    assert evidence is not None
    alone = estimate_proximity(depth, ANY_VALID, SMALL_INVERSE)
    both = estimate_proximity(depth, ANY_VALID, SMALL_INVERSE, None, evidence)
    assert both.valid_fraction == alone.valid_fraction and both.is_known == alone.is_known
    if alone.is_known:
        assert both.nearest_distance_m <= alone.nearest_distance_m
        assert alone.proximity <= both.proximity <= 1
    known = np.isfinite(depth) & (depth > 0)
    assert (evidence.distance_m[known] <= depth[known]).all()
    assert (np.isfinite(evidence.distance_m) | ~known).all()


@settings(max_examples=40, deadline=None)
@given(depth=depths, floor=st.one_of(floors, st.just(np.ones((14, 18), np.float32))))
def test_without_a_mounting_only_claimed_floor_on_a_plane_is_left_out(
    depth: Map, floor: Map
) -> None:
    evidence = floor_evidence(depth, floor, CONFIG, TOLERANCE, SMALL)
    if evidence is None:
        return
    assert evidence.floor is not None
    assert (floor[evidence.floor] >= CONFIG.floor_probability).all()
    kept = obstacle_pixels(depth, ANY_VALID, None, None, evidence)
    known = np.isfinite(depth) & (depth > 0)
    assert (kept[known] == ~evidence.floor[known]).all()


@settings(max_examples=20, deadline=None)
@given(wall_m=st.floats(0.15, 6.0), slant=st.floats(-0.4, 0.4))
def test_a_wall_stays_near_whatever_the_network_claims(wall_m: float, slant: float) -> None:
    depth = (wall_m / (1 + slant * CAMERA.rays()[..., 0])).astype(np.float32)
    everything = np.ones((HEIGHT, WIDTH), np.float32)
    alone = estimate_proximity(depth, PROXIMITY)
    both = estimate_proximity(depth, PROXIMITY, None, None, unmounted(depth, everything))
    assert both.nearest_distance_m == alone.nearest_distance_m
    assert both.proximity == alone.proximity
