# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""When a distance is trusted: both sides of each bound, on both clocks."""

import dataclasses
import math

from fcrn_depth_ros.alert.source_watch import RangeReading, SourceConfig, SourceFault, SourceWatch
from fcrn_depth_ros.errors import ConfigurationError
import pytest

CONFIG = SourceConfig(source_timeout_s=0.5, max_stamp_age_s=1.0, max_stamp_ahead_s=0.125)
CLOCK_NS = 1_800_000_000 * 10**9  # the clock of the stamps is far from the steady clock


def reading(distance_m=2.0, stamp_ns=CLOCK_NS, **limits):
    """Make a message that nothing speaks against."""
    return RangeReading(distance_m, **{'min_m': 0.125, 'max_m': 10.0} | limits, stamp_ns=stamp_ns)


def later(seconds):
    """Give a time on the clock of the stamps."""
    return CLOCK_NS + round(seconds * 1e9)


def watch_after(*messages):
    """Make a watch that heard readings, each at the steady time of its place in the row."""
    watch = SourceWatch(CONFIG)
    used = [watch.hear(0.0, message, CLOCK_NS) for message in messages]
    return watch, used


def test_nothing_heard_is_a_fault_but_not_stale():
    fault = SourceWatch(CONFIG).fault(1000.0)
    assert (fault.cause, fault.is_stale) == ('unheard', False)


def test_a_good_reading_is_trusted():
    watch, used = watch_after(reading())
    assert used == [True]
    assert watch.fault(0.0) is None


@pytest.mark.parametrize(('now_s', 'cause'), [(0.5, None), (0.501, 'silent')])
def test_silence_is_measured_on_the_steady_clock(now_s, cause):
    watch, _ = watch_after(reading())
    fault = watch.fault(now_s)
    assert (fault and fault.cause) == cause
    assert fault is None or (fault.is_stale and '0.50 s' in fault.reason)


@pytest.mark.parametrize(
    ('distance_m', 'good'),
    [
        (0.125, True),
        (0.124, False),
        (10.0, True),
        (10.01, False),
        (0.0, False),
        (-1.0, False),
        (math.nan, False),
        (math.inf, False),
        (-math.inf, False),
    ],
)
def test_a_distance_must_lie_within_the_limits_of_the_source(distance_m, good):
    watch, used = watch_after(reading(distance_m))
    assert used == [good]
    fault = watch.fault(0.1)
    assert (fault is None) is good
    if not good:
        assert (fault.cause, fault.is_stale) == ('invalid', False)
        assert f'{distance_m:g} m' in fault.reason


@pytest.mark.parametrize(
    ('min_m', 'max_m', 'good'),
    [
        (0.0, 10.0, True),
        (-0.1, 10.0, False),
        (2.0, 2.0, False),
        (3.0, 2.0, False),
        (0.1, math.inf, False),
        (math.nan, 10.0, False),
        (0.1, math.nan, False),
    ],
)
def test_malformed_limits_are_a_fault(min_m, max_m, good):
    watch, used = watch_after(reading(2.0, min_m=min_m, max_m=max_m))
    assert used == [good]
    if not good:
        assert 'malformed' in watch.fault(0.0).reason


OLD = 'the picture is {} s old, at most 1 s is allowed: too slow, or the clocks differ'
AHEAD = 'stamp lies {} s in the future: synchronise the clocks, or check /clock'


@pytest.mark.parametrize(
    ('age_s', 'reason'),
    [
        (1.0, None),
        (1.0625, OLD.format('1.06')),
        (0.0, None),
        (-0.125, None),
        (-0.1875, AHEAD.format('0.188')),
        (3600.0, OLD.format('3.6e+03')),
        (-3600.0, AHEAD.format('3.6e+03')),
    ],
)
def test_a_stamp_must_be_recent_on_the_clock_of_the_stamps(age_s, reason):
    watch, used = watch_after(reading(stamp_ns=later(-age_s)))
    assert used == [reason is None]
    expected = None if reason is None else SourceFault(True, 'stamp', reason)
    assert watch.fault(0.0) == expected


@pytest.mark.parametrize(
    ('stamp_ns', 'reason'),
    [
        (0, 'the stamp is zero: the source must stamp its readings'),
        (-1, 'stamp -1e-09 s is not a time'),
        (-(10**9), 'stamp -1 s is not a time'),
        (-(2**31) * 10**9, 'stamp -2.14748365e+09 s is not a time'),
        (None, 'the stamp is not a time: its nanoseconds exceed 1 s'),
    ],
)
def test_a_stamp_that_is_no_time_is_stale(stamp_ns, reason):
    watch, used = watch_after(reading(), reading(stamp_ns=stamp_ns))
    assert used == [True, False]
    assert watch.fault(0.0) == SourceFault(True, 'stamp', reason)
    watch.hear(0.4, reading(stamp_ns=stamp_ns), CLOCK_NS)  # it repeats, which is not "frozen"
    assert watch.fault(0.9) == SourceFault(True, 'stamp', reason)
    assert watch.fault(0.901).cause == 'silent'
    assert watch.hear(1.0, reading(stamp_ns=later(1.0)), later(1.0))
    assert watch.fault(1.0) is None


def test_the_last_second_that_a_stamp_can_hold_is_far_ahead():
    watch, used = watch_after(reading(stamp_ns=(2**31 - 1) * 10**9 + 999_999_999))
    assert used == [False]
    assert watch.fault(0.0) == SourceFault(True, 'stamp', AHEAD.format('3.47e+08'))


def test_the_first_nanosecond_is_a_time():
    assert SourceWatch(CONFIG).hear(0.0, reading(stamp_ns=1), 1)


