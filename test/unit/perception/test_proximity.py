# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What is near: table tests on both sides of every bound, and properties of any depth map."""

import math

from fcrn_depth_ros.errors import ConfigurationError, DepthShapeError
from fcrn_depth_ros.perception.proximity import (
    estimate_proximity,
    near_pixels,
    ProximityConfig,
    ProximityEstimate,
)
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

METRIC = ProximityConfig()


def wall(depth_m, height=20, width=50):
    """Make a flat depth map: 1,000 pixels, so a percentile of 0.5 is 5 of them."""
    return np.full((height, width), depth_m, np.float32)


def with_pixels(depth, count, value):
    """Change the first `count` pixels."""
    depth.ravel()[:count] = value
    return depth


@pytest.mark.parametrize(('depth_m', 'share'), [(0.999, 1.0), (1.0, 0.0), (1.001, 0.0)])
def test_a_pixel_is_near_below_the_near_distance(depth_m, share):
    assert estimate_proximity(wall(depth_m), METRIC).proximity == share


def test_proximity_is_the_share_of_valid_pixels():
    depth = with_pixels(wall(3.0), 200, np.nan)
    depth[-1, :40] = 0.5
    estimate = estimate_proximity(depth, METRIC)
    assert estimate.proximity == pytest.approx(40 / 800)
    assert estimate.valid_fraction == pytest.approx(0.8)


@pytest.mark.parametrize('unknown', [np.nan, np.inf, -np.inf, 0.0, -1.0])
@pytest.mark.parametrize(('unknown_pixels', 'known'), [(300, True), (301, False)])
def test_too_few_valid_pixels_are_unknown_never_clear(unknown, unknown_pixels, known):
    estimate = estimate_proximity(with_pixels(wall(5.0), unknown_pixels, unknown), METRIC)
    assert estimate.is_known is known
    assert estimate.valid_fraction == pytest.approx(1 - unknown_pixels / 1000)
    if known:
        assert estimate.nearest_distance_m == pytest.approx(5.0)
        assert estimate.proximity == 0.0
    else:
        assert math.isnan(estimate.proximity)
        assert math.isnan(estimate.nearest_distance_m)


@pytest.mark.parametrize(('pixels', 'nearest_m'), [(1, 4.0), (4, 4.0), (5, 0.3), (10, 0.3)])
def test_a_chair_leg_is_seen_and_a_few_wrong_pixels_are_not(pixels, nearest_m):
    estimate = estimate_proximity(with_pixels(wall(4.0), pixels, 0.3), METRIC)
    assert estimate.nearest_distance_m == pytest.approx(nearest_m)


def test_the_percentile_counts_all_valid_pixels_not_only_obstacles():
    inverse_floor_depth = np.full((20, 50), 0.5, np.float32)  # floor 2 m away everywhere
    noise_on_empty_floor = with_pixels(wall(2.0), 4, 0.3)
    estimate = estimate_proximity(noise_on_empty_floor, METRIC, inverse_floor_depth)
    assert estimate.nearest_distance_m == METRIC.max_range_m
    assert estimate.proximity == pytest.approx(0.004)


@pytest.mark.parametrize(('pixels', 'nearest_m'), [(3, 4.0), (4, 0.3)])
def test_on_a_small_map_four_pixels_make_an_obstacle(pixels, nearest_m):
    estimate = estimate_proximity(with_pixels(wall(4.0, 10, 10), pixels, 0.3), METRIC)
    assert estimate.nearest_distance_m == pytest.approx(nearest_m)


def test_a_single_pixel_is_a_map_too():
    estimate = estimate_proximity(wall(0.4, 1, 1), METRIC)
    assert (estimate.proximity, estimate.valid_fraction) == (1.0, 1.0)
    assert estimate.nearest_distance_m == pytest.approx(0.4)


@pytest.mark.parametrize(('percentile', 'rank'), [(50.0, 500), (10.0, 100), (10.01, 101)])
def test_the_percentile_is_a_rank(percentile, rank):
    depth = np.linspace(2.0, 3.998, 1000)
    shuffled = np.random.default_rng(0).permutation(depth).reshape(20, 50)
    config = ProximityConfig(nearest_percentile=percentile)
    assert estimate_proximity(shuffled, config).nearest_distance_m == depth[rank - 1]


def test_the_nearest_distance_ends_at_the_maximum_range():
    assert estimate_proximity(wall(30.0), METRIC).nearest_distance_m == METRIC.max_range_m


