# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Near, too fast, coming too fast: tables on both sides of each bound, counted both ways."""

import math

from fcrn_depth_ros.alert.obstacle import ObstacleConfig, ObstacleRule, SeverityDebounce
from fcrn_depth_ros.alert.source_watch import RangeReading
from fcrn_depth_ros.alert.verdict import AlertState
from fcrn_depth_ros.errors import ConfigurationError
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

CLEAR, CAUTION, STOP = AlertState.CLEAR, AlertState.CAUTION, AlertState.STOP
LETTERS = {CLEAR: '.', CAUTION: 'c', STOP: 'S'}
# Each reading counts, and nothing but distances does.
PLAIN = ObstacleConfig(trigger_count=1, release_count=1, ttc_stop_s=0.0)
FAR_M = 5.0


def states(config, distances_m, speed_mps=0.0, extra_m=0.0, period_s=0.1):
    """Feed distances to a fresh rule, and collect the state after each as a letter."""
    rule = ObstacleRule(config)
    said = ''
    for index, distance_m in enumerate(distances_m):
        reading = RangeReading(distance_m, 0.1, 10.0, 1)
        rule.hear(index * period_s, reading, speed_mps, extra_m)
        said += LETTERS[rule.verdict().state]
    return said


@pytest.mark.parametrize(
    ('distance_m', 'state'), [(0.49, 'S'), (0.5, 'c'), (1.19, 'c'), (1.2, '.'), (10.0, '.')]
)
def test_it_gets_worse_below_the_trip_distances(distance_m, state):
    assert states(PLAIN, [FAR_M, distance_m]) == '.' + state


@pytest.mark.parametrize(
    ('distance_m', 'state'), [(0.5, 'S'), (0.64, 'S'), (0.65, 'c'), (1.39, 'c'), (1.4, '.')]
)
def test_it_gets_better_beyond_the_release_distances(distance_m, state):
    assert states(PLAIN, [0.3, distance_m]) == 'S' + state


@pytest.mark.parametrize(('distance_m', 'state'), [(1.39, 'c'), (1.4, '.')])
def test_caution_has_its_own_release(distance_m, state):
    assert states(PLAIN, [FAR_M, 1.1, distance_m]) == '.c' + state


@pytest.mark.parametrize(
    ('distance_m', 'trip'), [(0.74, 'S'), (0.75, 'c'), (1.44, 'c'), (1.45, '.')]
)
def test_an_unverified_scale_moves_every_trip_distance(distance_m, trip):
    assert states(PLAIN, [FAR_M, distance_m], extra_m=0.25) == '.' + trip


@pytest.mark.parametrize(
    ('distance_m', 'state'), [(0.89, 'S'), (0.9, 'c'), (1.64, 'c'), (1.65, '.')]
)
def test_an_unverified_scale_moves_every_release_distance(distance_m, state):
    assert states(PLAIN, [0.3, distance_m], extra_m=0.25) == 'S' + state


@pytest.mark.parametrize(('distance_m', 'state'), [(2.84, 'c'), (2.86, '.')])
def test_a_fast_robot_is_cautious_earlier(distance_m, state):
    needed_m = 0.4 * 1.4 + 1.4**2 / (2 * 0.5) + 0.25  # 2.77 m
    assert needed_m == pytest.approx(2.77)
    extra_m = 2.85 - needed_m
    assert states(PLAIN, [FAR_M, distance_m], speed_mps=1.4, extra_m=extra_m) == '.' + state
    assert states(PLAIN, [0.3, distance_m], speed_mps=1.4, extra_m=extra_m) == 'S' + state


def test_it_starts_stopped_and_needs_the_release_count():
    config = ObstacleConfig(trigger_count=2, release_count=3, ttc_stop_s=0.0)
    assert states(config, [FAR_M] * 4) == 'SS..'


