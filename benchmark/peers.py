# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Other runtimes for the same ONNX files; each is optional."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnx
from onnx import numpy_helper

Picture = NDArray[np.float32]


def openvino_runner(path: Path, threads: int, precision: str) -> Callable[[Picture], object]:
    """Open a file in OpenVINO, for the least latency; precision is ``f32`` or ``bf16``."""
    import openvino

    compiled = openvino.Core().compile_model(
        str(path),
        'CPU',
        {
            'INFERENCE_NUM_THREADS': threads,
            'PERFORMANCE_HINT': 'LATENCY',
            'INFERENCE_PRECISION_HINT': precision,
        },
    )
    request = compiled.create_infer_request()
    return lambda picture: request.infer({0: picture})


def torch_runner(path: Path, *, compiled: bool) -> Callable[[Picture], object]:
    """Run the graph of a float file with PyTorch's functions, channels last."""
    import torch

    network = _graph_as_module(path).eval().to(memory_format=torch.channels_last)
    function: Callable[..., Any] = torch.compile(network) if compiled else network

    def run(picture: Picture) -> object:
        with torch.inference_mode():
            tensor = torch.from_numpy(picture).contiguous(memory_format=torch.channels_last)
            return function(tensor).numpy()

    return run


def _graph_as_module(path: Path) -> Any:
    import torch
    from torch.nn import functional

    graph = onnx.load(str(path)).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = [
        (
            node.op_type,
            list(node.input),
            node.output[0],
            {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute},
        )
        for node in graph.node
    ]

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tensors = torch.nn.ParameterDict(
                {
                    name.replace('.', '-'): torch.from_numpy(array.copy())
                    for name, array in arrays.items()
                    if array.dtype == np.float32
                }
            )

        def forward(self, picture: Any) -> Any:
            values = {'image': picture}
            for operator, inputs, output, attributes in nodes:
                x: Any = values[inputs[0]] if operator != 'Concat' else None
                if operator == 'Conv':
                    top, left, bottom, right = attributes['pads']
                    if (top, left) != (bottom, right):
                        x, top, left = functional.pad(x, (left, right, top, bottom)), 0, 0
                    kernel, bias = (self.tensors[name.replace('.', '-')] for name in inputs[1:])
                    stride = tuple(attributes.get('strides', (1, 1)))
                    values[output] = functional.conv2d(x, kernel, bias, stride, (top, left))
                elif operator == 'Relu':
                    values[output] = functional.relu(x)
                elif operator == 'Add':
                    values[output] = x + values[inputs[1]]
                elif operator == 'MaxPool':
                    top, left, bottom, right = attributes.get('pads', (0, 0, 0, 0))
                    x = functional.pad(x, (left, right, top, bottom))
                    size, stride = attributes['kernel_shape'], attributes['strides']
                    values[output] = functional.max_pool2d(x, tuple(size), tuple(stride))
                elif operator == 'Concat':
                    values[output] = torch.cat([values[name] for name in inputs], 1)
                elif operator == 'DepthToSpace':
                    _, channels, height, width = x.shape
                    blocks = x.reshape(1, 2, 2, channels // 4, height, width)
                    values[output] = blocks.permute(0, 3, 4, 1, 5, 2).reshape(
                        1, channels // 4, 2 * height, 2 * width
                    )
                elif operator == 'Reshape':
                    values[output] = x.reshape(tuple(arrays[inputs[1]].tolist()))
                elif operator == 'Pad':
                    values[output] = functional.pad(x, (0, 1, 0, 0, 0, 1))
                else:
                    raise NotImplementedError(operator)
            return values['depth']

    return Network()