@pytest.mark.parametrize(('depth_m', 'near'), [(0.69, True), (0.71, False)])
def test_floor_is_never_near_but_what_stands_on_it_is(depth_m, near):
    inverse_floor_depth = np.ones((20, 50), np.float32)  # floor 1 m away, tolerance 30 %
    estimate = estimate_proximity(wall(depth_m), METRIC, inverse_floor_depth)
    assert estimate.proximity == (1.0 if near else 0.0)
    assert estimate.nearest_distance_m == pytest.approx(depth_m if near else METRIC.max_range_m)
    assert estimate.valid_fraction == 1.0


def test_the_bounds_of_floor_and_corridor_belong_to_them():
    config = ProximityConfig(floor_tolerance=0.25, corridor_width_m=0.5)
    floor = np.ones((20, 50), np.float32)
    assert estimate_proximity(wall(0.75), config, floor).proximity == 0.0
    slopes = np.full((20, 50), 0.5, np.float32)
    assert estimate_proximity(wall(0.5), config, lateral_slope=slopes).proximity == 1.0


def test_above_the_horizon_nothing_is_floor():
    estimate = estimate_proximity(wall(0.9), METRIC, np.zeros((20, 50), np.float32))
    assert estimate.proximity == 1.0


def test_unknown_pixels_over_floor_raise_no_warning_and_stay_unknown():
    depth = with_pixels(with_pixels(wall(3.0), 250, np.nan), 100, np.inf)
    estimate = estimate_proximity(
        depth, METRIC, np.zeros((20, 50), np.float32), np.zeros((20, 50), np.float32)
    )
    assert estimate.valid_fraction == pytest.approx(0.75)
    assert estimate.nearest_distance_m == pytest.approx(3.0)


@pytest.mark.parametrize('unknown', [0.0, -1.0, math.nan, math.inf])
def test_unknown_pixels_over_floor_are_no_obstacle(unknown):
    floor = np.full((20, 50), 0.1, np.float32)
    estimate = estimate_proximity(with_pixels(wall(3.0), 200, unknown), METRIC, floor)
    assert estimate.nearest_distance_m == pytest.approx(3.0)


@pytest.mark.parametrize(
    ('slope', 'near'), [(0.49, True), (-0.49, True), (0.51, False), (-0.51, False)]
)
def test_only_the_corridor_is_in_the_way(slope, near):
    config = ProximityConfig(corridor_width_m=0.8)
    slopes = np.full((20, 50), slope, np.float32)
    estimate = estimate_proximity(wall(0.8), config, lateral_slope=slopes)
    assert estimate.proximity == (1.0 if near else 0.0)
    assert estimate.nearest_distance_m == pytest.approx(0.8 if near else config.max_range_m)


def test_a_corridor_without_intrinsics_leaves_nothing_out():
    assert estimate_proximity(wall(0.8), ProximityConfig(corridor_width_m=0.1)).proximity == 1.0


def test_without_a_corridor_the_slope_leaves_nothing_out():
    slopes = np.full((20, 50), 9.0, np.float32)
    assert estimate_proximity(wall(0.8), METRIC, lateral_slope=slopes).proximity == 1.0


@pytest.mark.parametrize(
    ('edges', 'share'),
    [
        ({'roi_left': 0.5}, 1.0),
        ({'roi_right': 0.5}, 0.0),
        ({'roi_left': 0.25, 'roi_right': 0.75}, 0.5),
        ({'roi_top': 0.5}, 0.5),
        ({'roi_left': 0.49}, 25 / 26),
        ({'roi_right': 0.51}, 1 / 26),
    ],
)
def test_only_the_region_of_interest_counts(edges, share):
    depth = wall(3.0)
    depth[:, 25:] = 0.5
    estimate = estimate_proximity(depth, ProximityConfig(**edges))
    assert estimate.proximity == pytest.approx(share)


@pytest.mark.parametrize(
    ('edges', 'share'),
    [({'roi_top': 0.5}, 1.0), ({'roi_bottom': 0.5}, 0.0), ({'roi_left': 0.2}, 0.5)],
)
def test_the_region_of_interest_has_rows(edges, share):
    depth = wall(3.0)
    depth[10:] = 0.5
    inverse_floor_depth = np.zeros((20, 50), np.float32)
    slopes = np.zeros((20, 50), np.float32)
    config = ProximityConfig(corridor_width_m=1.0, **edges)
    estimate = estimate_proximity(depth, config, inverse_floor_depth, slopes)
    assert estimate.proximity == pytest.approx(share)


def test_a_tiny_region_still_holds_a_pixel():
    config = ProximityConfig(roi_left=0.5, roi_right=0.501, roi_top=0.5, roi_bottom=0.501)
    assert estimate_proximity(wall(0.5), config).valid_fraction == 1.0


