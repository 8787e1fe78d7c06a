# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Accuracy on whole frames: depth, the nearest distance, and obstacles told from floor.

Scored at the pack's depth size (160x120), so its figures differ a little from those of
`evaluate`, which scores every pixel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.perception.proximity import estimate_proximity, ProximityConfig
import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn

from .augment import floor_maps, warp_images, whole_views
from .bootstrap import DRAWS, Figure, ratios
from .data import DEPTH_SIZE, STORED_SIZE
from .labels import FLOOR, height_above
from .network import IMAGE_MEAN, IMAGE_SCALE, resize
from .pack import decode_depth, Frames

SMALL_WORLD = 0.45  # puts NYU's cameras at a robot's 0.6 m
OBSTACLE_HEIGHT_M, OBSTACLE_RANGE_M = 0.08, 2.0
FLOOR_RANGE_M = 4.0
LEAST_OBSTACLE_PX = 40  # of 160x120: less of an obstacle in view is not counted as a picture
SEEN_SHARE = 0.1  # of its pixels found: the obstacle was not missed
TOO_FAR, TOO_NEAR = 1.25, 0.75  # of the nearest distance
# Sensors leave holes; what they measured is compared, however little it is.
NEAREST = ProximityConfig(min_valid_fraction=0.01)

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Answers:
    """
    What a network says of N whole pictures, at the pack's depth size.

    Attributes
    ----------
    depth_m : ndarray of float32, shape (N, 120, 160)
        Metres.
    floor : ndarray of float32 or None
        Probability of free floor.
    error : ndarray of float32 or None
        Expected absolute error of log depth.
    inverse_floor : ndarray of float32, shape (N, 120, 160)
        Of the mounting that the network was told, 1/m; 0 where nothing.

    """

    depth_m: NDArray[np.float32]
    floor: NDArray[np.float32] | None
    error: NDArray[np.float32] | None
    inverse_floor: NDArray[np.float32]


@torch.no_grad()
def predict(
    network: nn.Module,
    frames: Frames,
    config: Mapping[str, Any],
    mounting: bool,
    world: float = 1.0,
    device: torch.device | str = 'cpu',
    batch: int = 32,
) -> Answers:
    """Return what a network says of whole pictures, without or with their mounting."""
    size = config['input_width'], config['input_height']
    height, width = DEPTH_SIZE[1], DEPTH_SIZE[0]
    parts: list[Answers] = []
    for start in range(0, len(frames), batch):
        some = frames.chosen(np.arange(start, min(start + batch, len(frames))))
        cameras = some.cameras.astype(np.float64)
        views = whole_views(cameras, size, config['training_fx_px'])
        planes = some.planes / world if mounting else np.full((len(some), 3), np.nan)
        told = floor_maps(planes.astype(np.float64), views, size, torch.device(device))
        ratio = torch.from_numpy(views.ratio.astype(np.float32)).to(device).view(-1, 1, 1, 1)
        image = warp_images(torch.from_numpy(some.images).to(device), cameras, views, size)
        x = (image.round() - IMAGE_MEAN) * IMAGE_SCALE
        answer = network(x.contiguous(memory_format=torch.channels_last), told * ratio)

        def at_size(x: torch.Tensor) -> NDArray[np.float32]:
            resized: NDArray[np.float32] = resize(x.float(), (height, width))[:, 0].cpu().numpy()
            return resized

        parts.append(
            Answers(
                at_size(answer.log_depth.exp() * ratio),
                None if answer.floor_logit is None else at_size(answer.floor_logit.sigmoid()),
                None if answer.log_error is None else at_size(answer.log_error.exp()),
                at_size(told),
            )
        )
    return Answers(
        np.concatenate([part.depth_m for part in parts]),
        _joined([part.floor for part in parts]),
        _joined([part.error for part in parts]),
        np.concatenate([part.inverse_floor for part in parts]),
    )


def _joined(parts: Sequence[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    given = [part for part in parts if part is not None]
    return np.concatenate(given) if given else None


def frame_rows(answers: Answers, frames: Frames, world: float = 1.0) -> dict[str, Floats]:
    """
    Return the errors of every picture, as sums that can be added up over pictures.

    Returns
    -------
    dict of str to ndarray of float, shape (N,)
        `AbsRel`, `RMSE`, `d1`, `shape` (AbsRel after one factor for the picture); counts of
        pixels nearer than 1 m: `hit1m`, `near1m`, `said1m`; `nearest`, `too_far` and `too_near`
        (1 or 0); and, where the floor is known, counts of obstacle and floor pixels: `obstacle`,
        `found_floor`, `found_depth` (by the floor's probability, by depth), `floor`,
        `lost_floor`, `lost_depth` (floor taken for an obstacle), and of pictures with an obstacle
        in view and those in which it was missed: `seen`, `missed_floor`, `missed_depth`.

    """
    rows = [
        _depth_row(answers, frames, index, world) | _floor_row(answers, frames, index)
        for index in range(len(frames))
    ]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, 0.0) for row in rows], np.float64) for name in names}


