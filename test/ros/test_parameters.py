# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fcrn_depth_ros.errors import ConfigurationError
from fcrn_depth_ros.ros.parameters import ParameterGroup
from fcrn_depth_ros.settings import misordered, setting, Settings
import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from running_node import parameters


@dataclass(frozen=True)
class Limits(Settings):
    low: float = setting(1.0, 'Lower limit.', minimum=0.0, maximum=10.0)
    high: float = setting(2.0, 'Upper limit.', minimum=0.0, maximum=10.0)
    count: int = setting(3, 'Repetitions.', minimum=1, maximum=5)
    kind: str = setting('a', 'Kind.', choices=('a', 'b'))
    names: tuple[str, ...] = setting((), 'Names.')
    file: str = setting('', 'File.', read_only=True)

    def contradiction(self) -> str:
        return misordered(self, ('low', 'high')) or super().contradiction()


class Holder:
    """A group with a record of what its callback was told."""

    def __init__(self, **overrides: Any) -> None:
        self.node = Node('holder', parameter_overrides=parameters(overrides))
        self.configured = False
        self.seen: list[Limits] = []
        self.group = ParameterGroup(
            self.node,
            (Limits,),
            lambda: self.seen.append(self.group.get(Limits)),
            lambda: self.configured,
        )

    def set(self, **values: Any) -> Any:
        return self.node.set_parameters_atomically(parameters(values))


@pytest.fixture(autouse=True)
def ros() -> Iterator[None]:
    rclpy.init()
    yield
    rclpy.shutdown()


def test_defaults_and_overrides() -> None:
    assert Holder().group.get(Limits) == Limits()
    given = Holder(low=0.5, names=['x', 'y'], kind='b').group.get(Limits)
    assert given == Limits(low=0.5, names=('x', 'y'), kind='b')


def test_a_whole_number_is_taken_for_a_float() -> None:
    assert Holder(low=0).group.get(Limits).low == 0.0


@pytest.mark.parametrize('overrides', [{'low': 3.0}, {'kind': 'c'}])
def test_bad_initial_values_are_refused(overrides: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(overrides))):
        Holder(**overrides)


def test_an_accepted_change_is_told_once() -> None:
    holder = Holder()
    assert holder.set(low=1.5).successful
    assert holder.set(low=1.5).successful
    assert holder.seen == [Limits(low=1.5)]


@pytest.mark.parametrize(
    ('values', 'reason'),
    [
        ({'low': 2.0}, 'low must be below high'),
        ({'low': 11.0}, 'out of range'),
        ({'count': 0}, 'out of range'),
        ({'count': 6}, 'out of range'),
        ({'kind': 'c'}, 'kind must be one of'),
    ],
)
def test_a_refused_change_says_why_and_changes_nothing(
    values: dict[str, Any], reason: str
) -> None:
    holder = Holder()
    result = holder.set(**values)
    assert not result.successful and reason in result.reason
    assert holder.group.get(Limits) == Limits()
    assert holder.seen == []


def test_two_changes_that_only_fit_together() -> None:
    holder = Holder()
    assert holder.set(low=5.0, high=6.0).successful
    assert holder.group.get(Limits) == Limits(low=5.0, high=6.0)


def test_the_owner_may_refuse() -> None:
    node = Node('holder')

    def refuse() -> None:
        raise ConfigurationError('not now')

    group = ParameterGroup(node, (Limits,), refuse)
    result = node.set_parameters([Parameter('low', value=0.1)])[0]
    assert not result.successful and result.reason == 'not now'
    assert group.get(Limits) == Limits()


def test_fixed_settings_wait_for_cleanup() -> None:
    holder = Holder()
    assert holder.set(file='x').successful
    holder.configured = True
    refused = holder.set(file='y')
    assert not refused.successful and 'lifecycle set holder' in refused.reason
    assert holder.set(file='x').successful


def test_descriptors_say_range_and_choices() -> None:
    holder = Holder()
    low = holder.node.describe_parameter('low')
    assert low.description == 'Lower limit.'
    bounds = low.floating_point_range[0]
    assert (bounds.from_value, bounds.to_value) == (0, 10)
    assert 'One of: a, b.' in holder.node.describe_parameter('kind').description
    assert 'when the node is configured' in holder.node.describe_parameter('file').description


def test_parameters_of_others_are_left_alone() -> None:
    holder = Holder()
    holder.node.declare_parameter('foreign', 1)
    assert holder.set(foreign=2).successful
    assert holder.seen == []
