# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A whole recording of poses, and where something was at any time of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .odometry import RobotPose, rotation_of
from ..errors import ToolInputError

# Between two poses that lie further apart nobody knows where it was.
MOST_APART_S = 0.5


@dataclass(frozen=True)
class PoseRecording:
    """
    Poses in order of time.

    Attributes
    ----------
    stamps_ns : tuple of int
        Ascending, each once.
    positions_m : ndarray of float64, shape (N, 3)
        In a frame that stands still.
    quaternions_xyzw : ndarray of float64, shape (N, 4)
        Of unit length, into that frame.

    """

    stamps_ns: tuple[int, ...]
    positions_m: NDArray[np.float64]
    quaternions_xyzw: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.stamps_ns)

    def nth(self, index: int) -> RobotPose:
        """Return a pose by its place in the recording."""
        x, y, z, w = (float(value) for value in self.quaternions_xyzw[index])
        return RobotPose(rotation_of((x, y, z, w)), self.positions_m[index])

    def at(self, stamp_ns: int) -> RobotPose | None:
        """
        Return the pose at a time.

        Parameters
        ----------
        stamp_ns : int
            On the clock of the recording.

        Returns
        -------
        RobotPose or None
            Between two poses; None outside the recording, or where it has a gap.

        """
        after = bisect_left(self.stamps_ns, stamp_ns)
        if after < len(self) and self.stamps_ns[after] == stamp_ns:
            return self.nth(after)
        if after in (0, len(self)):
            return None
        begin_ns, end_ns = self.stamps_ns[after - 1], self.stamps_ns[after]
        if end_ns - begin_ns > MOST_APART_S * 1e9:
            return None
        share = (stamp_ns - begin_ns) / (end_ns - begin_ns)
        one, other = self.quaternions_xyzw[after - 1], self.quaternions_xyzw[after]
        other = math.copysign(1.0, float(one @ other)) * other
        angle = math.acos(min(1.0, float(one @ other)))
        if angle < 1e-6:
            turned = one
        else:
            turned = (
                math.sin((1 - share) * angle) * one + math.sin(share * angle) * other
            ) / math.sin(angle)
        x, y, z, w = (float(value) for value in turned)
        before_m, after_m = self.positions_m[after - 1 : after + 1]
        return RobotPose(rotation_of((x, y, z, w)), before_m + share * (after_m - before_m))


def recorded_poses(
    rows: list[tuple[int, tuple[float, float, float], tuple[float, float, float, float]]],
) -> PoseRecording:
    """Put stamps, positions and quaternions in order; of equal stamps the first one counts."""
    by_stamp = {stamp_ns: (xyz, xyzw) for stamp_ns, xyz, xyzw in reversed(rows)}
    stamps = tuple(sorted(by_stamp))
    positions = np.array([by_stamp[stamp][0] for stamp in stamps], np.float64).reshape(-1, 3)
    turns = np.array([by_stamp[stamp][1] for stamp in stamps], np.float64).reshape(-1, 4)
    length = np.linalg.norm(turns, axis=1, keepdims=True)
    return PoseRecording(stamps, positions, turns / np.maximum(length, 1e-12))


def read_tum_poses(path: Path) -> PoseRecording:
    """
    Read poses in TUM format.

    Parameters
    ----------
    path : Path
        Lines of `stamp tx ty tz qx qy qz qw`: seconds, metres, and a unit quaternion. Empty
        lines and what follows a # count for nothing.

    Returns
    -------
    PoseRecording
        Never empty.

    Raises
    ------
    ToolInputError
        It cannot be read, or a line of it is no pose.

    """
    rows = []
    for number, line, words in lines_of_words(path, 'poses'):
        try:
            values = [float(word) for word in words]
            if len(values) != 8 or not all(map(math.isfinite, values)):
                raise ValueError
            if not 0.9 < math.hypot(*values[4:]) < 1.1:
                raise ValueError
            stamp_ns = _nanoseconds(words[0])
        except ValueError as err:
            raise ToolInputError(
                f'line {number} of {path} must be `stamp tx ty tz qx qy qz qw` with a unit '
                f'quaternion, got {line.strip()[:120]!r}; write poses in TUM format'
            ) from err
        x, y, z, qx, qy, qz, qw = values[1:]
        rows.append((stamp_ns, (x, y, z), (qx, qy, qz, qw)))
    if not rows:
        raise ToolInputError(f'{path} must hold poses, got none; write poses in TUM format')
    return recorded_poses(rows)


def lines_of_words(path: Path, what: str) -> Iterator[tuple[int, str, list[str]]]:
    """
    Read a text file of words, line by line.

    Parameters
    ----------
    path : Path
        Words are separated by blanks or commas; empty lines and what follows a # do not count.
    what : str
        What it is, for the error.

    Yields
    ------
    tuple of int, str and list of str
        Number of the line from 1, the line, and its words, at least one.

    Raises
    ------
    ToolInputError
        It cannot be read.

    """
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, ValueError) as err:
        raise ToolInputError(f'{what} must be a readable file, got {path}: {err}') from err
    for number, line in enumerate(lines, 1):
        words = line.split('#')[0].replace(',', ' ').split()
        if words:
            yield number, line, words


def _nanoseconds(text: str) -> int:
    """Return seconds as nanoseconds, to the last digit where there is no exponent."""
    whole, _, rest = text.partition('.')
    if whole.isdigit() and (rest.isdigit() or not rest):
        return int(whole) * 10**9 + int(f'{rest:0<9.9}')
    return round(float(text) * 1e9)
