# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Write files whole or not at all, and never over what is not to be lost.

A command lists what it reads and what it will write before it starts. An output that is one of
the inputs is refused; one that exists is refused unless the user says ``--overwrite``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
import io
import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ToolInputError


def add_overwrite_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--overwrite``."""
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace output files that exist (never a file that is read)',
    )


def check_outputs(
    outputs: Sequence[Path], inputs: Iterable[Path], overwrite: bool = False
) -> None:
    """
    Refuse outputs that would destroy something, before the work.

    Parameters
    ----------
    outputs : sequence of Path
        Files to be written; their folders are made.
    inputs : iterable of Path
        Files and folders that are read. What lies in such a folder counts as read.
    overwrite : bool
        Whether files that exist, and are no inputs, may be replaced.

    Raises
    ------
    ToolInputError
        An output is an input, exists, is named twice, or cannot be a file.

    """
    read = [path.resolve() for path in inputs]
    targets = [path.resolve() for path in outputs]
    for path, target in zip(outputs, targets, strict=True):
        if targets.count(target) > 1:
            raise ToolInputError(
                f'outputs must be different files, got {path} twice; choose other names'
            )
        exists = target.exists()
        if target in read or (exists and any(_holds(place, target) for place in read)):
            raise ToolInputError(
                f'output must not replace an input, got {path} for both; choose another place'
            )
    existing = [path for path, target in zip(outputs, targets, strict=True) if target.is_file()]
    if existing and not overwrite:
        more = f' and {len(existing) - 1} more' if len(existing) > 1 else ''
        raise ToolInputError(
            f'output must be a new file, got {existing[0]}{more}, which exist'
            f'{"" if more else "s"}; choose another place, or replace with --overwrite'
        )
    for path in outputs:
        check_target(path)


def _holds(place: Path, target: Path) -> bool:
    """Return whether a file is an input, or lies in an input folder."""
    if not place.exists():
        return False
    # Hard links and file systems that ignore case give one file several names.
    return place in target.parents or place.samefile(target)


def check_target(path: Path) -> Path:
    """Create the folder of a file to be written, so that a bad one fails before the work."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ToolInputError(
            f'output must lie in a folder, got {path}: {err}; choose another place'
        ) from err
    if path.is_dir():
        raise ToolInputError(f'output must be a file, got the folder {path}; add a file name')
    return path


def write_bytes(path: Path, content: bytes) -> None:
    """
    Write beside the target, then move.

    Parameters
    ----------
    path : Path
        Its folder is made.
    content : bytes
        Of the whole file.

    Raises
    ------
    ToolInputError
        The file cannot be written to its end; nothing of it is left.

    """
    check_target(path)
    with written_whole(path) as partial:
        partial.write_bytes(content)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """
    Give a file to write beside another one, and move it there at the end of the block.

    Parameters
    ----------
    path : Path
        Of the file that the user asked for, in a folder that exists.

    Yields
    ------
    Path
        The file to write; its name ends like that of `path`.

    Raises
    ------
    ToolInputError
        It could not be written; nothing of it is left.

    """
    partial = path.with_name(f'.{os.getpid()}.{path.name}')
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise ToolInputError(
            f'{path} must be writable to its end, got {error.strerror or error}; make room or '
            'choose another place'
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a report; NaN is not JSON and must have become None before."""
    write_bytes(path, (json.dumps(content, indent=2, allow_nan=False) + '\n').encode())


def write_png(path: Path, picture: NDArray[Any]) -> None:
    """Write an RGB uint8 picture, or a 16-bit map."""
    bgr = picture[..., ::-1] if picture.ndim == 3 else picture
    encoded, content = cv2.imencode('.png', np.ascontiguousarray(bgr))
    assert encoded, 'PNG takes every uint8 and uint16 array'
    write_bytes(path, content.tobytes())


def write_npy(path: Path, values: NDArray[Any]) -> None:
    """Write an array for ``numpy.load``."""
    buffer = io.BytesIO()
    np.save(buffer, values)
    write_bytes(path, buffer.getvalue())
