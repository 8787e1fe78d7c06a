# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Real-time scheduling, each case in a process of its own."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, os, threading, time
from pathlib import Path
from fcrn_depth_ros.ros.real_time import ask_for_real_time
{before}
asked = threading.Event()
def is_ordinary():
    asked.wait()
    # One write: the lines of two threads must not mix.
    os.write(1, f'{{os.sched_getscheduler(0) == os.SCHED_OTHER}}\\n'.encode())
earlier, later = threading.Thread(target=is_ordinary), threading.Thread(target=is_ordinary)
earlier.start()
# A thread that Python did not make stands for one of the middleware's.
libc = ctypes.CDLL(None)
libc.pthread_create(ctypes.byref(ctypes.c_ulong()), None, libc.pause, None)
native = {{int(task.name) for task in Path('/proc/self/task').iterdir()}} - {{
    thread.native_id for thread in threading.enumerate()}}
print(ask_for_real_time({priority}))
def is_real_time(thread):
    return os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR
print(is_real_time(0), [is_real_time(thread) for thread in native])
asked.set()
later.start()
earlier.join(); later.join()
os._exit(0)
"""


def may_set_real_time():
    """Return whether this user may have real-time threads."""
    return (
        subprocess.run(
            [
                sys.executable,
                '-c',
                'import os; os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))',
            ],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )


def run(priority, before=''):
    script = SCRIPT.format(priority=priority, before=before)
    return subprocess.run(
        [sys.executable, '-u', '-c', script],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()


@pytest.mark.skipif(not hasattr(os, 'sched_setscheduler'), reason='needs Linux')
def test_zero_leaves_scheduling_alone():
    assert run(0) == ['ordinary', 'False [False]', 'True', 'True']


@pytest.mark.skipif(not may_set_real_time(), reason='needs the right to real-time threads')
def test_the_caller_and_the_middleware_are_real_time_and_other_threads_are_not():
    assert run(7) == ['round robin 7', 'True [True]', 'True', 'True']


@pytest.mark.skipif(not hasattr(os, 'sched_setscheduler'), reason='needs Linux')
def test_a_refusal_is_told_and_changes_nothing():
    before = (
        'def refuse(*_): raise PermissionError(1, "Operation not permitted")\n'
        'os.sched_setscheduler = refuse'
    )
    answer, is_real_time, *_ = run(7, before)
    assert answer == ('ordinary, real time was refused: [Errno 1] Operation not permitted')
    assert is_real_time == 'False [False]'
