# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Accuracy on whole frames while training: with the mounting, without it, in a smaller world."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn

from .data import Frame, plain_input, Settings, STORED_SIZE
from .network import IMAGE_MEAN, IMAGE_SCALE

SMALL_WORLD = 0.45  # puts NYU's cameras at a robot's 0.6 m


@torch.no_grad()
def predict(
    network: nn.Module, frame: Frame, config: Settings, mounting: bool, world: float = 1.0
) -> NDArray[np.float32]:
    """Return the depth in metres at the frame's size."""
    image, inverse_floor, ratio = plain_input(frame, config, mounting)
    x = (torch.from_numpy(image).permute(2, 0, 1)[None].float() - IMAGE_MEAN) * IMAGE_SCALE
    output = network(
        x.contiguous(memory_format=torch.channels_last),
        torch.from_numpy(inverse_floor / np.float32(world))[None, None],
    )
    depth_m: NDArray[np.float32] = output[0, 0].exp().numpy() * ratio
    return np.asarray(cv2.resize(depth_m, STORED_SIZE))


def frame_errors(
    predicted: NDArray[np.float32], frame: Frame, world: float = 1.0
) -> dict[str, float]:
    """Return AbsRel, RMSE and d1 of one frame, and its counts of pixels nearer than 1 m."""
    x0, y0, x1, y1 = frame.crop
    truth = frame.depth_mm[y0:y1, x0:x1] / 1000 * world
    predicted = predicted[y0:y1, x0:x1]
    known = truth > 0
    t, p = truth[known], predicted[known]
    return {
        'AbsRel': float(np.mean(np.abs(p - t) / t)),
        'RMSE': float(np.sqrt(np.mean((p - t) ** 2))),
        'd1': float(np.mean(np.maximum(p / t, t / p) < 1.25)),
        'hit1m': int(np.sum((p < 1) & (t < 1))),
        'near1m': int(np.sum(t < 1)),
        'said1m': int(np.sum(p < 1)),
    }


def check(
    network: nn.Module,
    frames: list[Frame],
    config: Settings,
    mounting: bool,
    world: float = 1.0,
) -> dict[str, float]:
    """Return the mean errors over frames, and recall and precision of "nearer than 1 m"."""
    rows = [
        frame_errors(predict(network, frame, config, mounting, world), frame, world)
        for frame in frames
        if frame.depth_mm.any() and (world == 1 or frame.floor is not None)
    ]
    result = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    hit, near, said = (result.pop(name) for name in ('hit1m', 'near1m', 'said1m'))
    return result | {'recall1m': hit / max(near, 1e-9), 'precision1m': hit / max(said, 1e-9)}


def check_all(
    network: nn.Module, checks: Sequence[tuple[Settings, list[Frame]]], config: Settings
) -> dict[str, str]:
    """Check every set without and with the mounting, and val in a smaller world."""
    row: dict[str, str] = {}
    for entry, frames in checks:
        cases = {'': (False, 1.0), '_mounted': (True, 1.0)}
        if entry['name'] == 'val':
            cases['_small'] = (True, SMALL_WORLD)
        for suffix, (mounting, world) in cases.items():
            errors = check(network, frames, config, mounting, world)
            row |= {f'{entry["name"]}{suffix}_{key}': f'{x:.4f}' for key, x in errors.items()}
    return row
