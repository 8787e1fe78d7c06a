# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The published weights of FCRN: their layout, a check against it, and a reader of the `.npy` file.

Notes
-----
Layer names and shapes are those of the authors' TensorFlow release (iro-cp/FCRN-DepthPrediction,
ResNet-50 with up-projections). Kernels are stored height, width, in, out.

"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import difflib
import pathlib
import pickle
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import ToolInputError

Value = TypeVar('Value')
Weights = dict[str, dict[str, NDArray[np.float32]]]

# Name of a residual stage -> (blocks, inner channels, output channels).
RESIDUAL_STAGES = {
    '2': ('abc', 64, 256),
    '3': ('abcd', 128, 512),
    '4': ('abcdef', 256, 1024),
    '5': ('abc', 512, 2048),
}
# Name of an up-projection -> (input channels, output channels).
UP_PROJECTIONS = {
    'layer2x': (1024, 512),
    'layer4x': (512, 256),
    'layer8x': (256, 128),
    'layer16x': (128, 64),
}
# Kernel height and width of the four convolutions that share one unpooled 5x5 kernel.
BRANCH_KERNELS = {'A': (3, 3), 'B': (2, 3), 'C': (3, 2), 'D': (2, 2)}

_MAX_NAMED_PROBLEMS = 40
_DAMAGED_PICKLE_ERRORS = (
    ValueError, EOFError, TypeError, AttributeError, LookupError, ArithmeticError, MemoryError,
    ImportError,
)  # fmt: skip


def fcrn_layout() -> dict[str, dict[str, tuple[int, ...]]]:
    """
    List every tensor of the published weights.

    Returns
    -------
    dict
        Layer -> parameter -> shape; 157 layers, 63,633,665 values.

    """
    layout: dict[str, dict[str, tuple[int, ...]]] = {}

    def convolution(name: str, shape: tuple[int, ...], has_bias: bool) -> None:
        layout[name] = {'weights': shape}
        if has_bias:
            layout[name]['biases'] = shape[-1:]

    def normalisation(name: str, channels: int) -> None:
        layout[name] = dict.fromkeys(('mean', 'variance', 'scale', 'offset'), (channels,))

    convolution('conv1', (7, 7, 3, 64), has_bias=True)
    normalisation('bn_conv1', 64)
    in_channels = 64
    for stage, (blocks, inner, out_channels) in RESIDUAL_STAGES.items():
        for block in blocks:
            branches = {
                '2a': (1, 1, in_channels, inner),
                '2b': (3, 3, inner, inner),
                '2c': (1, 1, inner, out_channels),
            }
            if block == 'a':
                branches['1'] = (1, 1, in_channels, out_channels)
            for branch, shape in branches.items():
                convolution(f'res{stage}{block}_branch{branch}', shape, has_bias=False)
                normalisation(f'bn{stage}{block}_branch{branch}', shape[-1])
            in_channels = out_channels
    convolution('layer1', (1, 1, 2048, 1024), has_bias=True)
    normalisation('layer1_BN', 1024)
    for name, (in_channels, out_channels) in UP_PROJECTIONS.items():
        for branch in ('br1', 'br2'):
            for letter, kernel in BRANCH_KERNELS.items():
                shape = (*kernel, in_channels, out_channels)
                convolution(f'{name}_{branch}_Conv{letter}', shape, has_bias=True)
            normalisation(f'{name}_{branch}_BN', out_channels)
        convolution(f'{name}_Conv', (3, 3, out_channels, out_channels), has_bias=True)
        normalisation(f'{name}_BN', out_channels)
    convolution('ConvPred', (3, 3, 64, 1), has_bias=True)
    return layout


def check_weights(weights: Mapping[str, Mapping[str, NDArray[Any]]], source: str) -> None:
    """
    Check that weights are exactly the published layout, with finite values.

    Parameters
    ----------
    weights : mapping
        Layer -> parameter -> array.
    source : str
        Where they came from, for the message.

    Raises
    ------
    ToolInputError
        Names every tensor that is missing, unknown, mis-shaped, not finite, or a variance below
        zero.

    """
    expected = _by_full_name(fcrn_layout())
    actual = _by_full_name(weights)
    unknown = sorted(set(actual) - set(expected))
    problems = []
    for name in sorted(set(expected) - set(actual)):
        similar = difflib.get_close_matches(name, unknown, n=1, cutoff=0.8)
        problems.append(f'{name} is missing' + (f' (renamed to {similar[0]}?)' if similar else ''))
    problems += [f'{name} is not a tensor of FCRN' for name in unknown]
    for name in sorted(set(expected) & set(actual)):
        array = actual[name]
        if array.shape != expected[name]:
            problems.append(f'{name} has shape {array.shape}, expected {expected[name]}')
        elif not np.isfinite(array).all():
            count = int(array.size - np.isfinite(array).sum())
            problems.append(f'{name} has {count} values that are not finite')
        elif name.endswith('/variance') and array.min() < 0:
            problems.append(f'{name} has a value below zero')
    if problems:
        shown = problems[:_MAX_NAMED_PROBLEMS]
        if len(problems) > len(shown):
            shown.append(f'and {len(problems) - len(shown)} more')
        raise ToolInputError(
            f'{source} must hold the {len(expected)} tensors of FCRN ResNet-50 UpProj, got '
            f'{len(problems)} problems; use the file of the authors:\n  ' + '\n  '.join(shown)
        )


