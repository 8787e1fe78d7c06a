# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Read FCRN's weights and preprocessing out of a Core ML file (``FCRN.mlmodel``).

Notes
-----
The layers are followed from the input to the output, and each must be what the published network
has there; names are only used in messages. What a file cannot be asked is not assumed: a layer
too many, too few or of another kind ends the reading.

"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
import logging
import math
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from .graph import BRANCH_PADS, EPSILON, INPUT_HEIGHT, INPUT_WIDTH, INTERLEAVE_ORDER
from .weights import BRANCH_KERNELS, fcrn_layout, RESIDUAL_STAGES, UP_PROJECTIONS, Weights
from ...errors import ToolInputError
from ...estimation.model_card import ModelCard

_INPUT, _OUTPUT = 'image', 'depthmap'
_Pads = tuple[int, int, int, int]
_NO_PADS = (0, 0, 0, 0)
_Array = NDArray[Any]


@dataclass(frozen=True)
class CoremlNetwork:
    """
    What a Core ML file says.

    Attributes
    ----------
    weights : dict
        In the published layout. Normalisations are stored as a scale and an offset.
    color_order : str
        'RGB' or 'BGR', of the planes that the first layer gets.
    input_mean, input_scale : tuple of float
        As in the model card, in that order.

    """

    weights: Weights
    color_order: str
    input_mean: tuple[float, float, float]
    input_scale: tuple[float, float, float]

    def describe_input(self, card: ModelCard) -> ModelCard:
        """Return the card with the preprocessing of this file."""
        return replace(
            card,
            color_order=self.color_order,
            input_mean=self.input_mean,
            input_scale=self.input_scale,
        )


def read_coreml(path: Path) -> CoremlNetwork:
    """
    Read a Core ML file of type neuralNetwork.

    Parameters
    ----------
    path : Path
        ``FCRN.mlmodel`` or ``FCRNFP16.mlmodel``.

    Returns
    -------
    CoremlNetwork
        Its weights are unchecked against the layout.

    Raises
    ------
    ToolInputError
        It is not a Core ML file, or not this network; says which layer is not as expected.

    """
    # It warns of the parts of it that only a Mac has.
    logging.getLogger('coremltools').setLevel(logging.ERROR)
    from coremltools.proto import Model_pb2
    from google.protobuf.message import DecodeError

    model = Model_pb2.Model()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError as err:
        raise ToolInputError(
            f'{path} must be a complete Core ML file, got: {err}; download it again'
        ) from err
    return interpret_coreml(model)


def interpret_coreml(model: Any) -> CoremlNetwork:
    """
    Follow the layers of a Core ML model.

    Parameters
    ----------
    model : coremltools.proto.Model_pb2.Model
        Of type neuralNetwork.

    Returns
    -------
    CoremlNetwork
        Its weights are unchecked against the layout.

    Raises
    ------
    ToolInputError
        It is not this network; says which layer is not as expected.

    """
    kind = model.WhichOneof('Type')
    if kind != 'neuralNetwork':
        _refuse('type of the Core ML model', 'neuralNetwork', kind or 'nothing')
    color_order = _check_features(model.description)
    mean, scale = _preprocessing(model.neuralNetwork.preprocessing, color_order)
    try:
        weights = _Walk(model.neuralNetwork.layers).weights()
    except (IndexError, ValueError) as err:
        raise ToolInputError(
            f'source must be a consistent Core ML model, got: {err}; download it again'
        ) from err
    return CoremlNetwork(weights, color_order, mean, scale)


def _refuse(what: str, expected: str, found: str) -> NoReturn:
    raise ToolInputError(
        f'{what} must be {expected}, got {found}; this is another network than the one known '
        'here: use the weights of the authors, or report what was found'
    )


def _check_features(description: Any) -> str:
    inputs = [feature.name for feature in description.input]
    outputs = [feature.name for feature in description.output]
    if inputs != [_INPUT] or outputs != [_OUTPUT]:
        _refuse('features', f'{_INPUT} -> {_OUTPUT}', f'{inputs} -> {outputs}')
    image = description.input[0].type.imageType
    color_order = image.ColorSpace.Name(image.colorSpace)
    found = f'{image.width}x{image.height} {color_order}'
    if found not in {f'{INPUT_WIDTH}x{INPUT_HEIGHT} {order}' for order in ('RGB', 'BGR')}:
        _refuse(f'input {_INPUT}', f'an RGB or BGR image of {INPUT_WIDTH}x{INPUT_HEIGHT}', found)
    return str(color_order)


