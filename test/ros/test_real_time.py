# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Real-time scheduling, each case in a process of its own."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, threading
from fcrn_depth_ros.ros.real_time import ask_for_real_time
{before}
print(ask_for_real_time({priority}))
print(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR)
def later(): print(os.sched_getscheduler(0) == os.SCHED_OTHER)
thread = threading.Thread(target=later); thread.start(); thread.join()
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
        [sys.executable, '-c', script],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()


@pytest.mark.skipif(not hasattr(os, 'sched_setscheduler'), reason='needs Linux')
def test_zero_leaves_scheduling_alone():
    assert run(0) == ['ordinary', 'False', 'True']


@pytest.mark.skipif(not may_set_real_time(), reason='needs the right to real-time threads')
def test_threads_of_now_are_real_time_and_later_ones_are_not():
    assert run(7) == ['round robin 7', 'True', 'True']


@pytest.mark.skipif(not hasattr(os, 'sched_setscheduler'), reason='needs Linux')
def test_a_refusal_is_told_and_changes_nothing():
    before = (
        'def refuse(*_): raise PermissionError(1, "Operation not permitted")\n'
        'os.sched_setscheduler = refuse'
    )
    answer, is_real_time, _ = run(7, before)
    assert answer == ('ordinary, real time was refused: [Errno 1] Operation not permitted')
    assert is_real_time == 'False'
