# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""FCRN ResNet-50 with random weights, as this package builds it and as ports usually do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fcrn_depth_ros.report.output_files import write_bytes
from fcrn_depth_ros.tools.fcrn.graph import build_fcrn, Interleave
from fcrn_depth_ros.tools.fcrn.import_weights import fcrn_card
from fcrn_depth_ros.tools.fcrn.weights import BRANCH_KERNELS, fcrn_layout, Weights
from fcrn_depth_ros.tools.measure.quantization import quantize_file
import numpy as np
import onnx
from onnx import helper, numpy_helper

# Speed does not depend on how well the ranges are calibrated.
_CALIBRATION_PICTURES = 2


def random_weights(seed: int = 0) -> Weights:
    """Return weights of the published layout that keep activations in range."""
    random = np.random.default_rng(seed)
    weights: Weights = {}
    for layer, parameters in fcrn_layout().items():
        weights[layer] = {}
        for name, shape in parameters.items():
            if name == 'weights':
                values = random.standard_normal(shape, np.float32)
                values *= np.float32(np.sqrt(1.6 / np.prod(shape[:-1])))
            elif name in ('variance', 'scale'):
                values = random.uniform(0.6, 1.1, shape).astype(np.float32)
            else:
                values = (0.1 * random.standard_normal(shape)).astype(np.float32)
            weights[layer][name] = values
    return weights


def write_models(folder: Path) -> dict[str, Path]:
    """
    Write the networks that are not there yet.

    Parameters
    ----------
    folder : Path
        Kept for the next run; about 0.6 GB.

    Returns
    -------
    dict
        ``fp32``, ``naive`` (zeros put between the pixels, then 5x5), ``int8``.

    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f'fcrn_{name}.onnx' for name in ('fp32', 'naive', 'int8')}
    metadata = fcrn_card(Path('random'), 'fp32').to_metadata()
    if not files['fp32'].exists() or not files['naive'].exists():
        model = build_fcrn(random_weights())
        helper.set_model_props(model, metadata)
        write_bytes(files['fp32'], model.SerializeToString())
        write_bytes(files['naive'], naive_form(model).SerializeToString())
    if not files['int8'].exists():
        model = build_fcrn(random_weights(), interleave=Interleave.CHANNELS_LAST)
        helper.set_model_props(model, metadata)
        source = folder / 'channels_last.onnx'
        write_bytes(source, model.SerializeToString())
        random = np.random.default_rng(1)
        pictures = (
            {'image': random.integers(0, 256, (1, 3, 228, 304)).astype(np.float32)}
            for _ in range(_CALIBRATION_PICTURES)
        )
        quantize_file(source, files['int8'], pictures, 'image')
        source.unlink()
    return files


def naive_form(model: onnx.ModelProto) -> onnx.ModelProto:
    """
    Put one 5x5 convolution over an unpooled map in place of the four interleaved ones.

    Parameters
    ----------
    model : onnx.ModelProto
        What :func:`~fcrn_depth_ros.tools.fcrn.graph.build_fcrn` returns, with DepthToSpace.

    Returns
    -------
    onnx.ModelProto
        The paper's up-projection as ports write it: the same weights and work for the same
        map sizes, three quarters of it on zeros. (The values differ: the authors' release
        pads its four convolutions in a way that no single 5x5 does.)

    """
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    producer = {node.output[0]: node for node in graph.node}
    shapes = _value_shapes(model)
    nodes, constants = [], []
    dropped: set[int] = set()
    for node in graph.node:
        if node.op_type != 'DepthToSpace':
            nodes.append(node)
            continue
        concat = producer[node.input[0]]
        relus = [producer[name] for name in concat.input if producer[name].op_type == 'Relu']
        convolutions = [
            producer[producer[name].input[0]] if relus else producer[name] for name in concat.input
        ]
        dropped.update(id(old) for old in (concat, *relus, *convolutions))
        name, source = convolutions[0].name, convolutions[0].input[0]
        kernels = {conv.name[-1]: numpy_helper.to_array(weights[conv.input[1]])
                   for conv in convolutions}  # fmt: skip
        full = np.zeros((*kernels['A'].shape[:2], 5, 5), np.float32)
        for letter, kernel in kernels.items():
            rows, columns = (size % 2 == 0 for size in BRANCH_KERNELS[letter])
            full[:, :, int(rows) :: 2, int(columns) :: 2] = kernel
        channels, height, width = shapes[source]
        parameters = {
            'spread': np.array([1, channels, height, 1, width, 1], np.int64),
            'pads': np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1], np.int64),
            'unpooled': np.array([1, channels, 2 * height, 2 * width], np.int64),
            'kernel': full,
        }
        constants += [numpy_helper.from_array(v, f'{name}.{k}') for k, v in parameters.items()]
        steps: list[tuple[str, list[str], dict[str, Any]]] = [
            ('Reshape', [f'{name}.spread'], {}),
            ('Pad', [f'{name}.pads'], {}),
            ('Reshape', [f'{name}.unpooled'], {}),
            ('Conv', [f'{name}.kernel', convolutions[0].input[2]], {'pads': [2, 2, 2, 2]}),
        ] + ([('Relu', [], {})] if relus else [])
        tensor = source
        for step, (operator, inputs, attributes) in enumerate(steps):
            last = step == len(steps) - 1
            output = node.output[0] if last else f'{name}.naive{step}'
            nodes.append(helper.make_node(operator, [tensor, *inputs], [output], **attributes))
            tensor = output
    nodes = [node for node in nodes if id(node) not in dropped]
    used = {name for node in nodes for name in node.input}
    naive = onnx.ModelProto()
    naive.CopyFrom(model)
    del naive.graph.node[:], naive.graph.initializer[:]
    naive.graph.node.extend(nodes)
    naive.graph.initializer.extend(t for t in [*weights.values(), *constants] if t.name in used)
    return naive


def _value_shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    return {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)[1:]
        for value in inferred
    }
