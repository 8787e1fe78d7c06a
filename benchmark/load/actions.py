# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What a user does to depth_node while pictures come, from a process of its own.

Prints `ready` once the node answers, begins at a line on standard input, prints a line of JSON for
each action and one with `done` at the end, and lives until standard input closes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import cycle, islice
import json
import sys
import time
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

TASKS = ('lifecycle', 'models', 'parameters')
_PATIENCE_S = 60.0
_DOWN = ('deactivate', 'cleanup')
_UP = ('configure', 'activate')
# Active for so long between two cycles, so that frames are in the works when it ends.
_PAUSE_S = 0.2
# One of each kind: what the worker reads, what the outputs read, and what is precomputed.
_VALUES: tuple[tuple[str, Any], ...] = (
    ('near_distance_m', 0.8),
    ('depth_encoding', '16UC1'),
    ('camera_pitch_deg', 12.0),
    ('corridor_width_m', 0.6),
    ('depth_size', 'input'),
    ('near_distance_m', 1.0),
    ('depth_encoding', '32FC1'),
    ('camera_pitch_deg', 8.0),
    ('corridor_width_m', 0.0),
    ('depth_size', 'network'),
)


class User:
    """Calls the services of a node."""

    def __init__(self, target: str) -> None:
        self.node = Node('benchmark_user')
        self._parameters: Any = self.node.create_client(SetParameters, f'{target}/set_parameters')
        self._state: Any = self.node.create_client(ChangeState, f'{target}/change_state')

    def await_node(self) -> None:
        """Wait until the node answers."""
        while not (self._parameters.service_is_ready() and self._state.service_is_ready()):
            rclpy.spin_once(self.node, timeout_sec=0.05)

    def set_value(self, name: str, value: Any) -> str:
        """Set a parameter and return why it failed, empty where it did not."""
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]
        )
        answer = self._call(self._parameters, request)
        if answer is None:
            return 'no answer'
        (result,) = answer.results
        return '' if result.successful else f'refused: {result.reason}'

    def change(self, transition: str) -> str:
        """Make a transition and return why it failed, empty where it did not."""
        number = getattr(Transition, f'TRANSITION_{transition.upper()}')
        request = ChangeState.Request(transition=Transition(id=number))
        answer = self._call(self._state, request)
        if answer is None:
            return 'no answer'
        return '' if answer.success else f'{transition} failed'

    def _call(self, client: Any, request: Any) -> Any:
        future = client.call_async(request)
        rclpy.spin_until_future_complete(self.node, future, timeout_sec=_PATIENCE_S)
        return future.result() if future.done() else None


def actions(
    user: User, task: str, count: int, rate_hz: float, models: list[str]
) -> Iterator[tuple[str, str]]:
    """Act, and give the name of each action and why it failed."""
    if task == 'parameters':
        start_s = time.monotonic()
        for index, (name, value) in enumerate(islice(cycle(_VALUES), count)):
            time.sleep(max(0.0, start_s + index / rate_hz - time.monotonic()))
            yield f'{name}: {value}', user.set_value(name, value)
        return
    for index in range(count):
        failures = [user.change(transition) for transition in _DOWN]
        name = f'cycle {index + 1}'
        if task == 'models':
            name = models[index % len(models)]
            failures.append(user.set_value('model_file', name))
        failures += [user.change(transition) for transition in _UP]
        yield name, '; '.join(filter(None, failures))
        time.sleep(_PAUSE_S)


def main() -> None:
    """Act when told."""
    parser = argparse.ArgumentParser()
    parser.add_argument('task', choices=TASKS)
    parser.add_argument('--count', type=int, required=True)
    parser.add_argument('--rate', type=float, default=10.0)
    parser.add_argument('--models', nargs='+', default=[])
    arguments = parser.parse_args()
    rclpy.init()
    user = User('depth_node')
    user.await_node()
    print('ready', flush=True)
    sys.stdin.readline()
    for name, failure in actions(
        user, arguments.task, arguments.count, arguments.rate, arguments.models
    ):
        print(json.dumps({'action': name, 'failure': failure}), flush=True)
    print(json.dumps({'done': True}), flush=True)
    sys.stdin.read()
    user.node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    main()