def test_a_picture_of_the_same_stamp_after_one_without_is_still_no_news():
    watch, used = watch_after(reading(), reading(stamp_ns=0), reading())
    assert used == [True, False, False]
    assert watch.fault(0.1).cause == 'stamp'
    assert watch.fault(0.51).cause == 'frozen'


def test_a_malformed_distance_without_a_stamp_is_malformed():
    watch, _ = watch_after(reading(math.nan, stamp_ns=0))
    assert watch.fault(0.0).cause == 'invalid'


def test_a_stamp_that_differs_by_a_nanosecond_is_news():
    watch, used = watch_after(reading(), reading(stamp_ns=CLOCK_NS + 1))
    assert used == [True, True]
    assert not watch.hear(0.1, reading(stamp_ns=CLOCK_NS), later(0.1))
    assert 'back by 1e-09 s' in watch.fault(0.1).reason


@pytest.mark.parametrize(('now_s', 'cause'), [(0.25, None), (0.251, 'stamp')])
def test_a_picture_ages_while_it_waits(now_s, cause):
    watch, used = watch_after(reading(stamp_ns=later(-0.75)))
    assert used == [True]
    fault = watch.fault(now_s)
    assert (fault and fault.cause) == cause


def test_the_same_stamp_again_does_not_feed_the_timeout():
    watch = SourceWatch(CONFIG)
    used = [watch.hear(0.1 * i, reading(), later(0.1 * i)) for i in range(6)]
    assert used == [True] + [False] * 5
    assert watch.fault(0.5) is None
    fault = watch.fault(0.51)
    assert (fault.cause, fault.is_stale) == ('frozen', True)
    assert '0.51 s' in fault.reason


def test_after_a_new_stamp_silence_is_silence_again():
    watch, _ = watch_after(reading(), reading(), reading(stamp_ns=later(0.1)))
    assert watch.fault(0.6).cause == 'silent'


def test_a_malformed_repeat_is_still_a_fault():
    watch, used = watch_after(reading(), reading(math.nan))
    assert used == [True, False]
    assert watch.fault(0.0).cause == 'invalid'


def test_a_stamp_that_goes_back_is_stale_until_the_next_good_one():
    watch = SourceWatch(CONFIG)
    assert watch.hear(0.0, reading(), CLOCK_NS)
    back_ns = later(-3600)
    assert not watch.hear(0.1, reading(stamp_ns=back_ns), back_ns)
    fault = watch.fault(0.1)
    assert (fault.cause, fault.is_stale) == ('stamp', True)
    assert 'back by 3.6e+03 s' in fault.reason
    assert watch.hear(0.2, reading(stamp_ns=later(-3599.9)), later(-3599.9))
    assert watch.fault(0.2) is None


def test_a_clock_that_jumps_between_two_readings_disturbs_no_duration():
    watch = SourceWatch(CONFIG)
    assert watch.hear(0.0, reading(), CLOCK_NS)
    assert watch.fault(0.4) is None
    assert watch.hear(0.4, reading(stamp_ns=later(3600)), later(3600))
    assert watch.fault(0.8) is None


def test_a_good_reading_clears_a_bad_one():
    watch, used = watch_after(reading(math.nan), reading(stamp_ns=later(0.01)))
    assert used == [False, True]
    assert watch.fault(0.0) is None


@pytest.mark.parametrize('share', [math.nan, -0.01, 1.01, math.inf])
def test_a_picture_that_tells_nothing_is_unknown_at_once(share):
    watch, _ = watch_after(reading())
    watch.hear_proximity(0.1, share)
    assert watch.fault(0.1) == SourceFault(
        False,
        'unknown',
        'the distance is unknown: the picture is dark, covered or blank, or too few pixels '
        'are valid',
    )


@pytest.mark.parametrize('share', [0.0, 0.5, 1.0])
def test_a_share_ends_the_unknown(share):
    watch, _ = watch_after(reading())
    watch.hear_proximity(0.1, math.nan)
    watch.hear_proximity(0.2, share)
    assert watch.fault(0.2) is None


def test_a_share_alone_is_no_distance():
    watch = SourceWatch(CONFIG)
    watch.hear_proximity(0.0, 0.0)
    assert watch.fault(0.0).cause == 'unheard'


def test_unknown_pictures_keep_the_source_alive_but_only_while_they_come():
    watch, _ = watch_after(reading())
    for now_s in (0.0, 0.5, 1.0):
        watch.hear_proximity(now_s, math.nan)
    assert watch.fault(1.5).cause == 'unknown'
    assert watch.fault(1.501).cause == 'silent'


def test_unknown_stays_unknown_while_only_distances_come():
    watch, _ = watch_after(reading())
    watch.hear_proximity(0.0, math.nan)
    assert watch.hear(0.6, reading(stamp_ns=later(0.6)), later(0.6))
    assert watch.fault(0.6) == SourceFault(
        False, 'unknown', 'the distance in the last picture is unknown'
    )


def test_a_yes_or_no_needs_no_stamp():
    watch = SourceWatch(CONFIG)
    watch.hear_near(7.0)
    assert watch.fault(7.5) is None
    assert watch.fault(7.51).cause == 'silent'


@pytest.mark.parametrize(
    'change',
    [
        {'source_timeout_s': 0.0},
        {'max_stamp_age_s': math.inf},
        {'max_stamp_ahead_s': -0.1},
        {'alert_source': 'both'},
    ],
)
def test_bad_settings_are_refused(change):
    with pytest.raises(ConfigurationError, match=next(iter(change))):
        dataclasses.replace(CONFIG, **change)
