# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Weights and biases of a quantised model that answer like the float model, layer by layer.

Rounding each weight by itself moves the mean of a channel and more, and a chain of layers carries
that on. Here the convolutions are fitted in their order: each aims at what the float model's says,
for the inputs that the quantised layers before it give (:mod:`.weight_rounding`); what is left of
the error of each channel's mean goes into the bias (Nagel et al., Data-free quantization through
weight equalization and bias correction, ICCV 2019, with pictures instead of batch norms).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnx

from .activations import attributes_of, constants_of, Inside, Tensors
from .weight_rounding import round_together

# How many places of a layer's output are compared for each weight of an output, and at least.
_PLACES_A_WEIGHT, _LEAST_PLACES = 4, 6000
# Of one output; larger layers keep their rounding, and only their means are corrected.
_MOST_WEIGHTS = 2500

_OVER_SPACE = (0, 2, 3)


@dataclass(frozen=True)
class _Layer:
    """
    A quantised convolution.

    Attributes
    ----------
    conv : onnx.NodeProto
        In the quantised model.
    weight, bias : onnx.NodeProto
        What dequantises them.
    source_weight : ndarray of float32
        Of the float model.
    source_output : str
        Its output in the float model.

    """

    conv: onnx.NodeProto
    weight: onnx.NodeProto
    bias: onnx.NodeProto
    source_weight: NDArray[np.float32]
    source_output: str


