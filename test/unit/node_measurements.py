# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Measurements made up for tests: times in milliseconds, the window from 1 to 2 s."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.node.plan import OURS, Trial
from benchmark.node.summary import Measurement

MS = 10**6
TRIAL = Trial(OURS, Path('m.onnx'), 'vga_raw', 30.0, 1, 'tuned')


def measurement(
    frames_ms: Sequence[tuple[int, int]] = (), trial: Trial = TRIAL, **changes: Any
) -> Measurement:
    """Return a measurement with frames of stamp and arrival."""
    values: dict[str, Any] = {
        'window_ns': (1000 * MS, 2000 * MS),
        'published': 60,
        'lost': 0,
        'superseded': 0,
        'cpu_s': 0.5,
        'peak_mb': 100.0,
    } | changes
    frames_ns = [(stamp * MS, arrived * MS) for stamp, arrived in frames_ms]
    return Measurement(trial, frames_ns=frames_ns, **values)
