# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Measure how well a picture alone tells the angles of its camera.

    python -m training.tilt RUN_OR_ONNX --validation val.pack

prints for each set by how much pitch and roll differ from those of the measured floor: of
straight lines in the picture, and of the floor by its shape in the network's depth (without a
mounting), each where it says something. Angles of a real set are those of a plane that was fitted
to its depth, which is a table now and then.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from fcrn_depth_ros.camera.mounting import CameraMounting
from fcrn_depth_ros.scale.floor_plane import find_floor
from fcrn_depth_ros.scale.level_lines import find_lines, upright
import numpy as np
from numpy.typing import NDArray

from .check import load
from .checking import Answers, half_camera, predict, stored_camera
from .pack import Frames, read_pack
from .runs import add_runs

Floats = NDArray[np.float64]
WRONG_DEG = 3.0


def errors_deg(said: Sequence[NDArray[np.floating] | None], planes: Floats) -> Floats:
    """
    Return pitch and roll that were said less those of the measured floor.

    Parameters
    ----------
    said : sequence of ndarray of float, shape (3,), or None
        Down in the optical frame; None where nothing was said.
    planes : ndarray of float, shape (N, 3)
        Floor normals, of any length.

    Returns
    -------
    ndarray of float64, shape (M, 2)
        Degrees, where something was said.

    """
    rows = []
    for down, plane in zip(said, planes, strict=True):
        if down is not None:
            found, true = (
                CameraMounting.from_down_vector(each / np.linalg.norm(each), 1.0)
                for each in (down, plane)
            )
            rows.append((found.pitch_deg - true.pitch_deg, found.roll_deg - true.roll_deg))
    return np.array(rows, np.float64).reshape(-1, 2)


def by_lines(frames: Frames) -> list[Floats | None]:
    """Return down as straight lines of each picture show it."""
    pictures = np.ascontiguousarray(frames.images.transpose(0, 2, 3, 1))
    return [
        upright(find_lines(picture, stored_camera(camera)))
        for picture, camera in zip(pictures, frames.cameras, strict=True)
    ]


def by_shape(frames: Frames, answers: Answers) -> list[Floats | None]:
    """Return down as the floor in each depth map shows it."""
    said: list[Floats | None] = []
    for index, camera in enumerate(frames.cameras):
        floor = None if answers.floor is None else answers.floor[index]
        plane = find_floor(answers.depth_m[index], half_camera(camera), floor)
        said.append(None if plane is None else plane.down)
    return said


def line(name: str, kind: str, count: int, errors: Floats) -> str:
    """Return a row of the table."""
    if not len(errors):
        return f'| {name} | {kind} | 0 of {count} | | | | |'
    pitch, roll = np.abs(errors).T
    wrong = np.mean(pitch > WRONG_DEG)
    return (
        f'| {name} | {kind} | {len(errors)} of {count} | {np.median(pitch):.1f} | '
        f'{np.quantile(pitch, 0.9):.1f} | {wrong:.2f} | {np.median(roll):.1f} |'
    )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Angles of a camera by its picture's lines.")
    add_runs(parser)
    parser.add_argument('--validation', type=Path, required=True, help='pack')
    arguments = parser.parse_args()
    try:
        network, config = load(arguments.runs, arguments.weights)
        frames = read_pack(arguments.validation)
    except ValueError as error:
        parser.error(str(error))
    print(
        '| set | by | says something | pitch off, median deg | 90 % | more than 3 deg | '
        'roll off, median deg |\n' + '|---' * 7 + '|'
    )
    for name in frames.source_names:
        own = frames.of_source(name)
        own = own.chosen(np.flatnonzero(np.isfinite(own.planes[:, 0])))
        if not len(own):
            continue
        planes = own.planes.astype(np.float64)
        print(line(name, 'lines', len(own), errors_deg(by_lines(own), planes)))
        answers = predict(network, own, config, mounting=False)
        print(
            line(name, 'shape', len(own), errors_deg(by_shape(own, answers), planes)), flush=True
        )


if __name__ == '__main__':
    main()