class _Wanted:
    """What a layer of the float model says: at some places of each sample, and on average."""

    def __init__(self, layer: _Layer, samples: int, seed: int) -> None:
        self.places: list[NDArray[np.intp]] = []
        self.mean: NDArray[np.float64] | float = 0.0
        self._values: list[NDArray[np.float32]] = []
        self._samples = samples
        weights = layer.source_weight[0].size
        self._count = -(-max(_PLACES_A_WEIGHT * weights, _LEAST_PLACES) // samples)
        self._rng = np.random.default_rng(seed)

    def add(self, output: NDArray[np.float32]) -> None:
        """Add what it says of one more sample."""
        height, width = output.shape[2:]
        count = min(self._count, height * width)
        place = np.divmod(self._rng.choice(height * width, count, replace=False), width)
        self.places.append(np.stack(place))
        self._values.append(output[0][:, place[0], place[1]].T)
        self.mean = self.mean + output.mean(_OVER_SPACE, dtype=np.float64) / self._samples

    def take_values(self) -> NDArray[np.float64]:
        """Return what it says at all places, shape (N, channels), and forget it."""
        values, self._values = np.concatenate(self._values).astype(np.float64), []
        return values


def fit_layers(
    source: onnx.ModelProto, quantised: onnx.ModelProto, samples: Sequence[Tensors], limit: int
) -> int:
    """
    Fit the stored weights and biases of a quantised model to what the float model says.

    Scales and zero points stay, and so does the time that an inference takes.

    Parameters
    ----------
    source : onnx.ModelProto
        The float model that was quantised, for one picture at a time.
    quantised : onnx.ModelProto
        Its QDQ copy, with nodes of the same names; it is changed. A convolution stays as it is
        where it has no bias, or shares its weights or bias with another.
    samples : sequence of mapping
        Inputs by name; a few dozen varied ones.
    limit : int
        Greatest number of steps of a stored weight.

    Returns
    -------
    int
        How many layers were fitted.

    """
    layers = _layers_of(source, quantised)
    if not layers:
        return 0
    wanted = _wanted(source, layers, samples)
    stores = {tensor.name: tensor for tensor in quantised.graph.initializer}
    kept = [dict(sample) for sample in samples]
    parts = list(_parts(quantised.graph, layers))
    for number, (nodes, conv) in enumerate(parts):
        later = {name for part, _ in parts[number + 1 :] for node in part for name in node.input}
        if conv is None:
            break  # nothing that follows is fitted
        layer = layers[conv.name]
        told = wanted.pop(conv.name)
        _run(quantised, nodes[:-1], later | {conv.input[0]}, kept)
        if layer.source_weight[0].size <= _MOST_WEIGHTS:
            _fit_weights(layer, told, kept, stores, limit)
        _run(quantised, [conv], later | {conv.output[0]}, kept)
        _correct_means(layer, told, kept, stores)
    return len(layers)


def _layers_of(source: onnx.ModelProto, quantised: onnx.ModelProto) -> dict[str, _Layer]:
    """Return the convolutions with quantised weights and biases of their own, by name."""
    constants = constants_of(source.graph)
    origins = {node.name: node for node in source.graph.node if node.op_type == 'Conv'}
    dequantised = {
        node.output[0]: node for node in quantised.graph.node if node.op_type == 'DequantizeLinear'
    }
    uses = Counter(name for node in quantised.graph.node for name in node.input)
    layers = {}
    for node in quantised.graph.node:
        if node.name not in origins or len(node.input) < 3:
            continue
        weight, bias = (dequantised.get(name) for name in node.input[1:3])
        # Equal constants are stored once; what another layer reads too cannot be fitted to one.
        if (
            weight is None
            or bias is None
            or any(uses[name] > 1 for name in (*node.input[1:3], weight.input[0], bias.input[0]))
        ):
            continue
        origin = origins[node.name]
        layers[node.name] = _Layer(
            node, weight, bias, constants[origin.input[1]], origin.output[0]
        )
    return layers


def _wanted(
    source: onnx.ModelProto, layers: Mapping[str, _Layer], samples: Sequence[Tensors]
) -> dict[str, _Wanted]:
    wanted = {
        name: _Wanted(layer, len(samples), seed)
        for seed, (name, layer) in enumerate(layers.items())
    }
    inside = Inside(source, [layer.source_output for layer in layers.values()])
    for sample in samples:
        tensors = inside.read(sample)
        for name, layer in layers.items():
            wanted[name].add(tensors[layer.source_output])
    return wanted


def _fit_weights(
    layer: _Layer,
    wanted: _Wanted,
    kept: Sequence[Tensors],
    stores: Mapping[str, onnx.TensorProto],
    limit: int,
) -> None:
    """Store the weights and biases that come nearest to what is wanted at the places."""
    weight = layer.source_weight.astype(np.float64)
    scale = np.broadcast_to(_stored(stores, layer.weight.input[1]), len(weight)).astype(np.float64)
    inputs = np.concatenate(
        [
            _inputs_at(tensors[layer.conv.input[0]], layer, places)
            for tensors, places in zip(kept, wanted.places, strict=True)
        ]
    )
    values = wanted.take_values()
    stored = np.empty((len(weight), weight[0].size), np.int8)
    bias = np.empty(len(weight))
    groups = inputs.shape[1]
    for group, own in enumerate(np.split(np.arange(len(weight)), groups)):
        stored[own], bias[own] = round_together(
            weight[own].reshape(len(own), -1),
            scale[own],
            inputs[:, group].astype(np.float64),
            values[:, own],
            limit,
        )
    _store(stores, layer.weight.input[0], stored.reshape(weight.shape))
    _store(stores, layer.bias.input[0], bias / _stored(stores, layer.bias.input[1]))


def _correct_means(
    layer: _Layer,
    wanted: _Wanted,
    kept: Sequence[dict[str, NDArray[np.float32]]],
    stores: Mapping[str, onnx.TensorProto],
) -> None:
    """Let the mean of each channel be right over all of every sample."""
    output, bias = layer.conv.output[0], layer.bias.input[0]
    mean = np.mean([tensors[output].mean(_OVER_SPACE, dtype=np.float64) for tensors in kept], 0)
    scale, before = _stored(stores, layer.bias.input[1]), _stored(stores, bias)
    _store(stores, bias, before + (wanted.mean - mean) / scale)
    added = ((_stored(stores, bias) - before) * scale).astype(np.float32).reshape(1, -1, 1, 1)
    for tensors in kept:
        tensors[output] = tensors[output] + added


def _stored(stores: Mapping[str, onnx.TensorProto], name: str) -> NDArray[np.float64]:
    return np.asarray(onnx.numpy_helper.to_array(stores[name]), np.float64)


def _store(stores: Mapping[str, onnx.TensorProto], name: str, values: NDArray[Any]) -> None:
    """Replace a constant of whole numbers, rounded."""
    kind = onnx.numpy_helper.to_array(stores[name]).dtype
    limits = np.iinfo(kind)
    whole = np.clip(np.rint(values), limits.min, limits.max).astype(kind)
    stores[name].CopyFrom(onnx.numpy_helper.from_array(whole, name))


def _inputs_at(
    tensor: NDArray[np.float32], layer: _Layer, places: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return what a convolution reads at places of its output: (places, groups, weights)."""
    attributes = attributes_of(layer.conv)
    top, left, bottom, right = attributes.get('pads', [0, 0, 0, 0])
    strides, dilations = attributes.get('strides', [1, 1]), attributes.get('dilations', [1, 1])
    padded = np.pad(tensor[0], ((0, 0), (top, bottom), (left, right)))
    rows, columns = (
        places[axis][:, np.newaxis] * strides[axis]
        + np.arange(layer.source_weight.shape[2 + axis]) * dilations[axis]
        for axis in (0, 1)
    )
    read = padded[:, rows[:, :, np.newaxis], columns[:, np.newaxis, :]].swapaxes(0, 1)
    inputs: NDArray[np.float32] = read.reshape(len(read), attributes.get('group', 1), -1)
    return inputs


def _parts(
    graph: onnx.GraphProto, layers: Mapping[str, _Layer]
) -> Iterator[tuple[list[onnx.NodeProto], onnx.NodeProto | None]]:
    """Cut the nodes behind every layer: yield what runs in one piece, and the layer."""
    constant = _constant_nodes(graph)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.output[0] in constant:
            continue
        nodes.append(node)
        if node.name in layers:
            yield nodes, node
            nodes = []
    yield nodes, None


def _constant_nodes(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """Return the nodes that depend on constants alone, by output."""
    known = {tensor.name for tensor in graph.initializer} | {''}
    constant: dict[str, onnx.NodeProto] = {}
    for node in graph.node:
        if known.issuperset(node.input):
            known.update(node.output)
            constant.update(dict.fromkeys(node.output, node))
    return constant


def _run(
    model: onnx.ModelProto,
    nodes: Sequence[onnx.NodeProto],
    needed: set[str],
    kept: Sequence[dict[str, NDArray[np.float32]]],
) -> None:
    """Run some nodes on what is kept of each sample; keep of it all what is needed."""
    outputs = [name for node in nodes for name in node.output if name in needed]
    inside = Inside(_model_of(model, nodes, kept[0]), outputs, literal=True) if outputs else None
    for tensors in kept:
        if inside:
            tensors.update(inside.read(tensors))
        for name in tensors.keys() - needed:
            del tensors[name]


def _model_of(
    model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], given: Tensors
) -> onnx.ModelProto:
    """Return some nodes of a model, and the constants that they need, as a model of their own."""
    constant = _constant_nodes(model.graph)
    before: dict[str, onnx.NodeProto] = {}
    todo = [name for node in nodes for name in node.input]
    while todo:
        name = todo.pop()
        if name in constant and name not in before:
            before |= dict.fromkeys(constant[name].output, constant[name])
            todo.extend(constant[name].input)
    made = set(before)
    first = [node for node in model.graph.node if node.output and node.output[0] in made]
    used = {name for node in (*first, *nodes) for name in node.input}
    inputs = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in given.items()
        if name in used
    ]
    initializers = [tensor for tensor in model.graph.initializer if tensor.name in used]
    graph = onnx.helper.make_graph([*first, *nodes], 'part', inputs, [], initializers)
    return onnx.helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version
    )