def _depth_row(answers: Answers, frames: Frames, index: int, world: float) -> dict[str, float]:
    x0, y0, x1, y1 = frames.crops[index] // 2
    truth = decode_depth(frames.depth_codes[index]) * np.float32(world)
    scored = np.zeros(truth.shape, bool)
    scored[y0:y1, x0:x1] = True
    scored &= truth > 0
    t, p = truth[scored], answers.depth_m[index][scored]
    if not len(t):
        return {'pictures': 0.0}
    scaled = p * np.median(t / p)
    seen = np.where(scored, answers.depth_m[index], np.float32(np.nan))
    measured = np.where(scored, truth, np.float32(np.nan))
    told = answers.inverse_floor[index]
    said, true = (
        estimate_proximity(depth, NEAREST, told if told.any() else None).nearest_distance_m
        for depth in (seen, measured)
    )
    return {
        'pictures': 1.0,
        'AbsRel': float(np.mean(np.abs(p - t) / t)),
        'RMSE': float(np.sqrt(np.mean((p - t) ** 2))),
        'd1': float(np.mean(np.maximum(p / t, t / p) < 1.25)),
        'shape': float(np.mean(np.abs(scaled - t) / t)),
        'hit1m': float(np.sum((p < 1) & (t < 1))),
        'near1m': float(np.sum(t < 1)),
        'said1m': float(np.sum(p < 1)),
        'too_far': float(said > TOO_FAR * true),
        'too_near': float(said < TOO_NEAR * true),
    }


def _floor_row(answers: Answers, frames: Frames, index: int) -> dict[str, float]:
    plane = frames.floors[index]
    if not np.isfinite(plane[0]):
        return {}
    camera = half_camera(frames.cameras[index])
    truth = decode_depth(frames.depth_codes[index])
    height = height_above(truth, camera, plane)
    length = float(np.linalg.norm(plane))
    inverse = camera.rays() @ plane.astype(np.float32)
    judged = inverse > 0.02 * length  # below the horizon
    obstacle = judged & (height > OBSTACLE_HEIGHT_M) & (truth < OBSTACLE_RANGE_M) & (truth > 0)
    # Far away the errors of a sensor make obstacles of floor.
    floor = judged & (frames.labels[index] == FLOOR) & (truth < FLOOR_RANGE_M)
    row = {'obstacle': float(obstacle.sum()), 'floor': float(floor.sum())}
    visible = obstacle.sum() >= LEAST_OBSTACLE_PX
    row['seen'] = float(visible)
    by_depth = answers.depth_m[index] * np.maximum(inverse, 0) < 1 - NEAREST.floor_tolerance
    found = {'depth': by_depth}
    if answers.floor is not None:
        found['floor'] = answers.floor[index] < 0.5
    for name, called in found.items():
        row[f'found_{name}'] = float((called & obstacle).sum())
        row[f'lost_{name}'] = float((called & floor).sum())
        enough = row[f'found_{name}'] >= SEEN_SHARE * obstacle.sum()
        row[f'missed_{name}'] = float(visible and not enough)
    return row


def stored_camera(camera: NDArray[np.floating]) -> CameraIntrinsics:
    """Return the intrinsics of a stored picture from its fx, fy, cx, cy."""
    fx, fy, cx, cy = (float(value) for value in camera)
    return CameraIntrinsics(fx, fy, cx, cy, *STORED_SIZE)


def half_camera(camera: NDArray[np.floating]) -> CameraIntrinsics:
    """Return the intrinsics of the stored depth from fx, fy, cx, cy of the picture."""
    return stored_camera(camera).scaled_to(*DEPTH_SIZE)


# Every figure is the sum of one column over the sum of another.
FIGURES = {
    'AbsRel': ('AbsRel', 'pictures'),
    'RMSE': ('RMSE', 'pictures'),
    'd1': ('d1', 'pictures'),
    'shape': ('shape', 'pictures'),
    'recall1m': ('hit1m', 'near1m'),
    'precision1m': ('hit1m', 'said1m'),
    'too_far': ('too_far', 'pictures'),
    'too_near': ('too_near', 'pictures'),
    'found_floor': ('found_floor', 'obstacle'),
    'lost_floor': ('lost_floor', 'floor'),
    'missed_floor': ('missed_floor', 'seen'),
    'found_depth': ('found_depth', 'obstacle'),
    'lost_depth': ('lost_depth', 'floor'),
    'missed_depth': ('missed_depth', 'seen'),
}


def summarise(
    rows: Mapping[str, Floats], scenes: Sequence[str], draws: int = DRAWS
) -> dict[str, Figure]:
    """Return the figures over all pictures from what :func:`frame_rows` returned."""
    return ratios(rows, FIGURES, scenes, draws)


def cases_of(source: str) -> Iterable[tuple[str, bool, float]]:
    """Return suffix, mounting and world of what is checked on a set."""
    yield '', False, 1.0
    yield '_mounted', True, 1.0
    if source == 'val':
        yield '_small', True, SMALL_WORLD


def check_all(
    network: nn.Module,
    frames: Frames,
    config: Mapping[str, Any],
    device: torch.device | str = 'cpu',
    draws: int = DRAWS,
) -> dict[str, dict[str, Figure]]:
    """
    Check every set of a validation pack without and with the mounting, and val in a small world.

    Returns
    -------
    dict of str to dict of str to Figure
        Of each set with its suffix.

    """
    results = {}
    for source in frames.source_names:
        own = frames.of_source(source)
        for suffix, mounting, world in cases_of(source):
            some = own
            if suffix:
                some = own.chosen(np.flatnonzero(np.isfinite(own.planes[:, 0])))
            if not len(some):
                continue
            answers = predict(network, some, config, mounting, world, device)
            rows = frame_rows(answers, some, world)
            if world != 1:
                rows = {key: rows[key] for key in ('pictures', 'AbsRel', 'd1')}
            results[source + suffix] = summarise(rows, some.scenes, draws)
    return results


def flatten(results: Mapping[str, Mapping[str, Figure]]) -> dict[str, str]:
    """Return the values of a check as columns of a log."""
    return {
        f'{name}_{key}': f'{figure.value:.4f}'
        for name, figures in results.items()
        for key, figure in figures.items()
    }
