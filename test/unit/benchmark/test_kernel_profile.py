# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

from benchmark.kernel_profile import aggregate, measure
import onnx
import pytest
from tiny_models import write_model


def event(name: str, kernel: str, microseconds: int) -> dict[str, object]:
    return {
        'cat': 'Node', 'name': name, 'dur': microseconds,
        'args': {'op_name': kernel, 'output_type_shape': [{'float': [1, 8, 4, 4]}]},
    }  # fmt: skip


def test_kernels_are_summed_and_the_longest_layer_comes_first() -> None:
    events = [
        {'cat': 'Session', 'name': 'model_run', 'dur': 9},
        *(event('a_token_1_kernel_time', 'Conv', 1000 * ms) for ms in (1, 2, 30)),
        *(event('b_kernel_time', 'Conv', 5000) for _ in range(3)),
        *(event('c_kernel_time', 'Add', 500) for _ in range(6)),
    ]
    found = aggregate(events, 3, 0.014)
    assert found.operator_ms == {'Conv': 7.0, 'Add': 1.0}
    assert found.layers[0] == ('b', 'Conv', 'float 1x8x4x4', 5.0)
    assert (found.total_ms, found.conv_ms) == (8.0, 7.0)
    assert found.conv_gflops == pytest.approx(2.0)


def test_a_file_is_profiled(tmp_path: Path) -> None:
    path = write_model(tmp_path / 'tiny.onnx')
    peaks, profiles = measure([path], 1, 2)
    assert min(peaks.values()) > 0.0 and profiles[path].total_ms > 0.0
    assert isinstance(onnx.load(str(path)), onnx.ModelProto)