RELATIVE_FAR_HIGH = ProximityConfig(proximity_mode='relative')
RELATIVE_NEAR_HIGH = ProximityConfig(proximity_mode='relative', relative_polarity='near_is_high')


def ramp(values):
    """Make a one-row map."""
    return np.array([values], np.float32)


@pytest.mark.parametrize(
    ('config', 'values', 'share'),
    [
        # stretched: 0, 0.25, 0.5, 1
        (RELATIVE_NEAR_HIGH, [1.0, 2.0, 3.0, 5.0], 2 / 4),
        (RELATIVE_FAR_HIGH, [1.0, 2.0, 3.0, 5.0], 3 / 4),
        # a value that is not positive is not stretched, not near, but counts in the mean
        (RELATIVE_NEAR_HIGH, [1.0, 5.0, 5.0, 0.0], 2 / 4),
        (RELATIVE_FAR_HIGH, [1.0, 1.0, 5.0, -3.0], 2 / 4),
        (RELATIVE_FAR_HIGH, [1.0, 1.0, 5.0, math.nan], 2 / 4),
    ],
)
def test_relative_mode_is_the_phone_rule(config, values, share):
    estimate = estimate_proximity(ramp(values), config)
    assert estimate.proximity == share
    assert math.isnan(estimate.nearest_distance_m)
    assert estimate.valid_fraction == sum(value > 0 for value in values) / 4


@pytest.mark.parametrize(('near_value', 'share'), [(0.25, 3 / 4), (0.26, 2 / 4), (1.0, 1 / 4)])
def test_relative_near_value_moves_the_split(near_value, share):
    config = ProximityConfig(
        proximity_mode='relative', relative_polarity='near_is_high', relative_near_value=near_value
    )
    assert estimate_proximity(ramp([1.0, 2.0, 3.0, 5.0]), config).proximity == share


def test_a_featureless_relative_map_is_unknown():
    assert not estimate_proximity(wall(2.0), RELATIVE_FAR_HIGH).is_known


def test_a_relative_map_without_positive_values_is_unknown():
    assert not estimate_proximity(wall(-2.0), RELATIVE_FAR_HIGH).is_known


@pytest.mark.parametrize(
    'depth',
    [
        np.zeros((2, 2, 1), np.float32),
        np.zeros(4, np.float32),
        np.zeros((0, 4), np.float32),
        np.zeros((4, 0), np.float32),
        np.full((4, 4), 900, np.uint16),
    ],
)
def test_what_is_not_a_depth_map_is_refused(depth):
    with pytest.raises(DepthShapeError, match='depth_m must be a 2-D array of float'):
        estimate_proximity(depth, METRIC)


def test_maps_of_another_size_are_refused():
    with pytest.raises(DepthShapeError, match=r'inverse_floor_depth must be of shape \(20, 50\)'):
        estimate_proximity(wall(1.0), METRIC, np.zeros((20, 49)))
    with pytest.raises(DepthShapeError, match=r'lateral_slope must be of shape \(20, 50\)'):
        estimate_proximity(wall(1.0), METRIC, lateral_slope=np.zeros(50))
    with pytest.raises(DepthShapeError, match='inverse_floor_depth'):
        near_pixels(wall(1.0), METRIC, np.zeros((20, 49)))
    with pytest.raises(DepthShapeError, match='lateral_slope'):
        near_pixels(wall(1.0), METRIC, lateral_slope=np.zeros(50))


def test_strided_and_double_maps_give_the_same():
    depth = np.linspace(0.5, 4.0, 1000, dtype=np.float64).reshape(20, 50)
    straight = estimate_proximity(depth.astype(np.float32), METRIC)
    strided = estimate_proximity(np.repeat(depth, 2, axis=1)[:, ::2], METRIC)
    assert strided.proximity == straight.proximity
    assert strided.nearest_distance_m == pytest.approx(straight.nearest_distance_m)


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        ({'roi_left': 0.6, 'roi_right': 0.6}, 'roi_left must be below roi_right'),
        ({'roi_top': 0.9, 'roi_bottom': 0.1}, 'roi_top must be below roi_bottom'),
        (
            {'near_distance_m': 3.0, 'max_range_m': 2.9},
            'near_distance_m must be at most max_range_m',
        ),
    ],
)
def test_contradictory_settings_name_both(change, text):
    assert ProximityConfig(**change).contradiction().startswith(text)


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        ({'proximity_mode': 'iOS'}, 'proximity_mode must be one of'),
        ({'min_valid_fraction': 0.0}, 'min_valid_fraction must be'),
        ({'nearest_percentile': 50.1}, 'nearest_percentile must be'),
    ],
)
def test_bad_values_are_refused(change, text):
    with pytest.raises(ConfigurationError, match=text):
        ProximityConfig(**change)


