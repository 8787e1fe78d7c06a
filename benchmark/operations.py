# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
How much work a network is, whatever the machine: operations, parameters and bytes of its files.

    python -m benchmark.operations MODEL.onnx...

Counted are the convolutions, two operations a multiplication and addition, and their weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx


def conv_gflop(model: onnx.ModelProto) -> float:
    """Return the work of a network's convolutions: two operations a multiplication."""
    work = sum(
        2 * int(np.prod(out)) * int(np.prod(taps[1:])) for out, taps, _ in _convolutions(model)
    )
    return work / 1e9


def conv_parameters(model: onnx.ModelProto) -> int:
    """Return the number of the weights and biases of a network's convolutions."""
    return sum(int(np.prod(taps)) + taps[0] * biased for _, taps, biased in _convolutions(model))


def _convolutions(model: onnx.ModelProto) -> Iterator[tuple[list[int], list[int], bool]]:
    """Yield the shapes of output and kernel of each, and whether it has a bias."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in [*inferred.value_info, *inferred.output, *inferred.input]
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in inferred.initializer}
    for node in inferred.node:
        if node.op_type == 'Conv':
            yield shapes[node.output[0]], shapes[node.input[1]], len(node.input) > 2


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(prog='python -m benchmark.operations', description=__doc__)
    parser.add_argument('models', type=Path, nargs='+')
    print('| file | MB | M parameters | GFLOP |\n|---|---|---|---|')
    for path in parser.parse_args().models:
        model = onnx.load(str(path))
        print(
            f'| {path.name} | {path.stat().st_size / 1e6:.1f} '
            f'| {conv_parameters(model) / 1e6:.2f} | {conv_gflop(model):.2f} |'
        )


if __name__ == '__main__':
    main()
