# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
A data set in one file: pictures, depth, floor labels, cameras and mountings.

    python -m training.pack train --data rgbd=FOLDER --data rooms=FOLDER --out train.pack
    python -m training.pack validation --data rgbd=FOLDER --data rooms_val=FOLDER --out val.pack
    python -m training.pack --check train.pack

Which scenes go in stands in sources.yaml. The file is a ZIP archive without compression of its
own: index.json, a WebP picture and a lossless WebP of depth and labels for each frame. Depth is
stored at half the size as the code of its logarithm: it reads back within MAX_DEPTH_ERROR. The
SHA-256 of every entry stands in the index.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
import hashlib
import json
from pathlib import Path
from typing import Any
import zipfile

import cv2
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm
import yaml

from .data import (
    DEPTH_SIZE,
    Frame,
    halve_depth,
    halve_labels,
    load_scene,
    scene_names,
    STORED_SIZE,
)
from .labels import IGNORED, is_floor

SOURCES = Path(__file__).with_name('sources.yaml')
VERSION = 1
NEAREST_M, CODE_STEP = 0.05, 0.003  # code 1, and what the natural log grows by with each code
MAX_DEPTH_ERROR = 0.0016  # half a step, and rounding; relative, from 0.05 to 60 m
MOST_CODES = 4096
QUALITY = 85
INDEX = 'index.json'


class PackError(ValueError):
    """A pack cannot be written or read."""