@pytest.mark.parametrize(
    'change',
    [
        {},
        {'near_distance_m': 2.0, 'max_range_m': 2.0},
        {'roi_left': 0.599, 'roi_right': 0.6},
        {'roi_top': 0.0, 'roi_bottom': 0.001},
    ],
)
def test_settings_that_just_agree(change):
    assert ProximityConfig(**change).contradiction() == ''


@pytest.mark.parametrize(
    ('config', 'share', 'near'),
    [
        (ProximityConfig(near_threshold=0.1), 0.1, False),
        (ProximityConfig(near_threshold=0.1), 0.11, True),
        (ProximityConfig(near_threshold=0.1), math.nan, True),
        (RELATIVE_FAR_HIGH, 0.35, False),
        (RELATIVE_FAR_HIGH, 0.36, True),
    ],
)
def test_a_frame_is_near_above_the_threshold_and_when_unknown(config, share, near):
    assert ProximityEstimate(share, math.nan, 1.0).is_near(config) is near


def test_near_pixels_are_those_that_are_counted():
    depth = wall(3.0)
    depth[:, 30:] = 0.5
    depth[:5, 40:] = np.nan
    floor = np.zeros((20, 50), np.float32)
    floor[10:] = 2.0  # the floor is 0.5 m away there
    slope = np.tile(np.linspace(0, 2, 50, dtype=np.float32), (20, 1))
    config = ProximityConfig(corridor_width_m=1.6, roi_top=0.1, min_valid_fraction=0.1)
    near = near_pixels(depth, config, floor, slope)
    expected = np.zeros((20, 50), bool)
    expected[2:10, 30:] = slope[2:10, 30:] * 0.5 <= 0.8
    expected[:5, 40:] = False
    np.testing.assert_array_equal(near, expected)
    estimate = estimate_proximity(depth, config, floor, slope)
    assert near.sum() / np.isfinite(depth[2:]).sum() == pytest.approx(estimate.proximity)


@pytest.mark.parametrize('config', [RELATIVE_FAR_HIGH, RELATIVE_NEAR_HIGH])
def test_near_pixels_of_a_relative_map(config):
    depth = ramp([1.0, 2.0, 3.0, 5.0, 0.0, math.inf, 4.0, 4.5, 3.5, 2.5])
    share = estimate_proximity(depth, config).proximity
    near = near_pixels(depth, config)
    assert near.dtype == np.bool_ and near.sum() / 10 == share
    assert not near[0, 4:6].any()
    assert not near_pixels(wall(2.0), config).any()
    assert not near_pixels(wall(math.nan), config).any()


@pytest.mark.parametrize(('depth_m', 'near'), [(0.999, True), (1.0, False)])
def test_the_near_distance_bounds_the_near_pixels(depth_m, near):
    assert near_pixels(wall(depth_m), METRIC).all() == near


depth_values = st.one_of(
    st.floats(0.0625, 20.0, width=32), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -1.0])
)


@settings(deadline=None)
@given(st.lists(depth_values, min_size=1, max_size=60))
def test_any_map_gives_a_share_and_a_bounded_distance_or_unknown(values):
    depth = np.array([values], np.float32)
    estimate = estimate_proximity(depth, METRIC)
    valid = depth[np.isfinite(depth) & (depth > 0)]
    assert estimate.is_known == (valid.size / depth.size >= METRIC.min_valid_fraction)
    if estimate.is_known:
        assert 0.0 <= estimate.proximity <= 1.0
        assert valid.min() <= max(estimate.nearest_distance_m, valid.min())
        assert 0.0 < estimate.nearest_distance_m <= METRIC.max_range_m
    else:
        assert math.isnan(estimate.nearest_distance_m)


@settings(deadline=None)
@given(st.lists(st.floats(0.0625, 20.0, width=32), min_size=4, max_size=60), st.data())
def test_moving_a_surface_nearer_never_looks_farther(values, data):
    index = data.draw(st.integers(0, len(values) - 1))
    before = estimate_proximity(np.array([values], np.float32), METRIC)
    values[index] /= 2
    after = estimate_proximity(np.array([values], np.float32), METRIC)
    assert after.nearest_distance_m <= before.nearest_distance_m
    assert after.proximity >= before.proximity
