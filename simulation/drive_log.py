# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Drives as they end, one line each, so that a series that was interrupted goes on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from fcrn_depth_ros.errors import ToolInputError

from .drive import FinishedDrive
from .drive_result import DriveResult

_RESULT_FIELDS = [field.name for field in dataclasses.fields(DriveResult)]


def drive_record(drive: FinishedDrive) -> dict[str, Any]:
    """Return a drive ready for JSON."""
    return {'run': drive.run, **drive.scenario.describe(), **dataclasses.asdict(drive.result)}


def result_of(record: dict[str, Any]) -> DriveResult:
    """Return the verdict in a record of :func:`drive_record`."""
    return DriveResult(**{name: record[name] for name in _RESULT_FIELDS})


class DriveLog:
    """
    A file of drives: the facts that they share, then a line for each.

    Parameters
    ----------
    path : Path
        Need not exist.
    facts : dict
        What was driven; a file with other facts is refused.

    Attributes
    ----------
    records : dict
        What stands in the file, by the number of the run.

    Raises
    ------
    ToolInputError
        If the file is of something else.

    """

    def __init__(self, path: Path, facts: dict[str, Any]) -> None:
        self._path = path
        self.records: dict[int, dict[str, Any]] = {}
        if not path.exists():
            self._append({'facts': facts})
            return
        lines = path.read_text(encoding='utf-8').split('\n')
        # The last line has no end where the writer was killed in the middle of it.
        whole = [line for line in lines[:-1] if line]
        if not whole or json.loads(whole[0]).get('facts') != facts:
            raise ToolInputError(
                f'{path} must hold drives with {facts}, got others; name another file'
            )
        for line in whole[1:]:
            record = json.loads(line)
            self.records[record['run']] = record
        path.write_text('\n'.join(whole) + '\n', encoding='utf-8')

    def add(self, record: dict[str, Any]) -> None:
        """Append a drive."""
        self.records[record['run']] = record
        self._append(record)

    def _append(self, line: dict[str, Any]) -> None:
        with self._path.open('a', encoding='utf-8') as file:
            file.write(json.dumps(line) + '\n')
