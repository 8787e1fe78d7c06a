# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Parameters of a node: what is accepted, what is refused and how, and what the worker sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import threading
from typing import Any

from fcrn_depth_ros.errors import ConfigurationError
from fcrn_depth_ros.ros.parameters import ParameterGroup, Snapshot
from fcrn_depth_ros.settings import misordered, setting, Settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
import pytest
from rcl_interfaces.msg import SetParametersResult
import rclpy
from rclpy.lifecycle import LifecycleNode
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
    mode: str = setting('auto', 'Mode.', choices=('auto', 'off'))
    loud: bool = setting(False, 'Loudness.')
    file: str = setting('', 'File.', read_only=True)

    def contradiction(self) -> str:
        return misordered(self, ('low', 'high')) or super().contradiction()


@dataclass(frozen=True)
class Pair(Settings):
    first: int = setting(1, 'First.', minimum=0, maximum=9)
    second: int = setting(2, 'Second.', minimum=0, maximum=9)

    def contradiction(self) -> str:
        return misordered(self, ('first', 'second')) or super().contradiction()


class Log:
    """Stands in for a node's logger."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def info(self, text: str) -> None:
        self.lines.append(('info', text))

    def warning(self, text: str) -> None:
        self.lines.append(('warning', text))


class Holder:
    """A group with a record of what its callback was given."""

    def __init__(self, node_class: type[Node] = Node, **overrides: Any) -> None:
        self.log = Log()
        log = self.log

        class LoggingNode(node_class):  # type: ignore[valid-type,misc]
            def get_logger(self) -> Any:
                return log

        self.node = LoggingNode('holder', parameter_overrides=parameters(overrides))
        self.configured = False
        self.seen: list[Snapshot] = []
        self.extra = ''
        self.group = ParameterGroup(
            self.node,
            (Limits, Pair),
            self.seen.append,
            lambda: self.configured,
            lambda snapshot: self.extra if snapshot.get(Limits).kind == 'b' else '',
        )

    def change(self, **values: Any) -> SetParametersResult:
        return self.node.set_parameters_atomically(parameters(values))

    @property
    def limits(self) -> Limits:
        return self.group.get(Limits)


@pytest.fixture(autouse=True)
def ros() -> Iterator[None]:
    rclpy.init()
    yield
    rclpy.shutdown()


def test_defaults_and_overrides() -> None:
    assert Holder().limits == Limits()
    given_values = Holder(low=0.5, names=['x', 'y'], kind='b').limits
    assert given_values == Limits(low=0.5, names=('x', 'y'), kind='b')


def test_an_integer_is_a_double_where_one_is_meant() -> None:
    holder = Holder(low=0)
    assert holder.limits.low == 0.0 and type(holder.limits.low) is float
    assert holder.change(high=3).successful
    assert holder.limits.high == 3.0 and type(holder.limits.high) is float
    assert holder.node.get_parameter('high').type_ == Parameter.Type.DOUBLE


def test_an_empty_list_of_strings_stays_one() -> None:
    holder = Holder(names=[])
    assert holder.limits.names == ()
    untyped = Parameter('names', Parameter.Type.NOT_SET)
    assert (
        ParameterGroup(Node('other', parameter_overrides=[untyped]), (Limits,)).get(Limits)
        == Limits()
    )
    assert holder.change(names=['x']).successful and holder.limits.names == ('x',)
    assert holder.change(names=[]).successful and holder.limits.names == ()
    assert holder.node.get_parameter('names').type_ == Parameter.Type.STRING_ARRAY


def test_off_without_quotes_is_the_word_where_it_is_a_choice() -> None:
    holder = Holder(mode=False)
    assert holder.limits.mode == 'off'
    assert holder.change(mode='auto').successful and holder.change(mode=False).successful
    assert holder.limits.mode == 'off'
    assert holder.node.get_parameter('mode').value == 'off'


BAD = [
    ({'mode': True}, "mode must be one of 'auto', 'off', got True"),
    ({'kind': False}, "kind must be one of 'a', 'b', got False"),
    ({'low': 11.0}, 'low must be a finite number in [0, 10], got 11.0; meaning: Lower limit.'),
    ({'low': -1}, 'low must be a finite number in [0, 10], got -1.0; meaning: Lower limit.'),
    ({'low': float('nan')}, 'low must be a finite number in [0, 10], got nan'),
    ({'low': 'x'}, "low must be a finite number in [0, 10], got 'x'; meaning: Lower limit."),
    ({'low': True}, 'low must be a finite number in [0, 10], got True'),
    ({'low': [1.0]}, 'low must be a finite number in [0, 10], got'),
    ({'count': 0}, 'count must be an integer in [1, 5], got 0'),
    ({'count': 6}, 'count must be an integer in [1, 5], got 6'),
    ({'count': 3.0}, 'count must be an integer in [1, 5], got 3.0'),
    ({'kind': 'c'}, "kind must be one of 'a', 'b', got 'c'"),
    ({'kind': 1}, "kind must be one of 'a', 'b', got 1"),
    ({'names': 'x'}, "names must be a list of strings, got 'x'"),
    ({'names': [1, 2]}, 'names must be a list of strings, got (1, 2)'),
    ({'loud': 1}, 'loud must be true or false, got 1'),
    ({'file': 1}, 'file must be a string, got 1'),
]


@pytest.mark.parametrize(('overrides', 'reason'), BAD)
def test_a_bad_initial_value_is_refused(overrides: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Holder(**overrides)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(('values', 'reason'), BAD)
def test_a_bad_value_is_refused_with_the_reason_and_changes_nothing(
    values: dict[str, Any], reason: str
) -> None:
    holder = Holder()
    before = holder.group.snapshot()
    result = holder.change(first=0, **values)
    assert not result.successful and result.reason.startswith(reason)
    assert holder.group.snapshot() is before
    assert holder.seen == []
    name = next(iter(values))
    assert holder.node.get_parameter(name).type_ == Parameter.Type(
        holder.node.describe_parameter(name).type
    )


def test_a_parameter_cannot_be_removed() -> None:
    holder = Holder()
    result = holder.node.set_parameters([Parameter('low')])[0]
    assert result.reason.startswith('low must be a finite number in [0, 10], got no value')
    assert holder.node.get_parameter('low').value == 1.0


def test_an_initial_contradiction_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r'low must be below high \(2\), got 3'):
        Holder(low=3.0)


def test_a_change_is_passed_on_once_and_only_if_it_is_one() -> None:
    holder = Holder()
    assert holder.change(low=1.5).successful
    assert holder.change(low=1.5).successful
    assert [snapshot.get(Limits) for snapshot in holder.seen] == [Limits(low=1.5)]


def test_a_change_that_another_callback_refuses_is_never_seen() -> None:
    holder = Holder()
    holder.node.add_on_set_parameters_callback(
        lambda _: SetParametersResult(successful=False, reason='not now')
    )
    assert not holder.change(low=1.5).successful
    assert holder.seen == [] and holder.limits == Limits()


def test_a_snapshot_does_not_change() -> None:
    holder = Holder()
    before = holder.group.snapshot()
    holder.change(low=1.5, first=0)
    assert (before.get(Limits), before.get(Pair)) == (Limits(), Pair())
    after = holder.group.snapshot()
    assert (after.get(Limits), after.get(Pair)) == (Limits(low=1.5), Pair(first=0))


def test_a_worker_never_sees_half_of_a_change() -> None:
    holder = Holder()
    seen: set[tuple[int, int]] = set()
    stopping = threading.Event()

    def work() -> None:
        while not stopping.is_set():
            pair = holder.group.snapshot().get(Pair)
            seen.add((pair.first, pair.second))

    worker = threading.Thread(target=work)
    worker.start()
    for _ in range(50):
        for first in range(9):
            assert holder.change(first=first, second=first + 1).successful
            assert not holder.change(first=9, second=10).successful
    stopping.set()
    worker.join()
    assert seen <= {(first, first + 1) for first in range(9)}


def test_a_contradiction_holds_until_it_is_gone_and_is_logged() -> None:
    holder = Holder()
    assert holder.change(low=3.0).successful
    reason = 'low must be below high (2), got 3; raise high or lower low'
    assert holder.group.snapshot().contradiction == reason
    assert holder.change(count=4).successful
    assert holder.group.snapshot().contradiction == reason
    assert holder.change(first=2).successful
    both = f'{reason}. first must be below second (2), got 2; raise second or lower first'
    assert holder.group.snapshot().contradiction == both
    assert holder.change(high=4.0, second=3).successful
    assert holder.group.snapshot().contradiction == ''
    assert holder.log.lines == [
        ('warning', f'the parameters contradict each other: {reason}'),
        ('warning', f'the parameters contradict each other: {both}'),
        ('info', 'the parameters no longer contradict each other'),
    ]
    assert [bool(snapshot.contradiction) for snapshot in holder.seen] == [True, True, True, False]


def test_two_changes_that_only_fit_together() -> None:
    holder = Holder()
    assert holder.change(low=5.0, high=6.0).successful
    assert holder.limits == Limits(low=5.0, high=6.0)
    assert [snapshot.contradiction for snapshot in holder.seen] == ['']


def test_the_node_may_add_a_rule() -> None:
    holder = Holder()
    holder.extra = 'kind b does not fit the model'
    assert holder.change(kind='b').successful
    assert holder.seen[-1].contradiction == holder.extra
    assert holder.change(low=3.0).successful
    assert 'low must be below high' in holder.seen[-1].contradiction
    assert holder.change(low=1.0).successful
    assert holder.seen[-1].contradiction == holder.extra
    assert holder.change(kind='a').successful
    assert holder.seen[-1].contradiction == ''


single_sets = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(['low', 'high']), st.floats(0.0, 10.0) | st.integers(0, 10)),
        st.tuples(st.just('count'), st.integers(1, 5)),
        st.tuples(st.just('kind'), st.sampled_from(['a', 'b'])),
        st.tuples(st.just('names'), st.lists(st.sampled_from(['x', 'y']))),
        st.tuples(st.sampled_from(['first', 'second']), st.integers(0, 9)),
    ),
    max_size=12,
)


@hypothesis_settings(deadline=None, max_examples=50)
@given(single_sets)
def test_every_sequence_of_valid_single_changes_is_accepted(
    changes: list[tuple[str, Any]],
) -> None:
    holder = Holder()
    expected: dict[str, Any] = {}
    for name, value in changes:
        assert holder.change(**{name: value}).successful
        expected[name] = tuple(value) if isinstance(value, list) else value
        snapshot = holder.group.snapshot()
        limits, pair = snapshot.get(Limits), snapshot.get(Pair)
        assert {
            key: getattr(limits if hasattr(limits, key) else pair, key) for key in expected
        } == expected
        contradicts = limits.low >= limits.high or pair.first >= pair.second
        assert bool(snapshot.contradiction) is contradicts
    holder.node.destroy_node()


@pytest.mark.parametrize(
    ('node_class', 'advice'),
    [
        (
            LifecycleNode,
            'run `ros2 lifecycle set /holder deactivate` and `ros2 lifecycle set /holder cleanup` '
            'first, or give it at start',
        ),
        (Node, 'give it at start'),
    ],
)
def test_fixed_settings_wait_for_cleanup(node_class: type[Node], advice: str) -> None:
    holder = Holder(node_class)
    assert holder.change(file='x').successful
    holder.configured = True
    refused = holder.change(file='y')
    assert refused.reason == (
        f"file must stay 'x' while the node is configured, got 'y'; {advice}"
    )
    assert not refused.successful
    assert holder.change(file='x').successful
    holder.configured = False
    assert holder.change(file='y').successful


def test_descriptors_hold_range_and_choices() -> None:
    holder = Holder()
    low = holder.node.describe_parameter('low')
    assert low.description == 'Lower limit.'
    bounds = low.floating_point_range[0]
    assert (bounds.from_value, bounds.to_value) == (0, 10)
    steps = holder.node.describe_parameter('count').integer_range[0]
    assert (steps.from_value, steps.to_value, steps.step) == (1, 5, 1)
    assert 'One of: a, b.' in holder.node.describe_parameter('kind').description
    assert 'when the node is configured' in holder.node.describe_parameter('file').description


def test_parameters_of_others_are_left_alone() -> None:
    holder = Holder()
    holder.node.declare_parameter('foreign', 1)
    assert holder.change(foreign=2).successful
    assert holder.seen == []
    assert holder.node.get_parameter('foreign').value == 2


@pytest.mark.parametrize(
    ('name', 'advice'),
    [
        ('lo', 'did you mean low?'),
        ('counts', 'did you mean count?'),
        ('zzz', 'see docs/parameters.md'),
    ],
)
def test_an_unknown_name_is_warned_about(name: str, advice: str) -> None:
    assert Holder(**{name: 1}).log.lines == [
        ('warning', f'parameter {name} is unknown to holder and ignored; {advice}')
    ]


@pytest.mark.parametrize(
    'name',
    [
        'low',
        'use_sim_time',
        'start_type_description_service',
        'qos_overrides./image.subscription.depth',
        'stop_distance_m',  # of alert_node
        'near_distance_m',  # of depth_node
    ],
)
def test_names_of_ros_and_of_our_other_nodes_are_not_unknown(name: str) -> None:
    value = {'use_sim_time': False, 'start_type_description_service': True}.get(name, 1)
    assert Holder(**{name: value}).log.lines == []
