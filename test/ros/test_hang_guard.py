# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A start that hangs is ended, however deaf the interpreter is; one that is slow is not."""

from __future__ import annotations

import os
from pathlib import Path
import signal
import subprocess
import sys

from fcrn_depth_ros.errors import ConfigurationError
from fcrn_depth_ros.ros.hang_guard import DEFAULT_LIMIT_S, limit_from_environment, LIMIT_VARIABLE
import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='needs libc')

ROOT = Path(__file__).resolve().parents[2]
PRELUDE = """
import ctypes, faulthandler, signal, sys, time
from fcrn_depth_ros.ros.hang_guard import must_end
faulthandler.enable()
signal.signal(signal.SIGTERM, lambda number, frame: None)  # as run_nodes: the loop ends later
def deadlock(library):
    mutex = ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)
def hang(): deadlock(ctypes.PyDLL(None))  # keeps the interpreter's lock
def wait(): deadlock(ctypes.CDLL(None))  # gives it away, as rclpy does
"""


def start(script: str, limit: str = '0.4') -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, '-c', PRELUDE + script],
        env={**os.environ, 'PYTHONPATH': str(ROOT), LIMIT_VARIABLE: limit},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize('hang', ['hang', 'wait'])
def test_a_hang_is_aborted_with_a_message_and_the_stacks(hang: str) -> None:
    process = start(f"with must_end('the start'):\n    {hang}()\n")
    _, log = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGABRT
    assert 'the start must end within 0.4 s' in log
    assert 'Fast DDS' in log and LIMIT_VARIABLE in log
    assert f'in {hang}\n' in log  # faulthandler's stacks


def test_a_hang_that_is_deaf_to_sigterm_is_aborted() -> None:
    process = start("with must_end('the start'):\n    print('up', flush=True)\n    hang()\n")
    assert process.stdout is not None and process.stdout.readline() == 'up\n'
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGABRT


@pytest.mark.parametrize(
    'script',
    [
        "with must_end('loading', 3600.0):\n    time.sleep(1.5)\n",
        "with must_end('the start'):\n    pass\ntime.sleep(1.5)\n",
        # Each inner block has the time to itself, and what follows it begins anew.
        "with must_end('the start'):\n"
        '    for _ in range(2):\n'
        '        time.sleep(0.6)\n'
        "        with must_end('a step'):\n"
        '            time.sleep(0.6)\n',
    ],
    ids=['may take longer', 'ended', 'steps'],
)
def test_what_ends_in_time_is_left_alone(script: str) -> None:
    process = start(script, '1')
    _, log = process.communicate(timeout=60)
    assert (process.returncode, log) == (0, '')


def test_a_hang_after_an_inner_step_is_aborted_too() -> None:
    step = "    with must_end('a step', 60.0):\n        pass\n"
    process = start(f"with must_end('the start'):\n{step}    hang()\n")
    _, log = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGABRT
    assert 'the start must end' in log


def test_zero_switches_the_guard_off() -> None:
    process = start("with must_end('the start'):\n    print('up', flush=True)\n    wait()\n", '0')
    assert process.stdout is not None and process.stdout.readline() == 'up\n'
    children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text()
    process.kill()
    process.communicate(timeout=60)
    assert children == ''


def test_the_watchdog_does_not_outlive_a_process_that_is_killed() -> None:
    process = start("with must_end('the start'):\n    print('up', flush=True)\n    wait()\n", '60')
    assert process.stdout is not None and process.stdout.readline() == 'up\n'
    process.kill()
    # The watchdog shares its standard error: the end of that is the end of both.
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(('text', 'limit_s'), [('', DEFAULT_LIMIT_S), ('0', 0.0), ('2.5', 2.5)])
def test_the_limit_of_the_environment(text: str, limit_s: float) -> None:
    assert limit_from_environment({LIMIT_VARIABLE: text}) == limit_s
    assert limit_from_environment({}) == DEFAULT_LIMIT_S


@pytest.mark.parametrize('text', ['-1', 'soon', 'nan', 'inf'])
def test_a_limit_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=LIMIT_VARIABLE):
        limit_from_environment({LIMIT_VARIABLE: text})
