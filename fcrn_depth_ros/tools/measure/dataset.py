# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Pictures with measured depth, one at a time.

Two layouts: folders ``SCENE/{rgb/STEM.jpg, depth/STEM.png, camera.json}`` (depth in 16-bit
millimetres, 0 unknown), and NYU's own ``nyu_depth_v2_labeled.mat``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...camera.camera_file import CameraFile, read_camera_file
from ...camera.intrinsics import CameraIntrinsics
from ...camera.mounting import CameraMounting
from ...camera.picture_files import list_pictures, read_depth_mm, read_picture
from ...errors import ToolInputError

# NYU's toolbox counts pixels from 1; the crop is the one that published results are scored in.
_NYU_CAMERA = CameraIntrinsics(518.857901, 519.469611, 324.582449, 252.736166, 640, 480)
_NYU_CROP = (41, 45, 601, 471)


@dataclass(frozen=True)
class Sample:
    """
    One picture and its measured depth.

    Attributes
    ----------
    scene, name : str
        Where it comes from.
    image_rgb : ndarray of uint8, shape (H, W, 3)
        Picture in RGB.
    depth_m : ndarray of float32, shape (H, W)
        NaN where unknown, or where it is not to be scored.
    intrinsics : CameraIntrinsics
        Of the picture.
    mounting : CameraMounting or None
        As the dataset gives it.

    """

    scene: str
    name: str
    image_rgb: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    intrinsics: CameraIntrinsics
    mounting: CameraMounting | None


@dataclass(frozen=True)
class SampleSource:
    """A sample that is not loaded yet."""

    scene: str
    name: str
    load: Callable[[], Sample]


def open_dataset(path: Path, split: Path | None = None) -> list[SampleSource]:
    """
    List the samples of a dataset.

    Parameters
    ----------
    path : Path
        Folder that holds the scenes, or an ``nyu_depth_v2_labeled.mat``.
    split : Path, optional
        Text file with one scene folder a line (for the .mat file: one picture number a line,
        from 1). All by default.

    Returns
    -------
    list of SampleSource
        Never empty.

    Raises
    ------
    ToolInputError
        Something is missing, unreadable or empty.

    """
    names = None if split is None else read_split(split)
    if path.suffix.lower() == '.mat':
        return _open_nyu(path, names)
    if not path.is_dir():
        raise ToolInputError(f'dataset must be a folder of scenes, got {path}; check the path')
    if names is None:
        names = list_scenes(path)
    if not names:
        raise ToolInputError(
            f'dataset must hold scenes with rgb/, depth/ and camera.json, got none in {path}; '
            'check the path'
        )
    return [source for name in names for source in _open_scene(path, name)]


def list_scenes(root: Path) -> list[str]:
    """List the folders with a camera.json in and below a folder; links to folders are followed."""
    return sorted(str(folder.relative_to(root)) for folder in _scene_folders(root, frozenset()))


def _scene_folders(folder: Path, parents: frozenset[Path]) -> Iterator[Path]:
    resolved = folder.resolve()
    if resolved in parents:  # a link back up
        return
    if (folder / 'camera.json').is_file():
        yield folder
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir()]
    for name in names:
        yield from _scene_folders(folder / name, parents | {resolved})


def read_split(split: Path) -> list[str]:
    """Read the names in a text file, one a line; ToolInputError where there is none."""
    try:
        lines = split.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise ToolInputError(f'split must be a text file, got {split}: {err}') from err
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ToolInputError(f'split must name at least one scene, got the empty {split}')
    return names


def _open_scene(root: Path, name: str) -> list[SampleSource]:
    folder = root / name
    if not folder.is_dir():
        raise ToolInputError(
            f'scene {name} must be a folder of {root}, got none; correct the split'
        )
    camera = read_camera_file(folder / 'camera.json')
    camera.check_rectified()
    return [
        SampleSource(
            name, path.stem, _loader(path, folder / 'depth' / f'{path.stem}.png', name, camera)
        )
        for path in list_pictures(folder / 'rgb')
    ]


def _loader(
    picture: Path, depth_file: Path, name: str, camera: CameraFile
) -> Callable[[], Sample]:
    def load() -> Sample:
        image = read_picture(picture)
        depth = read_depth_mm(depth_file)
        height, width = image.shape[:2]
        if depth.shape != (height, width):
            raise ToolInputError(
                f'{depth_file} must have the size {width}x{height} of its picture, got '
                f'{depth.shape[1]}x{depth.shape[0]}; resize it'
            )
        fitted = camera.fitted_to(width, height)
        depth[depth > fitted.max_reliable_m] = np.nan
        return Sample(
            name,
            picture.stem,
            image,
            _cropped(depth, fitted.score_crop),
            fitted.intrinsics,
            fitted.mounting,
        )

    return load


def _cropped(depth: NDArray[np.float32], crop: tuple[int, int, int, int]) -> NDArray[np.float32]:
    x0, y0, x1, y1 = crop
    inside = np.full_like(depth, np.nan)
    inside[y0:y1, x0:x1] = depth[y0:y1, x0:x1]
    return inside


def _open_nyu(path: Path, names: list[str] | None) -> list[SampleSource]:
    try:
        import h5py
    except ModuleNotFoundError as err:
        raise ToolInputError(
            f'h5py must be installed to read {path}, got none; run pip install h5py'
        ) from err
    try:
        with h5py.File(path, 'r') as file:
            pictures, depths = file['images'], file['depths']
            count = len(pictures)
            if pictures.shape != (count, 3, 640, 480) or depths.shape != (count, 640, 480):
                raise KeyError(f'arrays of {count}x3x640x480 and {count}x640x480')
            scenes = [_nyu_text(file, reference) for reference in file['scenes'][0]]
    except (OSError, KeyError, AttributeError, ValueError, IndexError) as err:
        raise ToolInputError(
            f'dataset must be the nyu_depth_v2_labeled.mat of NYU, got {path}: {err}'
        ) from err
    try:
        numbers = range(1, count + 1) if names is None else [int(name) for name in names]
        if not all(1 <= number <= count for number in numbers):
            raise ValueError(f'a number outside 1..{count}')
    except ValueError as err:
        raise ToolInputError(
            f'split of {path.name} must hold picture numbers from 1 to {count}, got {err}'
        ) from err

    def loader(number: int, scene: str) -> Callable[[], Sample]:
        def load() -> Sample:
            # Opened for each picture, so that nobody has to close it later.
            with h5py.File(path, 'r') as file:
                picture = file['images'][number - 1]
                depth = np.asarray(file['depths'][number - 1], np.float32).T
            return Sample(
                scene,
                f'{number:04d}',
                np.ascontiguousarray(picture.transpose(2, 1, 0)),
                _cropped(np.where(depth > 0, depth, np.float32(np.nan)), _NYU_CROP),
                _NYU_CAMERA,
                None,
            )

        return load

    return [
        SampleSource(scenes[number - 1], f'{number:04d}', loader(number, scenes[number - 1]))
        for number in numbers
    ]


def _nyu_text(file: Any, reference: Any) -> str:
    """Read a MATLAB string, which is an array of character codes behind a reference."""
    return ''.join(map(chr, np.asarray(file[reference]).ravel()))
