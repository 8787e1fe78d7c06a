# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a node or a command sets of its process before NumPy is loaded."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
{begin}
import numpy, os
numpy.ones((300, 300)) @ numpy.ones((300, 300))
print(os.environ.get('OPENBLAS_NUM_THREADS'), len(os.listdir('/proc/self/task')))
"""
NODE = 'import fcrn_depth_ros.nodes.depth_node'
COMMAND = """
import contextlib
from fcrn_depth_ros.__main__ import main
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(None):
    main(['{command}', '--help'])
"""


def run(begin: str = NODE, **chosen: str) -> tuple[str, int]:
    """Return what NumPy is told in a process, and how many threads it has."""
    names = ('OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS')
    environment = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM.format(begin=begin)],
        env=environment | chosen,
        capture_output=True,
        text=True,
        check=True,
    )
    told, count = done.stdout.split()
    return told, int(count)


def test_linear_algebra_has_one_thread() -> None:
    told, threads = run()
    assert told == '1'
    if (os.cpu_count() or 1) > 1:
        assert run(OPENBLAS_NUM_THREADS='2')[1] > threads


@pytest.mark.parametrize(
    ('chosen', 'told'),
    [({'OPENBLAS_NUM_THREADS': '3'}, '3'), ({'OMP_NUM_THREADS': '2'}, 'None')],
)
def test_what_the_user_sets_stands(chosen: dict[str, str], told: str) -> None:
    assert run(**chosen)[0] == told


@pytest.mark.parametrize(
    ('begin', 'told'),
    [
        (COMMAND.format(command='bag'), '1'),
        (COMMAND.format(command='calibrate'), '1'),
        # Its matrices are large: as many threads as NumPy likes.
        (COMMAND.format(command='quantize'), 'None'),
        ('import simulation', '1'),
    ],
)
def test_commands_that_follow_the_scale_do_the_same(begin: str, told: str) -> None:
    assert run(begin)[0] == told