@pytest.mark.parametrize(
    ('distances_m', 'said'),
    [
        ('.......', 'SS.....'),
        ('...SS', 'SS..S'),
        ('...S..S.', 'SS......'),
        ('...S.S.', 'SS...SS'),
        ('...S.S.S.S', 'SS...SSSSS'),
        ('...c.c', 'SS...c'),
        ('...SS...', 'SS..SSS.'),
        ('...SS..S...', 'SS..SSSSSS.'),
        ('...cc..', 'SS..ccc'),
        ('...Sc', 'SS..c'),
        ('...cS', 'SS..c'),
        ('ccc', 'SSc'),
        ('SS..S', 'SSSSS'),
        ('.c.c', 'SScc'),
    ],
)
def test_a_majority_makes_it_worse_and_readings_in_a_row_better(distances_m, said):
    metres = {'.': FAR_M, 'c': 1.0, 'S': 0.3}
    config = ObstacleConfig(trigger_count=2, release_count=3, ttc_stop_s=0.0)
    assert states(config, [metres[letter] for letter in distances_m]) == said


def test_an_approach_stops_before_the_stop_distance():
    config = ObstacleConfig(trigger_count=1, release_count=1, ttc_stop_s=1.0)
    fast = [4.0 - 0.2 * i for i in range(12)]  # 2 m/s at 10 Hz: one second away at 2 m
    said = states(config, fast)
    assert said.index('S') == next(i for i, d in enumerate(fast) if d < 2.0)
    assert states(PLAIN, fast) == '.' * 12


def test_a_time_to_collision_of_the_limit_itself_does_not_stop():
    """1 m/s in steps without rounding: six readings are a trend, and 1 m is 1 s away."""
    config = ObstacleConfig(
        trigger_count=1,
        release_count=1,
        ttc_window_s=2.0,
        caution_distance_m=0.6,
        caution_release_distance_m=0.7,
    )
    distances_m = [2.25, 2.0, 1.75, 1.5, 1.25, 1.0, 0.75]
    assert states(config, distances_m, period_s=0.25) == '......S'


def test_an_approach_that_ends_lets_go_when_the_window_has_passed():
    config = ObstacleConfig(trigger_count=1, release_count=1, ttc_window_s=1.0)
    came = [4.0 - 0.2 * i for i in range(12)]
    stays = [came[-1]] * 12
    assert states(config, came + stays)[-1] == '.'


def ttc_after(config, distances_m, period_s=0.1):
    """Give the time to collision after distances, of which 10 m is nothing seen."""
    rule = ObstacleRule(config)
    for index, distance_m in enumerate(distances_m):
        rule.hear(index * period_s, RangeReading(distance_m, 0.1, 10.0, 1), 0.0, 0.0)
    return rule.time_to_collision_s


@pytest.mark.parametrize(('first_m', 'finite'), [(9.9, True), (10.0, False)])
def test_nothing_seen_is_not_the_start_of_an_approach(first_m, finite):
    ttc_s = ttc_after(ObstacleConfig(), [first_m, 9.5, 9.0, 8.5, 8.0, 7.5])
    assert math.isfinite(ttc_s) is finite


@pytest.mark.parametrize(('window_s', 'finite'), [(1.25, True), (1.2, False)])
def test_the_trend_looks_back_over_its_window(window_s, finite):
    """Six samples, the least, span 1.25 s."""
    config = ObstacleConfig(ttc_window_s=window_s)
    ttc_s = ttc_after(config, [5.0, 4.5, 4.0, 3.5, 3.0, 2.5], period_s=0.25)
    assert math.isfinite(ttc_s) is finite


@pytest.mark.parametrize(('ttc_stop_s', 'state'), [(1.0, 'S'), (0.66, '.')])
def test_a_slower_approach_holds_the_stop_but_does_not_make_it(ttc_stop_s, state):
    """At 1.3 m and 1.3 m/s the time is 1 s: above 0.66, within 1.5 x 0.67."""
    config = ObstacleConfig(
        trigger_count=1,
        release_count=1,
        ttc_stop_s=ttc_stop_s,
        caution_distance_m=1.0,
        caution_release_distance_m=1.1,
    )
    distances_m = [2.6 - 0.13 * i for i in range(11)]
    assert states(config, [*distances_m, 1.2])[-1] == state


