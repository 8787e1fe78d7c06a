# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
RGB-D folders, read one scene at a time, and the geometry of one picture.

Everything is expressed in the canonical camera in the end: a picture seen with a longer focal
length is the same picture of a world that much nearer, so depth is divided by the ratio of the
focal lengths and the map of inverse floor depths multiplied by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
from fcrn_depth_ros.camera.camera_file import read_camera_file
from fcrn_depth_ros.camera.depth_encoding import to_millimetres
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, fit_floor
from fcrn_depth_ros.camera.picture_files import read_depth_mm, read_picture
from fcrn_depth_ros.tools.measure.dataset import list_scenes, read_split
import numpy as np
from numpy.typing import NDArray

from .labels import floor_labels, IGNORED, MEASURED, RENDERED

STORED_SIZE = (320, 240)
DEPTH_SIZE = (STORED_SIZE[0] // 2, STORED_SIZE[1] // 2)
SURFACE_SHARE = 0.04  # of the depth: neighbours that differ by less are of one surface
LEAST_FLOOR_HEIGHT_M = 0.9  # of a hand-held camera; nearer planes are tables


@dataclass(frozen=True)
class Frame:
    """
    One RGB-D picture and what is known of its camera.

    Attributes
    ----------
    scene, name : str
        Folder below the root, and the file's stem.
    image : ndarray of uint8, shape (240, 320, 3)
        RGB.
    depth_mm : ndarray of uint16, shape (240, 320)
        0 where unknown.
    labels : ndarray of uint8, shape (240, 320)
        Free floor, see :mod:`training.labels`; all IGNORED where the floor is not known.
    camera : CameraIntrinsics
        Of the picture.
    plane : ndarray of float, shape (3,), or None
        What a network may be told: floor normal over the height, 1/m; None where unknown.
    floor : ndarray of float, shape (3,), or None
        The plane that the labels are of.
    crop : tuple of int
        x0, y0, x1, y1: where the depth may be scored.

    """

    scene: str
    name: str
    image: NDArray[np.uint8]
    depth_mm: NDArray[np.uint16]
    labels: NDArray[np.uint8]
    camera: CameraIntrinsics
    plane: NDArray[np.float64] | None
    floor: NDArray[np.float64] | None
    crop: tuple[int, int, int, int]


def plane_of(mounting: CameraMounting | None) -> NDArray[np.float64] | None:
    """Return the floor normal over the height, 1/m."""
    return None if mounting is None else mounting.down_vector() / mounting.height_m


def load_scene(root: Path, scene: str, entry: Mapping[str, Any]) -> Iterator[Frame]:
    """
    Load one scene folder in the layout rgb/, depth/, camera.json.

    Parameters
    ----------
    root : Path
        Folder of the scenes.
    scene : str
        Below it.
    entry : mapping
        Of the source. `rendered`: depth and mounting are exact. `least_height_m`: a plane nearer
        than that is taken for a table when the mounting is fitted; `floor_least_m`: likewise for
        the labels of free floor.

    Yields
    ------
    Frame
        The mounting comes from camera.json where it is there, and from the floor seen in the
        depth where it is not. The labels are of the floor seen in the depth, unless that is
        exact.

    """
    folder = root / scene
    camera_file = read_camera_file(folder / 'camera.json').scaled_to(*STORED_SIZE)
    camera_file.check_rectified()
    camera, told = camera_file.intrinsics, camera_file.mounting
    rendered = entry.get('rendered', False)
    for path in sorted((folder / 'depth').glob('*.png')):
        image = read_picture(next((folder / 'rgb').glob(f'{path.stem}.*')))
        depth_m = read_depth_mm(path)
        if depth_m.shape[::-1] != STORED_SIZE:
            image = np.asarray(cv2.resize(image, STORED_SIZE, interpolation=cv2.INTER_AREA))
            depth_m = cv2.resize(depth_m, STORED_SIZE, interpolation=cv2.INTER_NEAREST)
        depth_m[depth_m > min(camera_file.max_reliable_m, 60)] = np.nan
        seen = told
        if not rendered:
            least_m = entry.get('least_height_m', 0.05)
            seen = fit_floor(depth_m, camera, min_height_m=least_m)
        floor = plane_of(seen)
        least_m = 0.0 if rendered else entry.get('floor_least_m', LEAST_FLOOR_HEIGHT_M)
        if seen and seen.height_m < least_m:
            floor = None
        labels = np.full(depth_m.shape, IGNORED, np.uint8)
        if floor is not None:
            labels = floor_labels(depth_m, camera, floor, RENDERED if rendered else MEASURED)
        yield Frame(
            scene,
            path.stem,
            image,
            to_millimetres(depth_m),
            labels,
            camera,
            plane_of(told or seen),
            floor,
            camera_file.score_crop,
        )


def scene_names(root: Path, split: str | None, prefix: str = '') -> list[str]:
    """Return the scenes a split file names below `root`, or all below it without a split."""
    names = list_scenes(root) if split is None else read_split(root / split)
    return [name for name in names if name.startswith(prefix)]


def halve_depth(depth: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """
    Return a map of half the size, in which no value is a mean across an edge.

    Of each 2x2 block the mean of what lies within SURFACE_SHARE of its lower median: of one
    surface. 0 where nothing is known.
    """
    blocks = np.stack([depth[y::2, x::2] for y in (0, 1) for x in (0, 1)], axis=-1)
    blocks = blocks.astype(np.float64)
    known = np.count_nonzero(blocks, axis=-1)
    blocks[blocks == 0] = np.inf
    blocks.sort(axis=-1)
    middle = np.take_along_axis(blocks, (np.maximum(known - 1, 0) // 2)[..., None], -1)
    middle = np.where(known[..., None] > 0, middle, 0)
    beside = np.abs(blocks - middle) <= SURFACE_SHARE * middle
    total: NDArray[np.float64] = np.where(beside, blocks, 0).sum(-1)
    mean = total / np.maximum(np.count_nonzero(beside, axis=-1), 1)
    halved: NDArray[np.uint16] = np.round(mean).astype(np.uint16)
    return halved


def halve_labels(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return labels of half the size: IGNORED where the four pixels do not agree."""
    blocks = np.stack([labels[y::2, x::2] for y in (0, 1) for x in (0, 1)], axis=-1)
    agreed = (blocks == blocks[..., :1]).all(axis=-1)
    return np.where(agreed, blocks[..., 0], IGNORED).astype(np.uint8)


def floor_map(
    plane: NDArray[np.floating],
    camera: CameraIntrinsics,
    to_source: NDArray[np.floating],
    width: int,
    height: int,
) -> NDArray[np.float64]:
    """
    Return max(0, inverse floor depth) of every pixel of an affine view of a picture.

    Parameters
    ----------
    plane : ndarray of float, shape (3,)
        Floor normal over the height, 1/m.
    camera : CameraIntrinsics
        Of the picture.
    to_source : ndarray of float, shape (2, 3)
        From pixels of the view to pixels of the picture.
    width, height : int
        Size of the view.

    Returns
    -------
    ndarray of float, shape (height, width)
        In 1/m, for the picture's own focal length.

    """
    to_ray = np.array(
        [
            [1 / camera.fx_px, 0, -camera.cx_px / camera.fx_px],
            [0, 1 / camera.fy_px, -camera.cy_px / camera.fy_px],
            [0, 0, 1],
        ]
    )
    # Linear in the pixel: n . ray(source(u, v)).
    a, b, c = plane @ to_ray @ np.vstack([to_source, [0, 0, 1]])
    inverse: NDArray[np.float64] = np.maximum(
        a * np.arange(width) + (b * np.arange(height) + c)[:, None], 0
    )
    return inverse


def whole_view(width: int, height: int) -> NDArray[np.float64]:
    """Return the affine map (2, 3) from pixels of a stretched whole picture to the stored ones."""
    scale_x, scale_y = STORED_SIZE[0] / width, STORED_SIZE[1] / height
    return np.array([[scale_x, 0, scale_x / 2 - 0.5], [0, scale_y, scale_y / 2 - 0.5]])
