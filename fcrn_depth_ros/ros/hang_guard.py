# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
End this process when a step of its start hangs, so that whoever started it can start it anew.

Creating a publisher can wait for ever inside Fast DDS (https://github.com/eProsima/Fast-DDS,
issue 6502: two of its threads wait for each other while another participant appears). Such a
process is deaf to SIGTERM too, because Python's handler never gets its turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import math
import os
from pathlib import Path
import subprocess
import sys
import threading

from ..errors import ConfigurationError

# Nodes, publishers and subscriptions are made within a second, on a busy small computer within
# ten. The steps that may rightly take longer, such as the loading of a network, say so.
DEFAULT_LIMIT_S = 30.0
# TensorRT builds its engine for a network of this size in minutes, on a small computer in half
# an hour.
LOADING_LIMIT_S = 3600.0
LIMIT_VARIABLE = 'FCRN_DEPTH_HANG_LIMIT_S'

_WATCHDOG = Path(__file__).with_name('hang_watchdog.py')
_ADVICE = (
    'the process is aborted, its Python stacks follow. A known cause is a deadlock in Fast DDS '
    '(eProsima issue 6502) while another process appears. bringup, and a launch file with '
    'respawn, start the node again; otherwise start it by hand. '
    f'{LIMIT_VARIABLE} sets the limit, 0 removes it'
)


def limit_from_environment(environment: Mapping[str, str] = os.environ) -> float:
    """
    Read how long a step may take.

    Parameters
    ----------
    environment : mapping
        Of the process.

    Returns
    -------
    float
        Seconds; 0 where the guard is switched off.

    Raises
    ------
    ConfigurationError
        If the variable is not a number that is 0 or more.

    """
    text = environment.get(LIMIT_VARIABLE, '') or str(DEFAULT_LIMIT_S)
    try:
        limit_s = float(text)
    except ValueError:
        limit_s = math.nan
    if not 0.0 <= limit_s < math.inf:
        raise ConfigurationError(
            f'{LIMIT_VARIABLE} must be a time in seconds, or 0 for no limit, got {text!r}; '
            f'leave it unset for {DEFAULT_LIMIT_S:g} s'
        )
    return limit_s


class _Watch(threading.local):
    """The tasks that this thread is in, outermost first, and the process that watches them."""

    def __init__(self) -> None:
        self.tasks: list[tuple[float, str]] = []
        self.watchdog: subprocess.Popen[bytes] | None = None

    def tell(self) -> None:
        """Let the time of the innermost task begin now."""
        if self.watchdog is None or self.watchdog.stdin is None:
            return
        limit_s, task = self.tasks[-1]
        try:
            self.watchdog.stdin.write(f'{limit_s!r} {task}\n'.encode())
            self.watchdog.stdin.flush()
        except BrokenPipeError:  # somebody ended it: the node goes on unwatched
            self.watchdog = None


_watch = _Watch()


@contextmanager
def must_end(task: str, least_limit_s: float = 0.0) -> Iterator[None]:
    """
    Abort this process when the block does not end in time.

    Within a guarded block another one has the time to itself: the outer one's begins anew
    after it.

    Parameters
    ----------
    task : str
        What the block does, for the message.
    least_limit_s : float
        For a block that may rightly take longer than the limit of the environment.

    Raises
    ------
    ConfigurationError
        If the limit in the environment is not a time.

    """
    limit_s = limit_from_environment()
    if limit_s == 0.0:
        yield
        return
    _watch.tasks.append((max(limit_s, least_limit_s), task))
    outermost = len(_watch.tasks) == 1
    if outermost:
        _watch.watchdog = _start_watchdog()
    _watch.tell()
    try:
        yield
    finally:
        _watch.tasks.pop()
        if outermost:
            _end_watchdog()
        else:
            _watch.tell()


def _start_watchdog() -> subprocess.Popen[bytes] | None:
    command = [sys.executable, '-I', '-S', str(_WATCHDOG)]
    executable = Path(sys.argv[0]).stem or 'node'
    try:
        # A session of its own: Ctrl-C in a terminal must not end it.
        return subprocess.Popen(
            [*command, executable, str(os.getpid()), _ADVICE],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:  # a full process table: start all the same
        print(f'warning: a start that hangs will not be ended: {error}', file=sys.stderr)
        return None


def _end_watchdog() -> None:
    watchdog, _watch.watchdog = _watch.watchdog, None
    if watchdog is None:
        return
    watchdog.kill()
    watchdog.wait()
    if watchdog.stdin is not None:
        watchdog.stdin.close()