def _preprocessing(steps: Any, color_order: str) -> tuple[Any, Any]:
    """Return mean and scale as in the card; Core ML has x = scale * pixel + bias."""
    if not steps:
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    scaler = steps[0].scaler
    kinds = [step.WhichOneof('preprocessor') for step in steps]
    names = {step.featureName for step in steps}
    if kinds != ['scaler'] or not names <= {'', _INPUT} or not scaler.channelScale > 0:
        found = f'{kinds} for {sorted(names)}, channelScale {scaler.channelScale:g}'
        _refuse('preprocessing', f'one scaler for {_INPUT}', found)
    biases = {'R': scaler.redBias, 'G': scaler.greenBias, 'B': scaler.blueBias}
    mean = tuple(-biases[color] / scaler.channelScale + 0.0 for color in color_order)
    return mean, (scaler.channelScale,) * 3


class _Walk:
    """Follows the layers from the input; what it passes by is crossed off."""

    def __init__(self, layers: Any) -> None:
        self._consumers: dict[str, list[Any]] = defaultdict(list)
        for layer in layers:
            for blob in layer.input:
                self._consumers[blob].append(layer)
        self._left = {layer.output[0]: layer for layer in layers}
        self._layout = fcrn_layout()
        self._weights: Weights = {}

    def weights(self) -> Weights:
        blob = self._block(_INPUT, 'conv1', 'bn_conv1', (3, 3, 3, 3), stride=2)
        blob = self._pool(self._relu(blob))
        for stage, (blocks, _, _) in RESIDUAL_STAGES.items():
            for block in blocks:
                blob = self._residual_block(blob, f'{stage}{block}')
        blob = self._block(blob, 'layer1', 'layer1_BN')
        for name in UP_PROJECTIONS:
            blob = self._up_projection(blob, name)
        layer, pads = self._convolution(blob, 'ConvPred')
        self._take(layer, 'ConvPred', pads, (1, 1, 1, 1))
        blob = self._relu(layer.output[0])
        if self._left or blob != _OUTPUT:
            found = ', '.join(map(_named, self._left.values())) or blob
            _refuse('the last layer', f'ReLU of ConvPred, called {_OUTPUT}', f'also {found}')
        return self._weights

    def _residual_block(self, blob: str, name: str) -> str:
        def branch(blob: str, suffix: str, pads: _Pads = _NO_PADS, stride: int = 1) -> str:
            names = f'res{name}_branch{suffix}', f'bn{name}_branch{suffix}'
            return self._block(blob, *names, pads, stride)

        stride = 2 if name.endswith('a') and name != '2a' else 1
        shortcut = branch(blob, '1', stride=stride) if name.endswith('a') else blob
        main = self._relu(branch(blob, '2a', stride=stride))
        main = self._relu(branch(main, '2b', (1, 1, 1, 1)))
        return self._relu(self._add(branch(main, '2c'), shortcut))

    def _up_projection(self, blob: str, name: str) -> str:
        stacks: dict[str, dict[str, tuple[Any, _Pads]]] = defaultdict(dict)
        for layer, pads in self._convolutions(blob):
            kernel = tuple(layer.convolution.kernelSize)
            letter = next((k for k, v in BRANCH_KERNELS.items() if v == kernel), f'{kernel}')
            concat = self._only(layer.output[0], 'concat')
            stacks[concat.output[0]][letter] = layer, pads
        ends = {}
        for stack, maps in stacks.items():
            order = {layer.output[0]: letter for letter, (layer, _) in maps.items()}
            (concat,) = {id(c): c for blob in order for c in self._consumers[blob]}.values()
            found = tuple(order.get(blob, blob) for blob in concat.input)
            if found != INTERLEAVE_ORDER:
                _refuse(f'inputs of {_named(concat)} in {name}', f'{INTERLEAVE_ORDER}', f'{found}')
            shuffle = self._only(stack, 'reorganizeData')
            parameters = shuffle.reorganizeData
            if (parameters.mode, parameters.blockSize) != (parameters.DEPTH_TO_SPACE, 2):
                mode = parameters.ReorganizationType.Name(parameters.mode)
                _refuse(
                    _named(shuffle), 'DEPTH_TO_SPACE of 2', f'{mode} of {parameters.blockSize}'
                )
            after = self._consumers[shuffle.output[0]]
            if [_kind(layer) for layer in after] == ['batchnorm']:
                after = self._consumers[after[0].output[0]]
            branch = 'br1' if [_kind(layer) for layer in after] == ['activation'] else 'br2'
            for letter, (layer, pads) in maps.items():
                full_name = f'{name}_{branch}_Conv{letter}'
                self._take(layer, full_name, pads, BRANCH_PADS[letter])
            ends[branch] = self._normalised(shuffle.output[0], f'{name}_{branch}_BN')
        if set(ends) != {'br1', 'br2'}:
            _refuse(f'{name} at {blob}', 'two interleaves, one before ReLU', f'{sorted(ends)}')
        main = self._relu(ends['br1'])
        main = self._block(main, f'{name}_Conv', f'{name}_BN', (1, 1, 1, 1))
        return self._relu(self._add(main, ends['br2']))

    def _block(
        self, blob: str, name: str, normalisation: str, pads: _Pads = _NO_PADS, stride: int = 1
    ) -> str:
        layer, found = self._convolution(blob, name)
        bias = self._take(layer, name, found, pads, stride)
        return self._normalised(layer.output[0], normalisation, bias)

    def _convolutions(self, blob: str) -> list[tuple[Any, _Pads]]:
        """List the convolutions of a blob with their pads, also those behind a layer that pads."""
        found: list[tuple[Any, Any]] = []
        for layer in self._consumers[blob]:
            pads = _NO_PADS
            if _kind(layer) == 'padding' and layer.padding.WhichOneof('PaddingType') == 'constant':
                if layer.padding.constant.value != 0.0:
                    _refuse(_named(layer), 'zeros', f'{layer.padding.constant.value:g}')
                pads = _border(layer.padding.paddingAmounts)
                self._left.pop(layer.output[0], None)
                layer = self._only(layer.output[0], 'convolution')
            if _kind(layer) == 'convolution':
                own = _pads_of(layer, layer.convolution, 'ConvolutionPaddingType')
                found.append((layer, tuple(a + b for a, b in zip(pads, own, strict=True))))
        return found

    def _convolution(self, blob: str, name: str) -> tuple[Any, _Pads]:
        *kernel, _, channels = self._layout[name]['weights']
        found = self._convolutions(blob)
        right = [
            (layer, pads)
            for layer, pads in found
            if [*layer.convolution.kernelSize] == kernel
            and layer.convolution.outputChannels == channels
        ]
        if len(right) != 1:
            expected = f'one convolution of {kernel[0]}x{kernel[1]} to {channels} channels'
            found_layers = ', '.join(map(_named, self._consumers[blob])) or 'nothing'
            _refuse(f'{name} after {blob}', expected, found_layers)
        return right[0]

    def _take(self, layer: Any, name: str, found: _Pads, pads: _Pads, stride: int = 1) -> _Array:
        """Store the weights of a convolution; return the bias that the published one lacks."""
        parameters = layer.convolution
        self._left.pop(layer.output[0], None)
        *kernel, inputs, outputs = self._layout[name]['weights']
        expected = {
            'shape': (*kernel, inputs, outputs),
            'stride': (stride, stride),
            'pads': pads,
            'dilation': (1, 1),
            'groups': 1,
            'deconvolution': False,
        }
        actual = {
            'shape': (
                *parameters.kernelSize, parameters.kernelChannels, parameters.outputChannels
            ),
            'stride': tuple(parameters.stride) or (1, 1),
            'pads': found,
            'dilation': tuple(parameters.dilationFactor) or (1, 1),
            'groups': max(parameters.nGroups, 1),
            'deconvolution': parameters.isDeconvolution,
        }  # fmt: skip
        for key, value in expected.items():
            if actual[key] != value:
                _refuse(f'{key} of {_named(layer)} ({name})', f'{value}', f'{actual[key]}')
        weights = _values(parameters.weights, layer, outputs * inputs * math.prod(kernel))
        self._weights[name] = {
            'weights': weights.reshape(outputs, inputs, *kernel).transpose(2, 3, 1, 0)
        }
        bias = np.zeros(outputs, np.float32)
        if parameters.hasBias:
            bias = _values(parameters.bias, layer, outputs)
        if 'biases' in self._layout[name]:
            self._weights[name]['biases'] = bias
            bias = np.zeros(outputs, np.float32)
        return bias

    def _normalised(self, blob: str, name: str, bias: _Array | float = 0.0) -> str:
        """Store the normalisation after a blob; without one, the file has folded it before."""
        factor, offset = np.ones(self._layout[name]['mean']), np.zeros(self._layout[name]['mean'])
        if [_kind(layer) for layer in self._consumers[blob]] == ['batchnorm']:
            layer = self._only(blob, 'batchnorm')
            parameters = layer.batchnorm
            gamma, beta, mean, variance = (
                _values(getattr(parameters, key), layer, factor.size).astype(np.float64)
                for key in ('gamma', 'beta', 'mean', 'variance')
            )
            if parameters.computeMeanVar or not (variance + parameters.epsilon > 0).all():
                _refuse(_named(layer), 'a fixed normalisation', 'one without a positive variance')
            factor = gamma / np.sqrt(variance + parameters.epsilon)
            offset = beta - mean * factor
            blob = layer.output[0]
        values = {
            'mean': np.zeros_like(factor),
            'variance': np.full_like(factor, 1.0 - EPSILON),
            'scale': factor,
            'offset': offset + bias * factor,
        }
        self._weights[name] = {key: value.astype(np.float32) for key, value in values.items()}
        return blob

    def _relu(self, blob: str) -> str:
        layer = self._only(blob, 'activation')
        kind = layer.activation.WhichOneof('NonlinearityType')
        if kind != 'ReLU':
            _refuse(_named(layer), 'ReLU', str(kind))
        return str(layer.output[0])

    def _add(self, blob: str, other: str) -> str:
        layer = self._only(blob, 'add')
        if sorted(layer.input) != sorted([blob, other]):
            _refuse(f'inputs of {_named(layer)}', f'{blob} and {other}', f'{[*layer.input]}')
        return str(layer.output[0])

    def _pool(self, blob: str) -> str:
        layer = self._only(blob, 'pooling')
        pool = layer.pooling
        kernel, stride = (*pool.kernelSize,), (*pool.stride,)
        pads = _pads_of(layer, pool, 'PoolingPaddingType')
        kind = 'global' if pool.globalPooling else pool.PoolingType.Name(pool.type)
        if (kind, kernel, stride, pads) != ('MAX', (3, 3), (2, 2), (0, 0, 1, 1)):
            expected = 'MAX, kernel (3, 3), stride (2, 2), pads (0, 0, 1, 1)'
            found = f'{kind}, kernel {kernel}, stride {stride}, pads {pads}'
            _refuse(_named(layer), expected, found)
        return str(layer.output[0])

    def _only(self, blob: str, kind: str) -> Any:
        """Cross off the one layer that reads a blob."""
        layers = self._consumers[blob]
        if [_kind(layer) for layer in layers] != [kind]:
            found = ', '.join(map(_named, layers)) or 'nothing'
            _refuse(f'what reads {blob}', f'one {kind} layer', found)
        self._left.pop(layers[0].output[0], None)
        return layers[0]


