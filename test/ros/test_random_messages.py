# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The random messages are messages: every kind of field, at its bounds too."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from hypothesis import find, given, settings
from hypothesis import strategies as st
import pytest
from random_messages import messages, values
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Image, Range
from std_msgs.msg import Bool
from std_srvs.srv import SetBool


@pytest.mark.parametrize(
    'message_type',
    [Bool, Range, TwistStamped, CameraInfo, Image, DiagnosticArray, SetBool.Request],
    ids=lambda message_type: message_type.__name__,
)
def test_a_random_message_survives_the_wire(message_type):
    @settings(max_examples=30, deadline=None)
    @given(messages(message_type))
    def check(message):
        received = deserialize_message(serialize_message(message), message_type)
        assert repr(received) == repr(message)  # in which NaN equals NaN

    check()


@pytest.mark.parametrize(
    ('type_name', 'condition'),
    [
        ('int32', lambda value: value == -(2**31)),
        ('int8', lambda value: value == 127),
        ('uint32', lambda value: value == 2**32 - 1),
        ('uint64', lambda value: value == 2**64 - 1),
        ('float', lambda value: value != value),
        ('double', lambda value: 1e100 < value < float('inf')),
        ('string<3>', lambda value: len(value) == 3),
        ('sequence<int16, 2>', lambda value: len(value) == 2),
        ('sequence<double>', lambda value: not value),
        ('double[9]', lambda value: len(value) == 9),
        ('octet', lambda value: value == b'\xff'),
        ('boolean', lambda value: value),
        ('builtin_interfaces/Time', lambda stamp: stamp.sec < 0 and stamp.nanosec >= 10**9),
    ],
)
def test_every_kind_of_field_reaches_its_bounds(type_name, condition):
    find(values(type_name), condition)


def test_a_field_may_be_replaced():
    strategy = messages(Range, range=st.just(2.0))
    assert find(strategy, lambda message: message.header.stamp.sec < 0).range == 2.0
