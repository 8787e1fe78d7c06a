# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""One row a picture: what was found, for analysis; as Parquet with pyarrow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
import json
import math
from pathlib import Path
from typing import Any

from .places import output_error
from ..errors import ToolInputError


@dataclass(frozen=True)
class PictureRow:
    """
    What is known of one picture.

    Attributes
    ----------
    topic : str
        Of the picture.
    recorded_ns, stamp_ns : int
        When it was recorded, and its own stamp.
    picture_stamp_ns : int
        Stamp of the picture in which these very pixels first came.
    nearest_m : float
        Nearest distance; NaN where unknown.
    proximity : float
        Share of near pixels; NaN where unknown.
    near : bool
        That share against the threshold; true where unknown.
    scale_verified : bool
        Whether the metres can be relied on.
    scale_sigma : float
        Relative uncertainty of the scale; NaN while it is unverified.
    scale_state, scale_text : str
        The scale verified, unverified or contradicted, and why.
    scale_factor : float
        By which the depth of the network was multiplied.
    time_to_collision_s : float
        From the growth of the picture; NaN where it says nothing.
    range_m, range_max_m, range_variance_m2 : float
        As `proximity/range` has them, in 32 bits; NaN where it was not published.
    quality : str
        `usable`, or what is wrong with the picture.
    unknown_reason : str
        Why no distance is known; empty where it is.
    frozen : bool
        Whether the camera repeats itself.
    rejected : str
        Why the picture could not be used at all; empty where it could.
    inference_ms : float
        Time of the network; NaN where it did not run.

    """

    topic: str
    recorded_ns: int
    stamp_ns: int
    picture_stamp_ns: int = 0
    nearest_m: float = math.nan
    proximity: float = math.nan
    near: bool = True
    scale_verified: bool = False
    scale_sigma: float = math.nan
    scale_state: str = ''
    scale_text: str = ''
    scale_factor: float = math.nan
    time_to_collision_s: float = math.nan
    range_m: float = math.nan
    range_max_m: float = math.nan
    range_variance_m2: float = math.nan
    quality: str = ''
    unknown_reason: str = ''
    frozen: bool = False
    rejected: str = ''
    inference_ms: float = math.nan


def to_lines(rows: Iterable[PictureRow]) -> bytes:
    """Return rows as lines of JSON, from which every number comes back bit for bit."""
    return b''.join(json.dumps(asdict(row)).encode() + b'\n' for row in rows)


def from_lines(content: bytes) -> list[PictureRow]:
    """Return the rows of :func:`to_lines`."""
    return [PictureRow(**json.loads(line)) for line in content.splitlines()]


class PictureTable:
    """
    A Parquet file, written part by part; closed by `with`.

    Parameters
    ----------
    file : Path
        Replaced.
    bag : str
        First column of every row.

    Raises
    ------
    ToolInputError
        pyarrow is not installed.

    """

    def __init__(self, file: Path, bag: str) -> None:
        require_pyarrow()
        import pyarrow
        from pyarrow import parquet

        self._pyarrow, self._bag, self._file = pyarrow, bag, file
        kinds = {'str': pyarrow.string(), 'int': pyarrow.int64(), 'bool': pyarrow.bool_()}
        columns = [('bag', pyarrow.string())]
        columns += [
            (name, kinds.get(str(field.type), pyarrow.float64()))
            for name, field in PictureRow.__dataclass_fields__.items()
        ]
        columns += [('state', pyarrow.string()), ('state_reason', pyarrow.string())]
        self._schema = pyarrow.schema(columns)
        self._writer: Any = parquet.ParquetWriter(file, self._schema)

    def __enter__(self) -> PictureTable:
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            self._writer.close()
        except OSError as err:
            raise output_error(self._file, err) from err

    def add(self, rows: Iterable[tuple[PictureRow, str, str]]) -> None:
        """Write rows, each with the alert's state and its reason right after the picture."""
        records = [
            {'bag': self._bag, **asdict(row), 'state': state, 'state_reason': reason}
            for row, state, reason in rows
        ]
        try:
            self._writer.write_table(self._pyarrow.Table.from_pylist(records, schema=self._schema))
        except OSError as err:
            raise output_error(self._file, err) from err


def require_pyarrow() -> None:
    """Refuse to start where pyarrow is missing, with the command that installs it."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ModuleNotFoundError as err:
        raise ToolInputError(
            f'pyarrow must be installed to write pictures.parquet, got no {err.name}; run '
            "pip install 'fcrn_depth_ros[bags]'"
        ) from err
