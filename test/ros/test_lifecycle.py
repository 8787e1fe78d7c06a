# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Transitions of a managed node are logged, and so is why one fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import gc
from typing import Any

from fcrn_depth_ros.ros.lifecycle import SelfStartingNode
import pytest
import rclpy
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
ERROR = TransitionCallbackReturn.ERROR


class ScriptedNode(SelfStartingNode):
    """Gives the results that a test wants; an exception is raised."""

    def __init__(self) -> None:
        super().__init__('scripted')
        self.results: dict[str, Any] = {}
        self.shut_downs = 0

    def shut_down(self) -> None:
        self.shut_downs += 1

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._result('configure')

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._result('activate')

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._result('deactivate')

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._result('cleanup')

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._result('shutdown')

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._result('error')

    def _result(self, name: str) -> TransitionCallbackReturn:
        result = self.results.get(name, SUCCESS)
        if isinstance(result, Exception):
            raise result
        return result


@pytest.fixture
def node() -> Iterator[ScriptedNode]:
    """Give a scripted node."""
    rclpy.init()
    node = ScriptedNode()
    # The participants of earlier tests: many in one process can lock each other.
    gc.collect()
    yield node
    node.destroy_node()
    rclpy.shutdown()


def messages(log: str) -> list[str]:
    return [line.split('[scripted]: ')[1] for line in log.splitlines() if '[scripted]: ' in line]


def test_every_transition_is_logged(node: ScriptedNode, capfd: pytest.CaptureFixture[str]) -> None:
    node.start()
    node.trigger_deactivate()
    node.trigger_cleanup()
    node.trigger_configure()
    node.trigger_shutdown()
    assert messages(capfd.readouterr().err) == [
        'unconfigured -> inactive',
        'inactive -> active',
        'active -> inactive',
        'inactive -> unconfigured',
        'unconfigured -> inactive',
        'inactive -> finalized',
    ]


def test_a_refused_transition_is_logged(
    node: ScriptedNode, capfd: pytest.CaptureFixture[str]
) -> None:
    node.results = {'configure': FAILURE}
    node.start()
    log = capfd.readouterr().err
    assert messages(log) == ['configure failed: still unconfigured, the reason is logged above']
    assert '[ERROR]' in log


@pytest.mark.parametrize(
    ('recovery', 'last'),
    [
        (SUCCESS, 'after the error: unconfigured'),
        (FAILURE, 'after the error: finalized, start the process again'),
    ],
)
def test_an_exception_is_logged_with_its_traceback_and_with_what_follows(
    node: ScriptedNode,
    capfd: pytest.CaptureFixture[str],
    recovery: TransitionCallbackReturn,
    last: str,
) -> None:
    node.results = {'activate': RuntimeError('out of luck'), 'error': recovery}
    node.start()
    log = capfd.readouterr().err
    assert 'activate failed unexpectedly:' in log
    assert 'raise result\nRuntimeError: out of luck' in log
    assert messages(log)[-1] == last


def test_what_makes_and_releases_publishers_is_watched(
    node: ScriptedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = []

    @contextmanager
    def must_end(task: str) -> Iterator[None]:
        watched.append(task)
        yield

    monkeypatch.setattr('fcrn_depth_ros.ros.lifecycle.must_end', must_end)
    node.start()
    node.trigger_deactivate()
    node.trigger_cleanup()
    assert watched == [
        'configure of the node',
        'activate of the node',
        'cleanup of the node',
    ]


def test_destroying_a_node_shuts_it_down() -> None:
    rclpy.init()
    node = ScriptedNode()
    node.destroy_node()
    rclpy.shutdown()
    assert node.shut_downs == 1
