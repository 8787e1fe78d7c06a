# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""INT8 copies of contract models: what is quantised, how it is calibrated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
import math
from pathlib import Path
import tempfile

import numpy as np
from numpy.typing import NDArray
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    quantize_static,
    QuantType,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from .layer_fitting import fit_layers

# Activations beyond this percentile are clipped: the full range would waste most of 8 bits on
# a few outliers.
PERCENTILE = 99.99
QUANTISED_OPERATORS = (
    'Add', 'AveragePool', 'Clip', 'Concat', 'Conv', 'DepthToSpace', 'GlobalAveragePool', 'MatMul',
    'MaxPool', 'Relu', 'Reshape', 'Resize', 'Split', 'Squeeze', 'Transpose', 'Unsqueeze',
)  # fmt: skip
_GROUP = 8
# Of weights of 7 bits, what onnxruntime's `reduce_range` allows.
_MOST_STEPS = 64

Tensors = Mapping[str, NDArray[np.float32]]


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """
    Hands out the samples in groups.

    The histograms of one group are merged before the next is run: all activations of 160 samples
    at once are 13 GB.
    """

    def __init__(self, samples: Sequence[Tensors]) -> None:
        self._samples = samples
        self.set_range(0, len(self._samples))

    def __len__(self) -> int:
        return math.ceil(len(self._samples) / _GROUP) * _GROUP

    def set_range(self, start_index: int, end_index: int) -> None:
        self._group: Iterator[Tensors] = iter(self._samples[start_index:end_index])

    def get_next(self) -> Tensors | None:
        return next(self._group, None)


def quantize_file(
    source: Path,
    target: Path,
    samples: Iterable[Tensors],
    image_input: str,
    keep_float: Sequence[str] = (),
    fit_to: int = 0,
) -> None:
    """
    Write the INT8 copy of a float model (U8S8 QDQ, per channel, percentile calibration).

    Weights take 7 bits: the sum of two products then fits into 16 bits, in which x86 processors
    without VNNI add them. So no sum saturates, and all processors answer alike.

    Every last convolution and what follows it stay float, because 8 bits of log depth are steps
    of 2 %; so does everything that does not depend on the image, such as the geometry of the
    mounting. The metadata is copied; ``precision`` becomes ``int8``.

    Parameters
    ----------
    source, target : Path
        Float ONNX file, and the file to write (replaced at the end only).
    samples : iterable of mapping
        Input name -> float32 tensor, as the model takes them; about 100 varied ones.
    image_input : str
        Name of the input that carries the picture.
    keep_float : sequence of str
        Names of further nodes to leave in float.
    fit_to : int
        How many of the samples the weights and biases are fitted to (:func:`.fit_layers`); 0
        rounds each weight by itself. 52 need 2 GB and two minutes for fcrn_lite.

    """
    samples = list(samples)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        prepared, quantised = Path(folder) / 'prepared.onnx', Path(folder) / 'quantised.onnx'
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        graph = onnx.load(str(prepared)).graph
        quantize_static(
            str(prepared),
            str(quantised),
            _Reader(samples),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED_OPERATORS),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[*float_nodes(graph, image_input), *keep_float],
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={
                'CalibPercentile': PERCENTILE,
                'CalibStridedMinMax': _GROUP,
            },
        )
        model = onnx.load(str(quantised))
        if fit_to:
            chosen = samples[:: max(1, math.ceil(len(samples) / fit_to))]
            fit_layers(onnx.load(str(prepared)), model, chosen, _MOST_STEPS)
        metadata = {entry.key: entry.value for entry in onnx.load(str(source)).metadata_props}
        onnx.helper.set_model_props(model, {**metadata, 'precision': 'int8'})
        onnx.save(model, str(quantised))
        quantised.replace(target)


def float_nodes(graph: onnx.GraphProto, image_input: str) -> list[str]:
    """
    List the nodes that stay float.

    Parameters
    ----------
    graph : onnx.GraphProto
        In topological order, as ONNX demands.
    image_input : str
        Name of the input that carries the picture.

    Returns
    -------
    list of str
        Nodes that do not depend on the image, and from those of its convolutions on that no other
        convolution follows: one for each network, where the graph averages several.

    """
    from_image = {image_input}
    for node in graph.node:
        if from_image.intersection(node.input):
            from_image.update(node.output)
    dependent = [node for node in graph.node if from_image.intersection(node.output)]
    followed: set[str] = set()  # tensors that lead to a convolution
    tail: set[str] = set()
    for node in reversed(dependent):
        if node.op_type == 'Conv' and not followed.intersection(node.output):
            tail.update(node.output)
        if node.op_type == 'Conv' or followed.intersection(node.output):
            followed.update(node.input)
    for node in dependent:
        if tail.intersection(node.input):
            tail.update(node.output)
    return [
        node.name
        for node in graph.node
        if not from_image.intersection(node.output) or tail.intersection(node.output)
    ]
