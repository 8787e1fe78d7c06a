# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Run nodes in one process until a signal, then let each say its last word.

rclpy's own signal handler invalidates the context at once, so nothing can be published after
Ctrl-C or SIGTERM. A node that must send a final stop needs the context alive: here the signal
only ends the loop, then every node's ``shut_down()`` runs, then the context goes.

A process that hangs while its nodes are made is aborted by `hang_guard`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
import faulthandler
import signal
import socket
import sys
import threading
import time
import traceback
from typing import cast, Protocol

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from .child_processes import UNUSABLE_SETTINGS
from .free_memory import keep_free_memory
from .hang_guard import must_end
from .transport import tune_fast_dds
from ..errors import ConfigurationError, FcrnDepthError

# A callback of rclpy itself raises for a message that nobody should send, such as a parameter of a
# type that does not exist. That must not end the process; one that fails all the time must.
_MOST_ERRORS = 20
_ERRORS_WITHIN_S = 10.0
# How late it may be noticed that a thread of a node has set its exit status. Each wait costs
# rclpy half a millisecond of CPU time, so an idle node should wait rarely.
_SPIN_TIMEOUT_S = 1.0


class RunnableNode(Protocol):
    """
    What a node offers beside being an rclpy node.

    A node that can end by itself sets ``exit_status`` to end the process with it.
    """

    def shut_down(self) -> None:
        """Publish the last words, stop threads; called while publishing still works."""

    def destroy_node(self) -> None:
        """Release what the node holds."""


def run_nodes(
    node_factories: Sequence[Callable[[], RunnableNode]],
    args: list[str] | None = None,
    *,
    tune_transport: bool = False,
) -> int:
    """
    Create the nodes, spin them until SIGINT or SIGTERM, shut them down in order.

    Parameters
    ----------
    node_factories : sequence of callables
        Each makes one node; a raised FcrnDepthError is printed and ends the process with 2.
    args : list of str or None
        Command line with ROS arguments; None takes that of the process.
    tune_transport : bool
        Let Fast DDS carry pictures, as `tune_fast_dds` does.

    Returns
    -------
    int
        Exit status: 0 after a signal, 2 when a node could not be made, else the node's own.

    """
    keep_free_memory()
    stopped = False

    def request_stop(signal_number: int, frame: object) -> None:
        nonlocal stopped
        stopped = True

    # A crash in C code, or the abort by the guard, leaves the Python stacks in the log.
    faulthandler.enable()
    signal.signal(signal.SIGINT, request_stop)
    signal.signal(signal.SIGTERM, request_stop)
    nodes: list[RunnableNode] = []
    executor: SingleThreadedExecutor | None = None
    try:
        try:
            if tune_transport:
                tune_fast_dds()
            with must_end('the start'):
                _start_ros(args)
                executor = SingleThreadedExecutor()
                for make_node in node_factories:
                    nodes.append(make_node())
                    executor.add_node(cast(Node, nodes[-1]))
        except FcrnDepthError as error:
            print(f'error: {error}', file=sys.stderr)
            return UNUSABLE_SETTINGS
        errors_s: deque[float] = deque(maxlen=_MOST_ERRORS)
        with _signals_end_waits_of(executor):
            while not stopped and rclpy.ok() and not _exit_statuses(nodes):
                try:
                    executor.spin_once(timeout_sec=_SPIN_TIMEOUT_S)
                except ExternalShutdownException:
                    break
                except Exception:
                    errors_s.append(time.monotonic())
                    is_full = len(errors_s) == _MOST_ERRORS
                    if is_full and errors_s[-1] - errors_s[0] < _ERRORS_WITHIN_S:
                        raise
                    print(
                        'error: a callback must not raise, the process goes on:\n'
                        f'{traceback.format_exc()}',
                        file=sys.stderr,
                        flush=True,
                    )
    finally:
        for node in nodes:
            node.shut_down()
        if executor is not None:
            executor.shutdown()
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()
        # Ctrl-C reaches a launched node twice, from the terminal and from launch. The second one
        # must not kill an interpreter that is winding up and has given its handlers back.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return max(_exit_statuses(nodes), default=0)


def _start_ros(args: list[str] | None) -> None:
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:
        # Of types that rclpy does not export. Behind the reason stands the place in its sources.
        reason = str(error).split(', at /')[0].removeprefix('failed to initialize ')
        raise ConfigurationError(
            f'ROS must be able to start, got {type(error).__name__}: {reason}; correct the '
            'arguments after --ros-args, or the variable of the environment (ROS_HOME, '
            'ROS_LOG_DIR, ROS_DOMAIN_ID, RMW_IMPLEMENTATION)'
        ) from error


@contextmanager
def _signals_end_waits_of(executor: SingleThreadedExecutor) -> Iterator[None]:
    """
    Let a signal end a wait of the executor.

    Python's handler runs when the main thread is back from C, and the wait is in C. What writes
    the number of the signal to a socket does not wait for that, so a thread can listen there.
    """
    listening, told = socket.socketpair()

    def listen() -> None:
        while listening.recv(1):
            executor.create_task(lambda: None)

    told.setblocking(False)
    thread = threading.Thread(target=listen, name='signals', daemon=True)
    thread.start()
    previous = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        told.close()
        thread.join()
        listening.close()


def _exit_statuses(nodes: Sequence[RunnableNode]) -> list[int]:
    statuses = (getattr(node, 'exit_status', None) for node in nodes)
    return [status for status in statuses if status is not None]
