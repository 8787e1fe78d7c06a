# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import Any

from benchmark.node.report import draw
import pytest

ROW = {
    'contestant': 'depth_node',
    'model': 'm.onnx',
    'input': 'vga_raw',
    'rate_hz': 30.0,
    'threads': 1,
    'transport': 'tuned',
    'latency_ms': {'p50': 40.0, 'p95': 45.0, 'p99': 50.0},
}
FAILED = {**ROW, 'rate_hz': 60.0, 'latency_ms': {'p50': None, 'p95': None, 'p99': None}}
SOAK = {
    'time_s': [1.0, 2.0],
    'latency_ms': [{'p50': 40.0, 'p99': 50.0}, {'p50': None, 'p99': None}],
    'rss_mb': [100.0, 101.0],
    'descriptors': [20, 20],
    'threads': [9, 9],
}


@pytest.mark.parametrize('soak', [None, SOAK])
@pytest.mark.parametrize('rows', [[], [ROW, FAILED]])
def test_whatever_was_measured_is_drawn(rows: list[dict[str, Any]], soak: Any) -> None:
    overhead = {'vga_raw': {'p50': 4.0, 'p95': 6.0}, 'hd_raw': {'p50': None, 'p95': None}}
    report = {
        'overhead_ms': overhead,
        'overhead_without_ros_ms': {'vga_raw': {'p50': 2.0, 'p95': 3.0}},
        'rows': rows,
        'soak': soak,
    }
    assert draw(report).startswith(b'\x89PNG')
