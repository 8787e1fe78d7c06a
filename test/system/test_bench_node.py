# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The benchmark of the node from end to end, with a network that takes no time."""

from __future__ import annotations

import json
from pathlib import Path
import subprocess
import sys

import pytest
from tiny_models import write_model


@pytest.mark.slow
def test_every_contestant_is_measured(tmp_path: Path) -> None:
    model = write_model(tmp_path / 'tiny.onnx')
    done = subprocess.run(
        [
            *(sys.executable, '-m', 'benchmark.node', '--models', str(model)),
            *('--inputs', 'vga_raw', '--rates', '15', '--threads', '1', '--transports', 'tuned'),
            *('--seconds', '2', '--rounds', '1', '--soak', '0.05'),
            *('--output', str(tmp_path / 'out')),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / 'out.json').read_text())
    assert report['overhead_ms']['vga_raw']['p50'] > 0.0
    assert report['overhead_of_relay_ms']['vga_raw']['p50'] > 0.0
    assert report['against_tutorial']['latency_p95_ratio'] > 0.0
    assert report['soak']['p99_first_ms'] > 0.0
    # The tutorial node twice: with our number of threads, and with ONNX Runtime's own choice.
    assert [row['contestant'] for row in report['rows']] == [
        'depth_node',
        'tutorial node',
        'without ROS',
        'tutorial node',
    ]
    assert all(row['fps'] > 0.0 for row in report['rows'])
    assert (tmp_path / 'out.md').read_text() in done.stdout
