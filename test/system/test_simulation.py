# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The closed loop with true depth: a few drives in real processes."""

from __future__ import annotations

import ctypes.util
import json
from pathlib import Path
import subprocess
import sys

import pytest

pytest.importorskip('rclpy', reason='the closed loop needs ROS 2')
if not any(map(ctypes.util.find_library, ('EGL', 'OSMesa'))):
    pytest.skip('rendering needs libegl1 or libosmesa6', allow_module_level=True)
# In a process of its own: mujoco reads MUJOCO_GL when it is first imported.
if subprocess.run(
    [sys.executable, '-c', 'import simulation, mujoco'], capture_output=True
).returncode:
    pytest.skip('mujoco is not installed (simulation/requirements.txt)', allow_module_level=True)

RUNS = 3


@pytest.mark.slow
def test_oracle_drives_end_as_they_should(tmp_path: Path) -> None:
    figures_file = tmp_path / 'figures.json'
    command = [
        sys.executable, '-m', 'simulation.simulate', '--oracle', '--runs', str(RUNS),
        '--seed', '7', '--json', str(figures_file), '--out', str(tmp_path / 'out'),
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode in (0, 1), run.stdout + run.stderr
    figures = json.loads(figures_file.read_text())
    if figures['not_judged']:
        pytest.skip('the machine is too busy for a simulation in real time')
    assert run.returncode == 0, run.stdout + run.stderr
    assert figures['runs'] == RUNS
    assert figures['collisions'] == figures['false_stops'] == figures['never_stopped'] == 0
    assert [drive['outcome'] for drive in figures['list']] == ['passed', 'passed', 'stopped']
    assert figures['smallest_clearance_m'] > 0.0
    assert not list((tmp_path / 'out').glob('failed_*.png'))
    assert f'run {RUNS - 1}: toward -> stopped' in run.stdout
