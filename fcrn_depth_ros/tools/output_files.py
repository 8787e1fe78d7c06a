# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Write files whole or not at all."""

from __future__ import annotations

import io
import json
from pathlib import Path
import tempfile
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ToolInputError


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
    """Write beside the target, then move."""
    check_target(path)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f'.{path.name}.', delete=False) as (
        file
    ):
        partial = Path(file.name)
        try:
            file.write(content)
            file.close()
            # A temporary file is private; what a user asked for is readable as usual.
            partial.chmod(0o644)
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise


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
