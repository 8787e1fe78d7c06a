# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
How steady the nearest distance is, and how soon it shows something nearer.

From the pictures of a real clip: the noise of its sensor is what two of its stillest neighbours
differ by, once one is laid over the other. Single pictures of the clip, each with that noise again
and again, are still clips. In a third kind one still picture follows on another in which something
is nearer by a fifth at least. Printed: the flicker of the nearest distance on still and on moving
pictures, and after how many pictures the nearer thing is seen; of each picture by itself, and as
published with `nearest_hold_s`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
import json
import math
from pathlib import Path
import sys
from typing import Any

import cv2
from fcrn_depth_ros.camera.camera_file import read_camera_file
from fcrn_depth_ros.camera.picture_files import list_pictures, read_picture
from fcrn_depth_ros.camera.rectification import LensCalibration
from fcrn_depth_ros.estimation.onnx_model import embedded_model_path, load_onnx_model
from fcrn_depth_ros.perception.observation import CameraFrame
from fcrn_depth_ros.perception.pipeline import PerceptionConfig, PerceptionPipeline
from fcrn_depth_ros.perception.steadiness import SteadinessConfig, SteadyDistance
import numpy as np
from numpy.typing import NDArray

from .machine import processor
from .tremble import tremble

_RATE_HZ = 15.0
_NEIGHBOURS, _STILLS, _REPEATS = 12, 12, 30
_LEAST_PICTURES = 2 * _NEIGHBOURS
_NEARER = 0.8
# The nearer thing is seen once the distance is this near to what it settles at.
_SEEN = 1.1


@dataclass(frozen=True)
class Readings:
    """Nearest distances of the pictures of one clip: each by itself, and as published."""

    own_m: list[float]
    held_m: list[float]


def flicker(distances_m: Sequence[float]) -> float:
    """Return the mean by which a distance trembles; NaN for fewer than three pictures."""
    return float(np.mean(tremble(distances_m)))


def pictures_until(distances_m: Sequence[float], change: int) -> int:
    """Return after how many pictures from `change` on the distance is what it settles at."""
    settled_m = float(np.median(distances_m[-10:]))
    for index in range(change, len(distances_m)):
        if distances_m[index] <= _SEEN * settled_m:
            return index - change + 1
    return len(distances_m) - change + 1


