# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A node ends cleanly however often it is told to."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signals_that_follow_the_first_do_not_kill(number: int) -> None:
    """Ctrl-C reaches a launched node twice: from the terminal, and from launch."""
    pytest.importorskip('rclpy')
    command = [sys.executable, '-m', 'fcrn_depth_ros.nodes.alert_node']
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while 'STOP' not in (line := process.stderr.readline()):
            assert line, 'the node ended before it was up'
        while process.poll() is None:
            process.send_signal(number)
            time.sleep(0.002)
        assert process.returncode == 0, process.stderr.read()