def _pads_of(layer: Any, parameters: Any, oneof: str) -> _Pads:
    """Return the pads top, left, bottom, right."""
    kind = parameters.WhichOneof(oneof)
    if kind == 'valid':
        return _border(parameters.valid.paddingAmounts)
    if kind != 'same':
        _refuse(f'pads of {_named(layer)}', 'valid or same', str(kind))
    # Of lengths that the stride divides, as they are here wherever a kernel is larger than 1.
    strides = (*parameters.stride,) or (1, 1)
    totals = [max(k - s, 0) for k, s in zip(parameters.kernelSize, strides, strict=True)]
    small = totals[0] // 2, totals[1] // 2
    large = totals[0] - small[0], totals[1] - small[1]
    same = parameters.same
    return (*small, *large) if same.asymmetryMode == same.BOTTOM_RIGHT_HEAVY else (*large, *small)


def _border(amounts: Any) -> _Pads:
    edges = [*amounts.borderAmounts] or [type(amounts).EdgeSizes()] * 2
    height, width = edges
    return height.startEdgeSize, width.startEdgeSize, height.endEdgeSize, width.endEdgeSize


def _values(weights: Any, layer: Any, count: int) -> _Array:
    if weights.floatValue:
        values = np.array(weights.floatValue, np.float32)
    elif weights.float16Value:
        values = np.frombuffer(weights.float16Value, '<f2').astype(np.float32)
    else:
        _refuse(f'weights of {_named(layer)}', 'float or float16 values', 'none or quantised ones')
    if values.size != count:
        _refuse(f'weights of {_named(layer)}', f'{count} values', f'{values.size}')
    return values


def _kind(layer: Any) -> str:
    return str(layer.WhichOneof('layer'))


def _named(layer: Any) -> str:
    return f'{layer.name} ({_kind(layer)})'
