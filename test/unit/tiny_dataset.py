# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A dataset of drawn pictures whose depth is known, in the layout of the tools."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 64, 48
# The tiny network's training camera at this width: a focal ratio of one.
CAMERA = {'fx': 64.0, 'fy': 64.0, 'cx': 31.5, 'cy': 23.5, 'width': WIDTH, 'height': HEIGHT}


def blocks(mean: float) -> np.ndarray:
    """Return a picture of light and dark blocks; the tiny network says mean / 100 metres."""
    pattern = np.kron(np.indices((6, 8)).sum(0) % 2, np.ones((8, 8)))
    return np.repeat((mean - 40 + 80 * pattern).astype(np.uint8)[..., None], 3, axis=2)


def write_scene(
    root: Path,
    scene: str,
    depths_m: list[float],
    *,
    picture_means: list[float] | None = None,
    **camera: object,
) -> Path:
    """
    Write a scene of uniform pictures and depth maps.

    Parameters
    ----------
    root : Path
        Dataset folder.
    scene : str
        Folder of the scene.
    depths_m : list of float
        Depth of each picture.
    picture_means : list of float, optional
        Brightness of each picture; 100 times the depth by default.
    **camera
        Changes of and additions to camera.json.

    Returns
    -------
    Path
        Folder of the scene.

    """
    folder = root / scene
    (folder / 'rgb').mkdir(parents=True)
    (folder / 'depth').mkdir()
    (folder / 'camera.json').write_text(json.dumps({**CAMERA, **camera}))
    for index, depth in enumerate(depths_m):
        mean = 100 * depth if picture_means is None else picture_means[index]
        picture = np.full((HEIGHT, WIDTH, 3), round(mean), np.uint8)
        cv2.imwrite(str(folder / 'rgb' / f'{index:04d}.png'), picture)
        depth_mm = np.full((HEIGHT, WIDTH), round(depth * 1000), np.uint16)
        cv2.imwrite(str(folder / 'depth' / f'{index:04d}.png'), depth_mm)
    return folder
