# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A distance and the uncertainty of its scale, in and out of sensor_msgs/Range."""

from __future__ import annotations

import math

from builtin_interfaces.msg import Time
from fcrn_depth_ros.alert.source_watch import RangeReading
from fcrn_depth_ros.wire.range_reading import range_reading, scale_sigma
from hypothesis import given, settings
import pytest
from random_messages import messages
from sensor_msgs.msg import Range
from std_msgs.msg import Header


def message(stamp=(5, 7), **fields):
    """Make a Range; the numbers have no rounding in 32 bits."""
    header = Header(stamp=Time(sec=stamp[0], nanosec=stamp[1]))
    return Range(header=header, **{'range': 2.0, 'min_range': 0.125, 'max_range': 8.0} | fields)


def test_every_field_is_read():
    expected = RangeReading(2.0, 0.125, 8.0, 5_000_000_007, 0.25)
    assert range_reading(message(variance=0.25)) == expected


@pytest.mark.parametrize(
    ('stamp', 'stamp_ns'),
    [
        ((0, 0), 0),
        ((0, 999_999_999), 999_999_999),
        ((0, 1_000_000_000), None),
        ((5, 4_294_967_295), None),
        ((-1, 0), -1_000_000_000),
        ((-(2**31), 5), -(2**31) * 10**9 + 5),
        ((2**31 - 1, 999_999_999), 2_147_483_647_999_999_999),
    ],
)
def test_stamps_are_whole_nanoseconds(stamp, stamp_ns):
    assert range_reading(message(stamp)).stamp_ns == stamp_ns


@pytest.mark.parametrize(
    ('distance_m', 'variance_m2', 'sigma'),
    [
        (2.0, 0.01, 0.05),
        (2.0, 0.0, None),
        (2.0, -1.0, None),
        (2.0, math.nan, None),
        (2.0, math.inf, None),
        (0.0, 0.01, None),
        (-1.0, 0.01, None),
        (math.inf, 0.01, None),
        (math.nan, 0.01, None),
        (2.0, 5e-324, math.sqrt(5e-324) / 2),
    ],
)
def test_a_scale_is_verified_by_a_positive_variance_only(distance_m, variance_m2, sigma):
    assert scale_sigma(distance_m, variance_m2) == pytest.approx(sigma)


@settings(max_examples=500, deadline=None)
@given(messages(Range))
def test_no_message_raises(message):
    reading = range_reading(message)
    assert isinstance(reading.flaw(), str)
    assert reading.scale_is_verified in (True, False)
