# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Tiny ONNX graphs of the model contract, so that tests need no weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fcrn_depth_ros.estimation.model_card import ModelCard
import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto

CARD = ModelCard(
    name='tiny',
    version='1.0.0',
    license='Apache-2.0',
    training_data='none',
    input_name='image',
    input_height=24,
    input_width=32,
    input_layout='NCHW',
    color_order='RGB',
    input_mean=(0.0, 0.0, 0.0),
    input_scale=(1.0, 1.0, 1.0),
    resize='stretch',
    output_name='depth',
    output_kind='depth_m',
    training_fx_px=32.0,
    training_width_px=32.0,
    valid_min_m=0.1,
    valid_max_m=10.0,
)


def tiny_card(**changes: object) -> ModelCard:
    """Return the card of the tiny network with some fields changed."""
    return replace(CARD, **changes)


def write_model(
    path: Path,
    card: ModelCard = CARD,
    *,
    output: np.ndarray | None = None,
    floor: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
    metadata: dict[str, str] | None = None,
    dynamic: bool = False,
) -> Path:
    """
    Write a network whose raw output is mean(x) / 100, or a constant map.

    With a mounting input the map of it is added to the output, so that a test sees what arrived.
    Floor and confidence, where the card names them, are mean(x) / 255 and 1 - mean(x) / 255.

    Parameters
    ----------
    path : Path
        Where the file goes.
    card : ModelCard
        Decides names, shapes and layout, and becomes the metadata.
    output : ndarray, optional
        Constant raw output of any shape, instead of the mean.
    floor, confidence : ndarray, optional
        Constant outputs of any shape, instead of those of the mean.
    metadata : dict, optional
        Instead of the card's.
    dynamic : bool
        Leave height and width of the inputs and output open.

    Returns
    -------
    Path
        `path`.

    """
    size = ['h', 'w'] if dynamic else [card.input_height, card.input_width]
    nchw = card.input_layout == 'NCHW'
    shape = [1, 3, *size] if nchw else [1, *size, 3]
    inputs = [helper.make_tensor_value_info(card.input_name, TensorProto.FLOAT, shape)]
    axis = numpy_helper.from_array(np.array([1 if nchw else 3]), 'axis')
    hundred = numpy_helper.from_array(np.array(100.0, np.float32), 'hundred')
    nodes = [
        helper.make_node('ReduceMean', [card.input_name, 'axis'], ['mean'], keepdims=1),
        helper.make_node('Div', ['mean', 'hundred'], ['raw']),
    ]
    initializers = [axis, hundred]
    out_shape: list[int | str] = [1, 1, *size] if nchw else [1, *size, 1]
    if output is not None:
        initializers.append(numpy_helper.from_array(output.astype(np.float32), 'constant'))
        # Zero times the picture keeps the input in use.
        zero = numpy_helper.from_array(np.array(0.0, np.float32), 'zero')
        initializers.append(zero)
        nodes += [
            helper.make_node('ReduceMean', [card.input_name], ['all'], keepdims=0),
            helper.make_node('Mul', ['all', 'zero'], ['nothing']),
            helper.make_node('Add', ['constant', 'nothing'], ['raw_constant']),
        ]
        out_shape = list(output.shape)
    last = 'raw' if output is None else 'raw_constant'
    if card.mounting_input:
        inputs.append(
            helper.make_tensor_value_info(card.mounting_input, TensorProto.FLOAT, [1, 1, *size])
        )
        nodes.append(helper.make_node('Add', [last, card.mounting_input], [card.output_name]))
    else:
        nodes.append(helper.make_node('Identity', [last], [card.output_name]))
    outputs = [helper.make_tensor_value_info(card.output_name, TensorProto.FLOAT, out_shape)]
    if card.floor_output or card.confidence_output:
        initializers += [
            numpy_helper.from_array(np.array(255.0, np.float32), 'white'),
            numpy_helper.from_array(np.array(1.0, np.float32), 'one'),
        ]
        nodes += [
            helper.make_node('Div', ['mean', 'white'], ['share']),
            helper.make_node('Sub', ['one', 'share'], ['rest']),
        ]
    for name, values, source in (
        (card.floor_output, floor, 'share'),
        (card.confidence_output, confidence, 'rest'),
    ):
        if not name:
            continue
        shape = [1, 1, *size] if nchw else [1, *size, 1]
        if values is not None:
            source, shape = f'{name}_constant', list(values.shape)
            initializers.append(numpy_helper.from_array(values.astype(np.float32), source))
        nodes.append(helper.make_node('Identity', [source], [name]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    graph = helper.make_graph(nodes, 'tiny', inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=8)
    helper.set_model_props(model, card.to_metadata() if metadata is None else metadata)
    onnx.save(model, str(path))
    return path
