# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
FCRN ResNet-50 (Laina et al. 2016) as an ONNX graph, built from the published weights.

Notes
-----
The graph computes what the authors' TensorFlow release computes, arranged for speed: every batch
normalisation is folded into the convolution before it (also into the four that are interleaved
after it), ReLU comes before the interleave, where it fuses with its convolution, and the strides
of a stage move to where the stage before ends.

Three details differ from the paper and from most ports, and matter: the pads of the four
up-projection convolutions, a first max-pool that pads below and to the right only, and an epsilon
of 1e-4.

"""

from __future__ import annotations

from collections.abc import Sequence
import enum
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnx
from onnx import helper, numpy_helper, TensorProto

from .weights import RESIDUAL_STAGES, UP_PROJECTIONS, Weights

INPUT_HEIGHT = 228
INPUT_WIDTH = 304
OUTPUT_HEIGHT = 128
OUTPUT_WIDTH = 160

EPSILON = 1e-4
_OPSET = 17
_IR_VERSION = 8
# top, left, bottom, right, as ONNX wants them.
BRANCH_PADS = {'A': (1, 1, 1, 1), 'B': (1, 1, 0, 1), 'C': (1, 1, 1, 0), 'D': (1, 1, 0, 0)}
# Output pixel [2i + y, 2j + x] comes from A, C, B, D for (y, x) = (0, 0), (0, 1), (1, 0), (1, 1).
INTERLEAVE_ORDER = ('A', 'C', 'B', 'D')


class Interleave(enum.Enum):
    """
    How the four maps of an up-projection become one of twice the size.

    DEPTH_TO_SPACE is one operator, the fastest in floating point. CHANNELS_LAST spells it as
    reshapes and transposes that runtimes cancel against their own channels-last layout of
    quantised convolutions.
    """

    DEPTH_TO_SPACE = 'depth_to_space'
    CHANNELS_LAST = 'channels_last'


def build_fcrn(
    weights: Weights,
    *,
    interleave: Interleave = Interleave.DEPTH_TO_SPACE,
    half_precision: bool = False,
) -> onnx.ModelProto:
    """
    Build the network.

    Parameters
    ----------
    weights : dict
        Checked weights (:func:`.fcrn_weights.check_weights`). They are taken out of the dict as
        they are used, so that a quarter of a gigabyte is not held twice.
    interleave : Interleave
        Form of the up-projections' interleave; the values are the same.
    half_precision : bool
        Store weights and compute in float16, with casts at the input and the output.

    Returns
    -------
    onnx.ModelProto
        Input `image` float32 (1, 3, 228, 304), RGB 0..255; output `depth` float32
        (1, 1, 128, 160), metres. It carries no model card yet.

    """
    graph = _GraphBuilder(weights, np.float16 if half_precision else np.float32)
    tensor = 'image'
    if half_precision:
        tensor = graph.add('Cast', [tensor], to=TensorProto.FLOAT16)

    tensor = graph.convolution(tensor, 'conv1', 'bn_conv1', (3, 3, 3, 3), stride=2, relu=True)
    tensor = graph.add('MaxPool', [tensor], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1])
    for stage, (blocks, _, _) in RESIDUAL_STAGES.items():
        for block in blocks:
            tensor = _residual_block(graph, tensor, stage, block)
    tensor = graph.convolution(tensor, 'layer1', 'layer1_BN')
    # Rows and columns after five halvings of the input, rounded up.
    height, width = -(-INPUT_HEIGHT // 32), -(-INPUT_WIDTH // 32)
    for name, (_, channels) in UP_PROJECTIONS.items():
        tensor = _up_projection(graph, tensor, name, (height, width, channels), interleave)
        height, width = 2 * height, 2 * width
    tensor = graph.convolution(tensor, 'ConvPred', None, (1, 1, 1, 1), relu=True)
    if half_precision:
        tensor = graph.add('Cast', [tensor], to=TensorProto.FLOAT)
    graph.nodes[-1].output[0] = 'depth'
    return graph.model()


def _residual_block(graph: _GraphBuilder, tensor: str, stage: str, block: str) -> str:
    # The authors begin a stage by taking every second row and column. That is done at the end of
    # the stage before, so that what would be left out is not computed: 3 % of the whole.
    thins_out = stage != '5' and block == RESIDUAL_STAGES[stage][0][-1]
    names = {
        branch: (f'res{stage}{block}_branch{branch}', f'bn{stage}{block}_branch{branch}')
        for branch in ('1', '2a', '2b', '2c')
    }
    shortcut = tensor
    if block == 'a':
        shortcut = graph.convolution(tensor, *names['1'])
    elif thins_out:
        shortcut = graph.add('MaxPool', [tensor], kernel_shape=[1, 1], strides=[2, 2])
    tensor = graph.convolution(tensor, *names['2a'], relu=True)
    stride = 2 if thins_out else 1
    tensor = graph.convolution(tensor, *names['2b'], (1, 1, 1, 1), stride=stride, relu=True)
    tensor = graph.convolution(tensor, *names['2c'])
    return graph.add('Relu', [graph.add('Add', [tensor, shortcut])])


def _up_projection(
    graph: _GraphBuilder,
    tensor: str,
    name: str,
    shape: tuple[int, int, int],
    interleave: Interleave,
) -> str:
    branches = {}
    for branch in ('br1', 'br2'):
        maps = [
            graph.convolution(
                tensor,
                f'{name}_{branch}_Conv{letter}',
                f'{name}_{branch}_BN',
                BRANCH_PADS[letter],
                relu=branch == 'br1',
            )
            for letter in INTERLEAVE_ORDER
        ]
        branches[branch] = graph.interleave(maps, shape, interleave)
        graph.forget(f'{name}_{branch}_BN')
    main = graph.convolution(branches['br1'], f'{name}_Conv', f'{name}_BN', (1, 1, 1, 1))
    return graph.add('Relu', [graph.add('Add', [main, branches['br2']])])


class _GraphBuilder:
    """Collects nodes and initializers; every method returns the name of its output."""

    def __init__(self, weights: Weights, dtype: type[np.floating[Any]]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._weights = weights
        self._dtype = dtype

    def add(self, operator: str, inputs: Sequence[str], name: str = '', **attributes: Any) -> str:
        name = name or f'{operator.lower()}_{len(self.nodes)}'
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, array: NDArray[Any]) -> str:
        self._initializers.append(numpy_helper.from_array(array, name))
        return name

    def convolution(
        self,
        tensor: str,
        layer: str,
        normalisation: str | None,
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
        *,
        stride: int = 1,
        relu: bool = False,
    ) -> str:
        parameters = self._weights.pop(layer)
        kernel = parameters['weights']
        bias = parameters.get('biases', np.zeros(kernel.shape[-1], np.float32))
        if normalisation is not None:
            kernel, bias = _fold(kernel, bias, self._weights[normalisation])
        kernel_name = self.constant(
            f'{layer}.weight', np.ascontiguousarray(kernel.transpose(3, 2, 0, 1), self._dtype)
        )
        output = self.add(
            'Conv',
            [tensor, kernel_name, self.constant(f'{layer}.bias', bias.astype(self._dtype))],
            layer,
            kernel_shape=kernel.shape[:2],
            pads=pads,
            strides=[stride, stride],
        )
        return self.add('Relu', [output]) if relu else output

    def forget(self, layer: str) -> None:
        self._weights.pop(layer)

    def interleave(
        self, maps: Sequence[str], shape: tuple[int, int, int], form: Interleave
    ) -> str:
        stacked = self.add('Concat', maps, axis=1)
        if form is Interleave.DEPTH_TO_SPACE:
            return self.add('DepthToSpace', [stacked], blocksize=2, mode='DCR')
        height, width, channels = shape
        tensor = self.add('Transpose', [stacked], perm=[0, 2, 3, 1])
        tensor = self._reshape(tensor, [1, height, width, 2, 2, channels])
        tensor = self.add('Transpose', [tensor], perm=[0, 1, 3, 2, 4, 5])
        tensor = self._reshape(tensor, [1, 2 * height, 2 * width, channels])
        return self.add('Transpose', [tensor], perm=[0, 3, 1, 2])

    def _reshape(self, tensor: str, shape: Sequence[int]) -> str:
        name = self.constant(f'shape_{len(self.nodes)}', np.array(shape, np.int64))
        return self.add('Reshape', [tensor, name])

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            'fcrn_resnet50',
            [_float_tensor('image', 3, INPUT_HEIGHT, INPUT_WIDTH)],
            [_float_tensor('depth', 1, OUTPUT_HEIGHT, OUTPUT_WIDTH)],
        )
        # One by one, so that a weight is not held by the list and the graph at once.
        self._initializers.reverse()
        while self._initializers:
            graph.initializer.append(self._initializers.pop())
        return helper.make_model(
            graph,
            producer_name='fcrn_depth_ros',
            opset_imports=[helper.make_opsetid('', _OPSET)],
            ir_version=_IR_VERSION,
        )


def _fold(
    kernel: NDArray[np.float32], bias: NDArray[np.float32], normalisation: dict[str, NDArray[Any]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    statistics = {key: value.astype(np.float64) for key, value in normalisation.items()}
    factor = statistics['scale'] / np.sqrt(statistics['variance'] + EPSILON)
    folded_bias = (bias - statistics['mean']) * factor + statistics['offset']
    return kernel * factor.astype(np.float32), folded_bias.astype(np.float32)


def _float_tensor(name: str, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *shape])
