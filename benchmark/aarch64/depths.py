# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Depths of pictures as a file, and two such files compared.

    python -m benchmark.aarch64.depths [--nudged] OUT.npz MODEL PICTURE...
    python -m benchmark.aarch64.depths --compare ONE.npz OTHER.npz

`check` runs it here and emulated, and here with pictures that are `--nudged`: one value in a
hundred is a grey level higher or lower, which nobody sees. What that changes is the grain of 8-bit
activations; a difference between machines of that size is rounding. The depths are made with
`exact_int8`, because an x86 processor without VNNI saturates otherwise where weights have 8 bits,
which no Arm processor does. The comparison ends with status 1 where a picture's mean difference
exceeds 1 %.
"""

from __future__ import annotations

from pathlib import Path
import platform
import sys
from typing import Any

from fcrn_depth_ros.camera.picture_files import read_picture
from fcrn_depth_ros.estimation.depth_estimator import DepthEstimator
from fcrn_depth_ros.estimation.onnx_model import load_onnx_model, SessionConfig
import numpy as np
from numpy.typing import NDArray

LIMIT = 0.01


def nudged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy in which one value in a hundred differs by one."""
    random = np.random.default_rng(0)
    steps = random.choice([-1, 0, 1], picture.shape, p=[0.005, 0.99, 0.005])
    changed: NDArray[np.uint8] = np.clip(picture + steps, 0, 255).astype(np.uint8)
    return changed


def write_depths(out: Path, model: Path, pictures: list[Path], nudge: bool = False) -> None:
    """Estimate the depth of pictures whose camera is not known."""
    estimator = DepthEstimator(load_onnx_model(model, SessionConfig(exact_int8=True)))
    depths: dict[str, Any] = {}
    for path in pictures:
        picture = read_picture(path)
        depths[str(path)] = estimator.estimate(nudged(picture) if nudge else picture).depth_m
    np.savez(out, **depths)
    print(f'{platform.machine()}: {len(depths)} pictures')


def compare(one: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[float, float, int]:
    """
    Return how two depth maps differ.

    Returns
    -------
    tuple of float, float, int
        Mean and largest relative difference, and the pixels that only one of them knows.

    """
    known = np.isfinite(one) & np.isfinite(other)
    difference = np.abs(other[known] / one[known] - 1.0)
    return (
        float(difference.mean()),
        float(difference.max()),
        int(np.count_nonzero(np.isfinite(one) != np.isfinite(other))),
    )


def report(one: Path, other: Path) -> bool:
    """Print the differences, and return whether all are within the limit."""
    with np.load(one) as here, np.load(other) as there:
        rows = {name: compare(here[name], there[name]) for name in here.files}
    for name, (mean, largest, lost) in rows.items():
        print(f'{mean:8.3%} mean {largest:8.3%} largest {lost:6d} pixels lost  {name}')
    within = all(mean <= LIMIT for mean, _, _ in rows.values())
    print(f'{"within" if within else "NOT within"} {LIMIT:.0%} in the mean of every picture')
    return within


def main(words: list[str]) -> int:
    """Run the command line."""
    if len(words) == 3 and words[0] == '--compare':
        return 0 if report(Path(words[1]), Path(words[2])) else 1
    nudge = words[:1] == ['--nudged']
    words = words[nudge:]
    if len(words) < 3 or words[0].startswith('-'):
        print(__doc__, file=sys.stderr)
        return 2
    write_depths(Path(words[0]), Path(words[1]), [Path(word) for word in words[2:]], nudge)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