def test_the_speed_limit_forgives_one_outlier_of_three_readings_and_not_two():
    rule = ObstacleRule(ObstacleConfig(trigger_count=2))
    limits = []
    for index, distance_m in enumerate([2.0, 0.4, 2.0, 2.0, 0.4, 2.0, 0.4, 2.0, 2.0]):
        rule.hear(index * 0.1, RangeReading(distance_m, 0.1, 10.0, 1), 0.0, 0.0)
        limits.append(rule.speed_limit_mps)
    assert limits[0] > 1.0
    assert limits[:6] == [limits[0]] * 6
    assert 0 < limits[6] < 0.3
    assert limits[7] == limits[8] == limits[0]


def test_nothing_heard_limits_nothing_but_is_stopped():
    rule = ObstacleRule(PLAIN)
    assert rule.speed_limit_mps == math.inf
    assert math.isnan(rule.nearest_m)
    assert rule.verdict().state is STOP


def test_restart_forgets_everything():
    rule = ObstacleRule(ObstacleConfig(trigger_count=2, release_count=2))
    for index in range(12):
        rule.hear(index * 0.1, RangeReading(4 - 0.2 * index, 0.1, 10.0, 1), 0.0, 0.0)
    assert math.isfinite(rule.time_to_collision_s)
    rule.restart()
    assert rule.verdict().state is STOP
    assert math.isnan(rule.nearest_m)
    assert rule.speed_limit_mps == math.inf
    assert rule.time_to_collision_s == math.inf
    for index, state in enumerate([STOP, CLEAR]):
        rule.hear(5 + index * 0.1, RangeReading(FAR_M, 0.1, 10.0, 1), 0.0, 0.0)
        assert rule.verdict().state is state
        assert rule.time_to_collision_s == math.inf


def test_a_yes_or_no_is_counted_too():
    rule = ObstacleRule(ObstacleConfig(trigger_count=2, release_count=3))
    said = ''
    for near in [0, 0, 0, 1, 0, 1, 1, 0, 0, 0]:
        rule.hear_near(bool(near))
        said += LETTERS[rule.verdict().state]
    assert said == 'SS...SSSS.'
    assert rule.speed_limit_mps == math.inf


def verdict_after(config, *distances_m):
    """Give the verdict after distances at 10 Hz."""
    rule = ObstacleRule(config)
    for index, distance_m in enumerate(distances_m):
        rule.hear(index * 0.1, RangeReading(distance_m, 0.1, 10.0, 1), 0.0, 0.0)
    return rule.verdict()


@pytest.mark.parametrize(
    ('config', 'distances_m', 'cause', 'reason'),
    [
        (ObstacleConfig(), [], 'waiting', '0 of 5 readings in a row are good'),
        (PLAIN, [FAR_M], 'clear', 'nothing is near'),
        (PLAIN, [0.421], 'near', '0.42 m away'),
        (PLAIN, [FAR_M, 1.0], 'near', '1.00 m away'),
        (ObstacleConfig(), [FAR_M] * 2, 'waiting', '2 of 5 readings in a row are good'),
        (ObstacleConfig(), [FAR_M, 0.3], 'near', '0.30 m away'),
        (ObstacleConfig(), [FAR_M] * 5 + [1.0] * 2 + [FAR_M], 'near', '5.00 m away'),
        (
            ObstacleConfig(trigger_count=1, release_count=1),
            [3.0, 2.8, 2.6, 2.4, 2.2, 2.0, 1.8],
            'closing',
            '1.80 m away, reached in 0.9 s',
        ),
    ],
)
def test_the_reason_says_what_is_seen(config, distances_m, cause, reason):
    verdict = verdict_after(config, *distances_m)
    assert (verdict.cause, verdict.reason) == (cause, reason)