def sensor_noise(pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
    """
    Find the noise of a sensor in the stillest neighbours of a clip.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, shape (H, W, 3)
        In order.

    Returns
    -------
    list of ndarray of float32, shape (H, W, 3)
        What two neighbours differ by over the root of two.

    """
    small = [
        cv2.resize(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), None, fx=0.25, fy=0.25).astype(np.float32)
        for p in pictures
    ]
    moved = [float(np.abs(a - b).mean()) for a, b in zip(small, small[1:], strict=False)]
    noises = []
    for index in np.argsort(moved)[:_NEIGHBOURS]:
        one, other = pictures[index], pictures[index + 1]
        grey = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (one, other)]
        _, warp = cv2.findTransformECC(
            grey[0], grey[1], np.eye(3, dtype=np.float32), cv2.MOTION_HOMOGRAPHY,
            (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-5),
        )  # fmt: skip
        size = one.shape[1], one.shape[0]
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        laid = cv2.warpPerspective(
            other.astype(np.float32), warp, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        noises.append(((one.astype(np.float32) - laid) / math.sqrt(2.0)).astype(np.float32))
    return noises


class Bench:
    """
    Run the pipeline over clips that are made from pictures.

    Parameters
    ----------
    calibration : LensCalibration or None
        Of the pictures.
    model : str
        Path; empty for the embedded one.
    hold_s : float
        `nearest_hold_s` of what is published.

    """

    def __init__(self, calibration: LensCalibration | None, model: str, hold_s: float) -> None:
        self._hold_s = hold_s
        path = Path(model) if model else embedded_model_path('CPU')
        self._calibration = calibration
        self._pipeline = PerceptionPipeline.for_model(
            load_onnx_model(path), PerceptionConfig(steadiness=SteadinessConfig(0.0))
        )

    def read(self, pictures: Sequence[NDArray[np.uint8]]) -> Readings:
        """Return the nearest distances of one clip."""
        self._pipeline.restart()
        steady, hold_s = SteadyDistance(), self._hold_s
        own, held = [], []
        for index, picture in enumerate(pictures):
            time_s = 1.0 + index / _RATE_HZ
            seen = self._pipeline.observe(
                CameraFrame(picture, round(time_s * 1e9), time_s, self._calibration)
            )
            if math.isfinite(seen.nearest_m) and seen.nearest_m > 0.0:
                own.append(seen.nearest_m)
                held.append(steady.update(time_s, seen.nearest_m, hold_s))
        return Readings(own, held)


def noisy(
    picture: NDArray[np.uint8],
    noises: Sequence[NDArray[np.float32]],
    rng: np.random.Generator,
    count: int,
) -> list[NDArray[np.uint8]]:
    """Return a still clip of one picture."""
    clip = []
    for _ in range(count):
        noise = noises[int(rng.integers(len(noises)))] * rng.choice((-1.0, 1.0))
        shifted = np.roll(noise, tuple(rng.integers(-40, 41, 2)), axis=(0, 1))
        clip.append(np.clip(picture + shifted, 0, 255).astype(np.uint8))
    return clip


def measure(pictures: Sequence[NDArray[np.uint8]], bench: Bench, seed: int) -> dict[str, Any]:
    """Return flicker and reaction, of each picture by itself and as published."""
    rng = np.random.default_rng(seed)
    noises = sensor_noise(pictures)
    chosen = np.linspace(0, len(pictures) - 1, _STILLS).round().astype(int)
    stills = [bench.read(noisy(pictures[i], noises, rng, _REPEATS)) for i in chosen]
    moving = bench.read(pictures[::2])
    settled = [float(np.median(still.own_m)) for still in stills]
    steps = []
    for far, near in zip(
        np.argsort(settled)[::-1][: _STILLS // 2], np.argsort(settled), strict=False
    ):
        if settled[near] > _NEARER * settled[far]:
            continue
        clip = noisy(pictures[chosen[far]], noises, rng, 12)
        clip += noisy(pictures[chosen[near]], noises, rng, 16)
        read = bench.read(clip)
        steps.append((pictures_until(read.own_m, 12), pictures_until(read.held_m, 12)))
    nearer = [np.mean(np.log(np.divide(s.held_m, s.own_m))) for s in stills]
    return {
        'noise_grey_levels': float(np.std(np.stack(noises))),
        'still': {
            'by itself': float(np.mean([flicker(s.own_m) for s in stills])),
            'published': float(np.mean([flicker(s.held_m) for s in stills])),
        },
        'moving': {'by itself': flicker(moving.own_m), 'published': flicker(moving.held_m)},
        'nearer_by': -float(np.mean(nearer)),
        'reaction_pictures': {
            'by itself': [own for own, _ in steps],
            'published': [held for _, held in steps],
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog='steadiness',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('clip', type=Path, help='folder of pictures, in the order of their names')
    parser.add_argument('--camera-info', type=Path, help='of the camera (default: unknown)')
    parser.add_argument('--model', default='', help='model file (default: the embedded one)')
    parser.add_argument(
        '--hold', type=float, default=0.5, help='nearest_hold_s, in seconds (default 0.5)'
    )
    parser.add_argument('--seed', type=int, default=1, help='of the noise (default 1)')
    parser.add_argument('--json', type=Path, help='file for the figures')
    parsed = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    pictures = [read_picture(path) for path in list_pictures(parsed.clip)]
    if len(pictures) < _LEAST_PICTURES:
        parser.error(f'clip must have {_LEAST_PICTURES} pictures or more, got {len(pictures)}')
    calibration = None
    if parsed.camera_info is not None:
        calibration = read_camera_file(parsed.camera_info).calibration
    figures = measure(pictures, Bench(calibration, parsed.model, parsed.hold), parsed.seed)
    print(
        f'{processor()}: {len(pictures)} pictures, noise {figures["noise_grey_levels"]:.1f} levels'
    )
    for name in ('still', 'moving'):
        own, held = figures[name]['by itself'], figures[name]['published']
        print(f'flicker, {name}: {own:.2%} by itself, {held:.2%} as published')
    print(f'still, nearer by {figures["nearer_by"]:.1%}')
    print(f'something nearer is seen after so many pictures: {figures["reaction_pictures"]}')
    if parsed.json:
        parsed.json.write_text(json.dumps(figures, indent=1) + '\n', encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
