# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What the tensors inside of an ONNX model hold: run it with any of them as outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnx
import onnxruntime

Tensors = Mapping[str, NDArray[np.float32]]


class Inside:
    """
    A model whose inner tensors can be read.

    Parameters
    ----------
    model : onnx.ModelProto
        Left as it is.
    names : sequence of str
        Of the tensors to read.
    literal : bool
        Compute each node as it stands: quantised models then have exact sums and no fused kernel.

    """

    def __init__(
        self, model: onnx.ModelProto, names: Sequence[str], literal: bool = False
    ) -> None:
        probed = onnx.ModelProto()
        probed.CopyFrom(model)
        del probed.graph.output[:]
        probed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        options.log_severity_level = 3
        if literal:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._names = list(names)
        self._session = onnxruntime.InferenceSession(
            probed.SerializeToString(), options, providers=['CPUExecutionProvider']
        )
        self._inputs = {node.name for node in self._session.get_inputs()}

    def read(self, sample: Tensors) -> dict[str, NDArray[np.float32]]:
        """Return the tensors by name for the inputs of one sample."""
        given = {name: value for name, value in sample.items() if name in self._inputs}
        return dict(zip(self._names, self._session.run(self._names, given), strict=True))


def constants_of(graph: onnx.GraphProto) -> dict[str, NDArray[np.float32]]:
    """Return the initialisers of a graph by name."""
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the attributes of a node by name."""
    return {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