@dataclass(frozen=True)
class Frames:
    """
    Frames held in memory, as a pack gives them; N of them, pictures of 320x240.

    Attributes
    ----------
    images : ndarray of uint8, shape (N, 3, 240, 320)
        RGB.
    depth_codes : ndarray of int16, shape (N, 120, 160)
        See :func:`decode_depth`; 0 where unknown.
    labels : ndarray of uint8, shape (N, 120, 160)
        Free floor, see :mod:`training.labels`.
    cameras : ndarray of float32, shape (N, 4)
        fx, fy, cx, cy of the picture.
    planes, floors : ndarray of float32, shape (N, 3)
        Floor normal over the height, 1/m: what a network may be told, and what the labels are of;
        NaN where unknown.
    crops : ndarray of int32, shape (N, 4)
        x0, y0, x1, y1 in the picture: where the depth may be scored.
    source : ndarray of int32, shape (N,)
        Index in `source_names`.
    source_names, scenes, names : tuple of str
        Of the sources, and of every frame.

    """

    images: NDArray[np.uint8]
    depth_codes: NDArray[np.int16]
    labels: NDArray[np.uint8]
    cameras: NDArray[np.float32]
    planes: NDArray[np.float32]
    floors: NDArray[np.float32]
    crops: NDArray[np.int32]
    source: NDArray[np.int32]
    source_names: tuple[str, ...]
    scenes: tuple[str, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def of_source(self, name: str) -> Frames:
        """Return the frames of one source."""
        return self.chosen(np.flatnonzero(self.source == self.source_names.index(name)))

    def chosen(self, indices: NDArray[np.integer] | Sequence[int]) -> Frames:
        """Return some of the frames."""
        values = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ('scenes', 'names'):
                value = tuple(value[index] for index in indices)
            elif field.name != 'source_names':
                value = value[np.asarray(indices, np.int64)]
            values[field.name] = value
        return Frames(**values)


def encode_depth(depth_m: NDArray[np.floating]) -> NDArray[np.int16]:
    """Return codes 1.. of depth in metres, 0 where it is 0 or not finite."""
    known = np.isfinite(depth_m) & (depth_m > 0)
    near = np.maximum(np.where(known, depth_m, 1), NEAREST_M)
    codes = 1 + np.round(np.log(near / NEAREST_M) / CODE_STEP)
    return np.where(known, np.minimum(codes, MOST_CODES - 1), 0).astype(np.int16)


def decode_depth(codes: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return depth in metres, 0 where unknown."""
    depth = NEAREST_M * np.exp((codes.astype(np.float32) - 1) * np.float32(CODE_STEP))
    return np.where(codes > 0, depth, 0).astype(np.float32)


def _half_maps(frame: Frame) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """Return depth codes and labels of half the size."""
    codes = encode_depth(halve_depth(frame.depth_mm) / np.float32(1000))
    return codes, halve_labels(frame.labels)


def _encode(frame: Frame, quality: int) -> tuple[bytes, bytes]:
    """Return picture, and depth with labels, as WebP."""
    options = [cv2.IMWRITE_WEBP_QUALITY, quality]
    picture = cv2.imencode('.webp', frame.image[..., ::-1], options)[1].tobytes()
    codes, labels = _half_maps(frame)
    planes = np.dstack([codes >> 8, codes & 255, labels]).astype(np.uint8)
    # Above 100 means lossless.
    maps = cv2.imencode('.webp', planes, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    return picture, maps


def _record(source: str, frame: Frame) -> dict[str, Any]:
    def vector(plane: NDArray[np.float64] | None) -> list[float] | None:
        return None if plane is None else [round(float(value), 6) for value in plane]

    camera = frame.camera
    return {
        'source': source,
        'scene': frame.scene,
        'name': frame.name,
        'camera': [camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px],
        'plane': vector(frame.plane),
        'floor': vector(frame.floor),
        'crop': list(frame.crop),
    }


def write_pack(
    path: Path, sources: Iterable[tuple[str, Iterable[Frame]]], quality: int = QUALITY
) -> dict[str, int]:
    """
    Write frames as a pack.

    Parameters
    ----------
    path : Path
        Replaced only when the pack is complete.
    sources : iterable of (str, iterable of Frame)
        Name and frames of each source.
    quality : int
        Of the pictures, 1..100.

    Returns
    -------
    dict
        Bytes of each source.

    Raises
    ------
    PackError
        There is no frame.

    """
    records: list[dict[str, Any]] = []
    sizes: dict[str, int] = {}
    partial = path.with_suffix('.partial')
    with zipfile.ZipFile(partial, 'w', zipfile.ZIP_STORED) as archive:
        for source, frames in sources:
            for frame in frames:
                parts = _encode(frame, quality)
                for kind, content in zip('pd', parts, strict=True):
                    _write(archive, f'{kind}{len(records)}', content)
                digests = [hashlib.sha256(part).hexdigest()[:16] for part in parts]
                records.append(_record(source, frame) | {'sha256': digests})
                sizes[source] = sizes.get(source, 0) + sum(map(len, parts))
        index = {'version': VERSION, 'frames': records}
        content = json.dumps(index, separators=(',', ':')).encode()
        _write(archive, INDEX, content, zipfile.ZIP_DEFLATED)
    if not records:
        partial.unlink()
        raise PackError(f'{path} must hold a frame, got none; give the --data folders')
    partial.replace(path)
    return sizes


def _write(
    archive: zipfile.ZipFile, name: str, content: bytes, method: int = zipfile.ZIP_STORED
) -> None:
    # A fixed date, so that the same frames give the same bytes.
    archive.writestr(zipfile.ZipInfo(name), content, method)


def read_pack(path: Path, threads: int = 4) -> Frames:
    """
    Read a pack into memory and check it.

    Raises
    ------
    PackError
        It is no pack, of another version, or damaged.

    """
    try:
        with zipfile.ZipFile(path) as archive:
            index = json.loads(archive.read(INDEX))
            records = index['frames']
            parts = [[archive.read(f'{kind}{n}') for kind in 'pd'] for n in range(len(records))]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise PackError(
            f'{path} must be a complete pack, got {error}; make it with training.pack'
        ) from error
    if index['version'] != VERSION:
        raise PackError(f'{path} must be of version {VERSION}, got {index["version"]}; pack anew')
    for record, pair in zip(records, parts, strict=True):
        if [hashlib.sha256(part).hexdigest()[:16] for part in pair] != record['sha256']:
            raise PackError(
                f'{path} must be a complete pack, got a damaged {record["scene"]}/'
                f'{record["name"]}; copy it again'
            )
    count, (width, height), (small_w, small_h) = len(records), STORED_SIZE, DEPTH_SIZE
    images = np.empty((count, 3, height, width), np.uint8)
    codes = np.empty((count, small_h, small_w), np.int16)
    labels = np.empty((count, small_h, small_w), np.uint8)

    def decode(number: int) -> None:
        picture, maps = (
            cv2.imdecode(np.frombuffer(part, np.uint8), cv2.IMREAD_COLOR) for part in parts[number]
        )
        images[number] = picture[..., ::-1].transpose(2, 0, 1)
        codes[number] = maps[..., 0].astype(np.int16) * 256 + maps[..., 1]
        labels[number] = maps[..., 2]

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(decode, range(count)))
    return _assemble(records, images, codes, labels)


def _assemble(
    records: Sequence[Mapping[str, Any]],
    images: NDArray[np.uint8],
    codes: NDArray[np.int16],
    labels: NDArray[np.uint8],
) -> Frames:
    names = tuple(dict.fromkeys(record['source'] for record in records))
    unknown = [np.nan] * 3
    return Frames(
        images,
        codes,
        labels,
        np.array([record['camera'] for record in records], np.float32),
        np.array([record['plane'] or unknown for record in records], np.float32),
        np.array([record['floor'] or unknown for record in records], np.float32),
        np.array([record['crop'] for record in records], np.int32),
        np.array([names.index(record['source']) for record in records], np.int32),
        names,
        tuple(record['scene'] for record in records),
        tuple(record['name'] for record in records),
    )


def join(packs: Sequence[Frames]) -> Frames:
    """Return the frames of several packs as one; sources of one name become one."""
    names = tuple(dict.fromkeys(name for pack in packs for name in pack.source_names))
    joined: dict[str, Any] = {'source_names': names}
    for field in fields(Frames):
        values = [getattr(pack, field.name) for pack in packs]
        if field.name in ('scenes', 'names'):
            joined[field.name] = sum(values, ())
        elif field.name == 'source':
            renumbered = [
                np.array([names.index(name) for name in pack.source_names], np.int32)[pack.source]
                for pack in packs
            ]
            joined['source'] = np.concatenate(renumbered)
        elif field.name != 'source_names':
            joined[field.name] = np.concatenate(values)
    return Frames(**joined)


def without_false_floors(frames: Frames) -> Frames:
    """
    Return frames in which no plane is called floor that other things lie under.

    One that was fitted to a bed or a row of cupboards labels what stands on the floor as floor,
    and tells the network of a mounting that the camera does not have.
    """
    planes, floors, labels = frames.planes.copy(), frames.floors.copy(), frames.labels.copy()
    for index, (plane, camera) in enumerate(zip(floors, frames.cameras, strict=True)):
        depth = decode_depth(frames.depth_codes[index])
        fx, fy, cx, cy = (float(value) for value in camera)
        intrinsics = CameraIntrinsics(fx, fy, cx, cy, *STORED_SIZE).scaled_to(*DEPTH_SIZE)
        if np.isfinite(plane[0]) and not is_floor(depth, intrinsics, plane):
            planes[index] = floors[index] = np.nan
            labels[index] = IGNORED
    return replace(frames, planes=planes, floors=floors, labels=labels)


def frames_of_scenes(root: Path, scenes: Iterable[str], entry: Mapping[str, Any]) -> Frames | None:
    """Return the frames of scene folders as a pack would hold them; None where there is none."""
    frames = [frame for scene in scenes for frame in load_scene(root, scene, entry)]
    if not frames:
        return None
    maps = [_half_maps(frame) for frame in frames]
    return _assemble(
        [_record(entry['name'], frame) for frame in frames],
        np.stack([frame.image.transpose(2, 0, 1) for frame in frames]),
        np.stack([codes for codes, _ in maps]),
        np.stack([labels for _, labels in maps]),
    )


def scenes_to_pack(
    kind: str, roots: Mapping[str, Path], most: int | None = None
) -> list[tuple[Mapping[str, Any], Path, list[str]]]:
    """
    Return entry, root and scenes of each source whose root is given.

    Parameters
    ----------
    kind : str
        `train` or `validation`.
    roots : mapping of str to Path
        Folders by name.
    most : int, optional
        At most so many scenes of each source, evenly chosen.

    Raises
    ------
    PackError
        A training pack would hold a scene of a validation split.

    """
    sources = yaml.safe_load(SOURCES.read_text())

    def listed(kind: str) -> list[tuple[Mapping[str, Any], Path, list[str]]]:
        return [
            (entry, roots[entry['root']],
             scene_names(roots[entry['root']], entry['split'], entry['prefix']))
            for entry in sources[kind]
            if entry['root'] in roots
        ]  # fmt: skip

    found = listed(kind)
    if kind == 'train':
        held_back = {(root, name) for _, root, names in listed('validation') for name in names}
        for _, root, names in found:
            both = sorted(name for name in names if (root, name) in held_back)
            if both:
                raise PackError(
                    f'training scenes must not be of a validation split, got {both[0]}; correct '
                    'sources.yaml or the split'
                )
    if most:
        found = [
            (entry, root, names[:: -(-len(names) // most)] if names else [])
            for entry, root, names in found
        ]
    return found


def parse_roots(words: Sequence[str]) -> dict[str, Path]:
    """Return folders by name from `NAME=FOLDER`."""
    roots = {}
    for word in words:
        name, equals, folder = word.partition('=')
        if not equals or not Path(folder).is_dir():
            raise PackError(f'--data must be NAME=FOLDER of a folder that exists, got {word}')
        roots[name] = Path(folder)
    return roots


def describe(path: Path) -> None:
    """Print what a pack holds."""
    frames = read_pack(path)
    for number, name in enumerate(frames.source_names):
        own = frames.source == number
        told = np.isfinite(frames.planes[own, 0]).mean()
        labelled = np.isfinite(frames.floors[own, 0]).mean()
        scenes = len({scene for scene, mine in zip(frames.scenes, own, strict=True) if mine})
        print(
            f'{name:12} {own.sum():5} pictures of {scenes:4} scenes, mounting known in '
            f'{told:.0%}, floor labelled in {labelled:.0%}'
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    print(f'{digest}  {path.name}  {path.stat().st_size / 2**20:.1f} MiB')


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Put a data set into one file.')
    parser.add_argument('kind', nargs='?', choices=('train', 'validation'))
    parser.add_argument('--data', action='append', default=[], metavar='NAME=FOLDER')
    parser.add_argument('--out', type=Path)
    parser.add_argument('--most', type=int, help='at most so many scenes of each source')
    parser.add_argument('--quality', type=int, default=QUALITY, help=f'of WebP ({QUALITY})')
    parser.add_argument('--check', type=Path, metavar='PACK', help='read a pack and describe it')
    arguments = parser.parse_args()
    try:
        if arguments.check:
            describe(arguments.check)
            return
        if not arguments.kind or not arguments.out:
            parser.error('give train or validation, --data and --out')
        sources = (
            (
                entry['name'],
                (
                    frame
                    for scene in tqdm(names, desc=entry['name'], mininterval=2)
                    for frame in load_scene(root, scene, entry)
                ),
            )
            for entry, root, names in scenes_to_pack(
                arguments.kind, parse_roots(arguments.data), arguments.most
            )
        )
        write_pack(arguments.out, sources, arguments.quality)
        describe(arguments.out)
    except PackError as error:
        parser.error(str(error))


if __name__ == '__main__':
    main()
