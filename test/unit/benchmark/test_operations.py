# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""How much work a network is."""

from __future__ import annotations

from pathlib import Path
import sys

from benchmark.operations import conv_gflop, conv_parameters, main
import onnx
from onnx import helper, TensorProto
import pytest


def convolution(bias: bool) -> onnx.ModelProto:
    """Return a 3x3 convolution of 3 to 5 channels over 8x8 pixels, with a stride of 2."""
    values = [
        helper.make_tensor_value_info('x', TensorProto.FLOAT, [1, 3, 8, 8]),
        helper.make_tensor_value_info('y', TensorProto.FLOAT, [1, 5, 4, 4]),
    ]
    weights = [
        helper.make_tensor('w', TensorProto.FLOAT, [5, 3, 3, 3], [0.0] * 135),
        helper.make_tensor('b', TensorProto.FLOAT, [5], [0.0] * 5),
    ]
    names = ['x', 'w', 'b'] if bias else ['x', 'w']
    node = helper.make_node('Conv', names, ['y'], pads=[1, 1, 1, 1], strides=[2, 2])
    graph = helper.make_graph([node], 'g', values[:1], values[1:], weights[: len(names) - 1])
    return helper.make_model(graph)


@pytest.mark.parametrize('bias', [False, True])
def test_the_work_of_a_convolution(bias: bool) -> None:
    assert conv_gflop(convolution(bias)) * 1e9 == 2 * 16 * 5 * 27
    assert conv_parameters(convolution(bias)) == 135 + 5 * bias


def test_a_row_for_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / name for name in ('one.onnx', 'other.onnx')]
    for path in paths:
        onnx.save(convolution(True), str(path))
    monkeypatch.setattr(sys, 'argv', ['operations', *map(str, paths)])
    main()
    rows = capsys.readouterr().out.splitlines()[2:]
    assert rows == [f'| {path.name} | 0.0 | 0.00 | 0.00 |' for path in paths]
