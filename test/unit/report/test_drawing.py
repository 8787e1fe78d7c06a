# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

from fcrn_depth_ros.alert.verdict import AlertState
from fcrn_depth_ros.perception.proximity import ProximityConfig, ProximityEstimate
from fcrn_depth_ros.report.contact_sheet import (
    contact_sheet,
    DepthColors,
    SheetMoment,
    TimelinePoint,
)
from fcrn_depth_ros.report.drawing import (
    COLOR_MAPS,
    colorize_depth,
    draw_banner,
    draw_near_pixels,
    draw_proximity,
    draw_relative,
    format_distance,
    STATE_COLORS,
)
import numpy as np
import pytest

NAN = math.nan
GREY = np.full((60, 80, 3), 128, np.uint8)


def depth(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


@pytest.mark.parametrize('color_map', COLOR_MAPS)
def test_near_and_far_have_fixed_colors(color_map: str) -> None:
    below, near, middle, far, beyond = colorize_depth(
        depth(0.1, 0.5, 2.0, 4.0, 40.0), 0.5, 4.0, color_map
    )[0]
    assert (below == near).all()
    assert (far == beyond).all()
    assert (near != far).any() and (near != middle).any() and (middle != far).any()
    assert near.astype(int).sum() > 0


def test_color_of_a_distance_does_not_depend_on_the_rest_of_the_frame() -> None:
    alone = colorize_depth(depth(1.3), 0.2, 5.0)[0, 0]
    among_others = colorize_depth(depth(0.2, 1.3, 30.0), 0.2, 5.0)[0, 1]
    assert (alone == among_others).all()


def test_turbo_draws_near_red_and_far_blue() -> None:
    near, far = colorize_depth(depth(0.6, 4.4), 0.2, 5.0, 'turbo')[0].astype(int)
    assert near[0] > near[2] + 100
    assert far[2] > far[0] + 50


def test_gray_is_bright_where_it_is_near() -> None:
    picture = colorize_depth(depth(0.2, 5.0), 0.2, 5.0, 'gray')
    assert picture.tolist() == [[[255] * 3, [0] * 3]]


@pytest.mark.parametrize('unknown', [NAN, math.inf, -math.inf, 0.0, -1.0])
def test_unknown_is_hatched_in_greys_that_no_map_draws(unknown: float) -> None:
    hatched = colorize_depth(np.full((16, 16), unknown, np.float32), 0.2, 5.0, 'turbo')
    greys = {tuple(pixel) for pixel in hatched.reshape(-1, 3)}
    assert len(greys) == 2
    drawn = colorize_depth(np.linspace(0.1, 6, 2000, dtype=np.float32)[None], 0.2, 5.0, 'turbo')
    assert not greys & {tuple(pixel) for pixel in drawn.reshape(-1, 3)}


def test_a_mixed_frame_keeps_known_pixels_beside_unknown_ones() -> None:
    mixed = colorize_depth(depth(1.0, NAN), 0.2, 5.0)
    assert (mixed[0, 0] == colorize_depth(depth(1.0), 0.2, 5.0)[0, 0]).all()
    assert mixed.dtype == np.uint8 and mixed.shape == (1, 2, 3)


def test_an_unknown_color_map_is_a_key_error() -> None:
    with pytest.raises(KeyError, match='rainbow2'):
        colorize_depth(depth(1.0), 0.2, 5.0, 'rainbow2')


def test_near_pixels_are_tinted_at_any_size_and_the_image_is_left_alone() -> None:
    near = np.zeros((6, 8), bool)
    near[:, :4] = True
    tinted = draw_near_pixels(GREY, near)
    assert tinted[30, 10, 0] > 180 and tinted[30, 10, 1] < 100
    assert (tinted[30, 70] == 128).all()
    assert (GREY == 128).all()


@pytest.mark.parametrize(
    ('near', 'proximity', 'expected'),
    [
        (True, 0.3, STATE_COLORS[AlertState.STOP]),
        (False, 0.0, STATE_COLORS[AlertState.CLEAR]),
        (True, NAN, (110, 118, 129)),
    ],
)
def test_proximity_outlines_the_region_in_the_color_of_the_answer(
    near: bool, proximity: float, expected: tuple[int, int, int]
) -> None:
    config = ProximityConfig(roi_left=0.25, roi_right=0.75, roi_top=0.5, roi_bottom=0.8)
    picture = draw_proximity(GREY, ProximityEstimate(proximity, 0.8, 0.9), config, near)
    assert tuple(picture[30, 40]) == expected  # the upper edge of the region
    assert tuple(picture[10, 40]) == (128, 128, 128)  # outside of it
    assert tuple(picture[40, 40]) == (128, 128, 128)  # inside of it
    assert tuple(picture[59, 79]) == expected  # the banner
    assert (GREY == 128).all()


def test_relative_mode_has_no_distance_to_write() -> None:
    config = ProximityConfig(proximity_mode='relative')
    with_distance = draw_proximity(GREY, ProximityEstimate(0.1, 0.8, 1.0), config, True)
    without = draw_proximity(GREY, ProximityEstimate(0.1, NAN, 1.0), config, True)
    assert (with_distance != without).any()


@pytest.mark.parametrize(
    ('distance_m', 'expected'),
    [
        (0.836, '0.84 m'),
        (9.99, '9.99 m'),
        (10.0, '> 10 m'),
        (NAN, 'unknown'),
    ],
)
def test_distances_are_written_for_people(distance_m: float, expected: str) -> None:
    assert format_distance(distance_m, 10.0) == expected


def test_every_state_has_a_color() -> None:
    assert set(STATE_COLORS) == set(AlertState)


@pytest.mark.parametrize('shape', [(1, 1), (12, 16), (60, 80), (480, 640)])
def test_banner_fits_any_picture(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    picture = draw_banner(image, 'a text that is much longer than the picture is wide', (9, 8, 7))
    assert picture.shape == image.shape
    assert (picture[-1, 0] == (9, 8, 7)).all()


def sheet_of(moments: int, timeline: list[TimelinePoint]) -> np.ndarray:
    panels = [np.full((30, 40, 3), value, np.uint8) for value in (10, 120, 250)]
    return contact_sheet(
        'title',
        'subtitle',
        ('one', 'two', 'three'),
        [SheetMoment(float(index), panels) for index in range(moments)],
        timeline,
        DepthColors(),
    )


def test_contact_sheet_shows_every_panel_and_grows_with_the_moments() -> None:
    narrow, wide = sheet_of(2, []), sheet_of(5, [])
    assert wide.shape[0] == narrow.shape[0] and wide.shape[1] > narrow.shape[1]
    for value in (10, 120, 250):
        panels = np.all(wide == value, axis=2).sum() / (320 * 240)
        assert 4.9 < panels <= 5.1  # a tag covers a little of the first one


def test_timeline_draws_each_state_and_leaves_a_gap_where_unknown() -> None:
    known = [
        TimelinePoint(t / 10, 1.0, AlertState.STOP if t < 50 else AlertState.CLEAR)
        for t in range(100)
    ]
    unknown = [TimelinePoint(point.time_s, NAN, point.state) for point in known]
    drawn, gap = sheet_of(3, known), sheet_of(3, unknown)
    line = np.all(drawn == (255, 214, 10), axis=2)
    assert line.any()
    assert not np.all(gap == (255, 214, 10), axis=2).any()
    for state in (AlertState.STOP, AlertState.CLEAR):
        assert np.all(drawn == STATE_COLORS[state], axis=2).any()
    assert not np.all(drawn == STATE_COLORS[AlertState.CAUTION], axis=2).any()


@pytest.mark.parametrize(
    ('polarity', 'expected'),
    [('far_is_high', [255, 128, 0, 255, 0]), ('near_is_high', [0, 128, 255, 0, 255])],
)
def test_the_relative_rule_is_drawn_between_the_extremes_of_its_region(
    polarity: str, expected: list[int]
) -> None:
    config = ProximityConfig(
        proximity_mode='relative', relative_polarity=polarity, roi_top=0.0, roi_bottom=0.5
    )
    values = np.array([[2.0, 3.0, 4.0, NAN, 0.0], [1.0, 9.0, 5000.0, 2.0, 4.0]], np.float32)
    drawn = draw_relative(values, config)
    assert (drawn[..., 0] == drawn[..., 2]).all()
    greys = drawn[..., 0].astype(int)
    first = [greys[0, i] for i in range(3)] + [greys[1, i] for i in (3, 4)]
    assert np.abs(np.array(first) - expected).max() <= 1
    # Beyond the extremes it stays; unknown is hatched, as anywhere.
    ends = {expected[0], expected[2]}
    assert {greys[1, 0], greys[1, 1], greys[1, 2]} <= ends
    assert set(greys[0, 3:]) <= {38, 82}


@pytest.mark.parametrize('value', [NAN, 2.0])
def test_a_map_without_extremes_is_drawn_all_the_same(value: float) -> None:
    config = ProximityConfig(proximity_mode='relative')
    drawn = draw_relative(np.full((4, 4), value, np.float32), config)
    assert (drawn == 255).all() if value == value else set(drawn.ravel()) <= {38, 82}