def test_a_yes_without_metres_has_a_reason():
    rule = ObstacleRule(PLAIN)
    rule.hear_near(True)
    assert rule.verdict().reason == 'something is near'


def test_being_cautious_makes_clear_into_caution_and_never_milder():
    rule = ObstacleRule(PLAIN)
    rule.be_cautious()
    assert rule.verdict().state is STOP
    rule.hear(0.0, RangeReading(FAR_M, 0.1, 10.0, 1), 0.0, 0.0)
    rule.be_cautious()
    assert rule.verdict().state is CAUTION


graded = st.lists(
    st.tuples(
        st.sampled_from([CLEAR, CAUTION, STOP]), st.sampled_from([CLEAR, CAUTION, STOP])
    ).map(lambda pair: (min(pair), max(pair))),
    max_size=40,
)


@settings(deadline=None)
@given(graded, st.integers(1, 5), st.integers(1, 5))
def test_the_debounced_state_follows_its_definition(readings, trigger_count, release_count):
    debounce = SeverityDebounce(trigger_count, release_count)
    released = 0  # readings until the state last got better
    for count, (trip, hold) in enumerate(readings, start=1):
        before = debounce.state
        debounce.update(trip, hold)
        first = max(released, count - (2 * trigger_count - 1))
        trips = [reading[0] for reading in readings[first:count]]
        holds = [reading[1] for reading in readings[max(0, count - release_count) : count]]
        is_released = len(holds) == release_count
        if debounce.state > before:
            assert sum(trip >= debounce.state for trip in trips) >= trigger_count
        if debounce.state < before:
            assert is_released and max(holds) == debounce.state
            released = count
        for state in (CAUTION, STOP):
            if sum(trip >= state for trip in trips) >= trigger_count:
                assert debounce.state >= (min(state, max(holds)) if is_released else state)
        if is_released:
            assert debounce.state <= max(holds)


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        ({'stop_distance_m': 0.65}, 'stop_distance_m must be below release_distance_m'),
        ({'caution_distance_m': 0.5}, 'stop_distance_m must be below caution_distance_m'),
        (
            {'caution_distance_m': 1.4},
            'caution_distance_m must be below caution_release_distance_m',
        ),
        ({'margin_m': 0.51}, 'margin_m must be at most stop_distance_m'),
    ],
)
def test_contradictory_settings_name_both(change, text):
    assert ObstacleConfig(**change).contradiction().startswith(text)


@pytest.mark.parametrize(
    'change',
    [
        {},
        {'stop_distance_m': 0.6499},
        {'caution_distance_m': 0.5001},
        {'caution_distance_m': 1.3999},
        {'margin_m': 0.5},
    ],
)
def test_settings_that_just_agree(change):
    assert ObstacleConfig(**change).contradiction() == ''


@pytest.mark.parametrize(
    'change',
    [
        {'trigger_count': 0},
        {'release_count': 0},
        {'deceleration_mps2': 0.0},
        {'stop_distance_m': math.nan},
    ],
)
def test_bad_values_are_refused(change):
    with pytest.raises(ConfigurationError, match=f'{next(iter(change))} must be'):
        ObstacleConfig(**change)


def test_states_are_ordered_by_severity():
    assert sorted(AlertState)[:4] == [CLEAR, CAUTION, STOP, AlertState.STALE]


def test_the_states_have_the_numbers_of_the_topic():
    numbers = {state.name: state.value for state in AlertState}
    assert numbers == {'CLEAR': 0, 'CAUTION': 1, 'STOP': 2, 'STALE': 3, 'DISABLED': 4}


def test_stop_and_stale_are_stops():
    assert [state for state in AlertState if state.is_stop] == [STOP, AlertState.STALE]