def _by_full_name(layers: Mapping[str, Mapping[str, Value]]) -> dict[str, Value]:
    return {
        f'{layer}/{key}': value for layer, keys in layers.items() for key, value in keys.items()
    }


def read_npy_weights(path: pathlib.Path) -> Weights:
    """
    Read the authors' `.npy` file without executing what its pickle may ask for.

    Parameters
    ----------
    path : Path
        A NumPy file with one pickled dict: layer -> parameter -> array.

    Returns
    -------
    dict
        Layer -> parameter -> float32 array, unchecked against the layout.

    Raises
    ------
    ToolInputError
        The file is not such a file, or its pickle refers to anything but numpy arrays.

    """
    with path.open('rb') as file:
        try:
            if np.lib.format.read_magic(file) == (1, 0):
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            else:
                shape, _, dtype = np.lib.format.read_array_header_2_0(file)
            if not dtype.hasobject or shape != ():
                raise ToolInputError(
                    f'{path} must hold one pickled dict, got an array of {dtype} with shape '
                    f'{shape}; use the file of the authors, NYU_ResNet-UpProj.npy'
                )
            # The outer array and its items are stand-ins too: numpy takes no part in loading.
            outer = _ArrayUnpickler(file, encoding='latin1').load()
            return dict(_layers(_only_item(outer)))
        except pickle.UnpicklingError as err:
            raise ToolInputError(
                f'{path} must be a pickle of numpy arrays only, got: {err}; it may be harmful, '
                'download it again from the authors'
            ) from err
        except _DAMAGED_PICKLE_ERRORS as err:
            raise ToolInputError(
                f'{path} must be a complete .npy file, got: {err}; download it again'
            ) from err


class _PickledType:
    """Stands in for numpy.dtype: remembers a type code and a byte order, nothing else."""

    def __init__(self, code: str = '', *_: object) -> None:
        self._code = code
        self._order = '<'

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._order = state[1]

    @property
    def code(self) -> str:
        return self._code if self._code.startswith('O') else self._order + self._code


class _PickledArray:
    """Stands in for numpy.ndarray while unpickling, so that numpy never sees untrusted state."""

    def __init__(self, *_: object) -> None:
        self.value: NDArray[np.float32] | list[Any] = []

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, is_fortran, data = state
        if not isinstance(kind, _PickledType):
            raise pickle.UnpicklingError('an array without a type')
        if kind.code.startswith('O'):
            self.value = data
            return
        if kind.code not in ('<f4', '>f4', '<f8', '>f8', '<f2', '>f2'):
            raise pickle.UnpicklingError(f'an array of type {kind.code!r}')
        raw = data.encode('latin1') if isinstance(data, str) else data
        array = np.frombuffer(raw, kind.code).reshape(shape, order='F' if is_fortran else 'C')
        self.value = array.astype(np.float32, copy=False)


def _pickled_from_buffer(
    raw: bytes, kind: _PickledType, shape: tuple[int, ...], order: str
) -> _PickledArray:
    array = _PickledArray()
    array.__setstate__((1, shape, kind, order == 'F', raw))
    return array


def _latin1_bytes(text: str, encoding: str) -> bytes:
    # How protocol 2 spells bytes.
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'bytes in encoding {encoding!r}')
    return text.encode('latin1')


class _ArrayUnpickler(pickle.Unpickler):
    _ADMITTED = {
        ('numpy', 'ndarray'): _PickledArray,
        ('numpy', 'dtype'): _PickledType,
        ('numpy.core.multiarray', '_reconstruct'): _PickledArray,
        ('numpy._core.multiarray', '_reconstruct'): _PickledArray,
        ('numpy.core.numeric', '_frombuffer'): _pickled_from_buffer,
        ('numpy._core.numeric', '_frombuffer'): _pickled_from_buffer,
        ('_codecs', 'encode'): _latin1_bytes,
    }

    def __init__(self, file: BinaryIO, *, encoding: str) -> None:
        super().__init__(file, encoding=encoding)

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._ADMITTED[(module, name)]
        except KeyError:
            raise pickle.UnpicklingError(f'a reference to {module}.{name}') from None


def _only_item(outer: object) -> Mapping[Any, Any]:
    value = outer.value if isinstance(outer, _PickledArray) else None
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        raise pickle.UnpicklingError('something that is not one dict')
    return value[0]


def _layers(tree: Mapping[Any, Any]) -> Iterator[tuple[str, dict[str, NDArray[np.float32]]]]:
    for layer, keys in tree.items():
        if not isinstance(layer, str) or not isinstance(keys, dict):
            raise pickle.UnpicklingError(f'the entry {layer!r}, which is not layer -> parameters')
        arrays = {}
        for key, array in keys.items():
            value = array.value if isinstance(array, _PickledArray) else None
            if not isinstance(key, str) or not isinstance(value, np.ndarray):
                raise pickle.UnpicklingError(f'{layer}/{key}, which is not an array of floats')
            arrays[key] = value
        yield layer, arrays
