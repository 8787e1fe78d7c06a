# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The closed loop with true depth: a few drives in real processes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
import subprocess
import sys

import pytest
import simulation

# mujoco itself is needed by the process that the test starts.
pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec('mujoco') is None,
        reason='needs mujoco (pip install -r simulation/requirements.txt)',
    ),
    pytest.mark.skipif(not simulation.CAN_RENDER, reason='rendering needs libegl1 or libosmesa6'),
]

RUNS = 3


@pytest.mark.slow
def test_oracle_drives_end_as_they_should(tmp_path: Path) -> None:
    pytest.importorskip('rclpy')
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
