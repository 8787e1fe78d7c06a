# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Read the variables of a TensorFlow checkpoint (version 2: ``.index`` and ``.data``) without it.

Notes
-----
The index is a table of LevelDB's format: a footer points to an index block, whose entries point to
blocks of sorted keys, each stored without the prefix it shares with the one before. Its values
are BundleEntryProto messages (tensorflow/core/protobuf/tensor_bundle.proto), which say where
in the data file a tensor lies. TensorFlow writes these tables uncompressed.

"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
import math
from pathlib import Path
import re
import struct
import zipfile
import zlib

import numpy as np
from numpy.typing import NDArray

from .weights import Weights
from ...errors import ToolInputError

_FOOTER_BYTES = 48
_TABLE_MAGIC = 0xDB4775248B80FB57
_BLOCK_TRAILER_BYTES = 5
_FLOAT32 = 1
_MAX_FILE_BYTES = 2 << 30
_DAMAGE = (
    IndexError, struct.error, ValueError, OverflowError, zipfile.BadZipFile, zlib.error,
    NotImplementedError, EOFError,
)  # fmt: skip

# Name of a file of the checkpoint -> its content.
_Files = Mapping[str, Callable[[], bytes]]


def read_checkpoint(path: Path) -> Weights:
    """
    Read the variables named ``layer/parameter``; what an optimiser left beside them is not read.

    Parameters
    ----------
    path : Path
        A zip file with a checkpoint, its folder, one of its files, or their common prefix.

    Returns
    -------
    dict
        Layer -> parameter -> float32 array, unchecked against any layout.

    Raises
    ------
    ToolInputError
        There is no checkpoint of version 2, or it is damaged.

    """
    try:
        return _read(path)
    except _DAMAGE as err:
        raise ToolInputError(
            f'{path} must hold a complete TensorFlow checkpoint, got: {err or type(err).__name__};'
            ' fetch it again'
        ) from err


def _read(path: Path) -> Weights:
    if path.suffix == '.zip':
        with zipfile.ZipFile(path) as archive:
            files: _Files = {
                info.filename: _member_reader(archive, info) for info in archive.infolist()
            }
            return _read_bundle(path, files, '')
    prefix = re.sub(r'\.(index|meta|data-\d{5}-of-\d{5})$', '', path.name)
    folder, prefix = (path, '') if path.is_dir() else (path.parent, prefix)
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return _read_bundle(path, {file.name: file.read_bytes for file in found}, prefix)


def _member_reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        if info.file_size > _MAX_FILE_BYTES:
            raise ValueError(f'{info.filename} with {info.file_size} bytes')
        return archive.read(info)

    return read


def _read_bundle(path: Path, files: _Files, prefix: str) -> Weights:
    indices = [name for name in files if name.endswith('.index') and name.startswith(prefix)]
    if prefix and f'{prefix}.index' in indices:
        indices = [f'{prefix}.index']
    if len(indices) != 1:
        raise ToolInputError(
            f'{path} must hold one TensorFlow checkpoint (.index and .data files), got '
            f'{", ".join(indices) or "none"}; give the zip file or the folder of the authors'
        )
    prefix = indices[0].removesuffix('.index')
    table = dict(_table(files[indices[0]]()))
    header = dict(_fields(table.pop(b'', b'')))
    shards, is_big_endian = int(header.get(1, 1)), bool(header.get(2, 0))
    data: dict[str, bytes] = {}
    weights: Weights = {}
    for key, value in table.items():
        layer, _, parameter = key.decode().partition('/')
        if not parameter or '/' in parameter:
            continue
        entry = _Entry(value, '>f4' if is_big_endian else '<f4')
        shard = f'{prefix}.data-{entry.shard:05d}-of-{shards:05d}'
        if shard not in files:
            raise ValueError(f'no file {shard}')
        if shard not in data:
            data[shard] = files[shard]()
        weights.setdefault(layer, {})[parameter] = entry.array(key.decode(), data[shard])
    return weights


class _Entry:
    """Where a tensor lies; a BundleEntryProto."""

    def __init__(self, message: bytes, dtype: str) -> None:
        self.shape: list[int] = []
        self.shard = self._offset = self._size = self._type = 0
        self._dtype = dtype
        for number, value in _fields(message):
            if isinstance(value, bytes):
                if number == 2:
                    self.shape = [
                        int(dict(_fields(dim)).get(1, 0))
                        for field, dim in _fields(value)
                        if field == 2 and isinstance(dim, bytes)
                    ]
            elif number == 1:
                self._type = value
            elif number == 3:
                self.shard = value
            elif number == 4:
                self._offset = value
            elif number == 5:
                self._size = value

    def array(self, name: str, data: bytes) -> NDArray[np.float32]:
        if self._type != _FLOAT32:
            raise ValueError(f'{name} of TensorFlow type {self._type} instead of float32')
        count = math.prod(self.shape)
        if self._size != 4 * count or self._offset + self._size > len(data):
            raise ValueError(
                f'{name} of shape {self.shape} in {self._size} bytes at {self._offset} of '
                f'{len(data)}'
            )
        array = np.frombuffer(data, self._dtype, count, self._offset).reshape(self.shape)
        return array.astype(np.float32, copy=False)


def _table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    footer = data[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or struct.unpack('<Q', footer[-8:])[0] != _TABLE_MAGIC:
        raise ValueError('an index that is not a table')
    _, position = _handle(footer, 0)
    (index, _) = _handle(footer, position)
    for _, value in _block(data, *index):
        (place, _) = _handle(value, 0)
        yield from _block(data, *place)


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    block = data[offset : offset + size + _BLOCK_TRAILER_BYTES]
    if len(block) != size + _BLOCK_TRAILER_BYTES:
        raise ValueError('an index cut short')
    if block[size] != 0:
        raise ValueError('a compressed index, which TensorFlow does not write')
    (restarts,) = struct.unpack('<I', block[size - 4 : size])
    end, position, key = size - 4 * (restarts + 1), 0, b''
    while position < end:
        shared, position = _varint(block, position)
        unshared, position = _varint(block, position)
        length, position = _varint(block, position)
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + length]
        position += length


def _handle(data: bytes, position: int) -> tuple[tuple[int, int], int]:
    offset, position = _varint(data, position)
    size, position = _varint(data, position)
    return (offset, size), position


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protocol buffer message: numbers, and bytes that may be messages."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, position = _varint(message, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f'a field of wire type {kind}')
        if position + length > len(message):
            raise ValueError('a message cut short')
        yield tag >> 3, message[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
