# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Training samples: RGB-D folders held in memory, warped and disturbed anew at every visit.

Every sample is expressed in the canonical camera: a picture seen with a longer focal length is
the same picture of a world that much nearer, so depth is divided by the ratio of the focal lengths
and the map of inverse floor depths multiplied by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import math
from pathlib import Path
from typing import Any, TypeAlias

import cv2
from fcrn_depth_ros.camera.camera_file import read_camera_file
from fcrn_depth_ros.camera.depth_encoding import to_millimetres
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import fit_floor
from fcrn_depth_ros.camera.picture_files import read_depth_mm, read_picture
from fcrn_depth_ros.tools.measure.dataset import list_scenes, read_split
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

# What config.yaml sets, or one of its sources or checks.
Settings: TypeAlias = dict[str, Any]

STORED_SIZE = (320, 240)
STATISTICS_EPOCH = 10_000  # its random draws are those of no epoch that training reaches


@dataclass(frozen=True)
class Frame:
    """
    One RGB-D picture and what is known of its camera.

    Attributes
    ----------
    image : ndarray of uint8, shape (240, 320, 3)
        RGB.
    depth_mm : ndarray of uint16, shape (240, 320)
        0 where unknown.
    camera : CameraIntrinsics
        Of the picture.
    floor : ndarray of float, shape (3,), or None
        Floor normal over the height, 1/m; None where the mounting is unknown.
    crop : tuple of int
        x0, y0, x1, y1: where the depth may be scored.

    """

    image: NDArray[np.uint8]
    depth_mm: NDArray[np.uint16]
    camera: CameraIntrinsics
    floor: NDArray[np.float64] | None
    crop: tuple[int, int, int, int]


def load_scene(folder: Path, least_height_m: float = 0.05) -> list[Frame]:
    """
    Load one scene folder in the layout rgb/, depth/, camera.json.

    The mounting comes from camera.json (height_m, pitch_deg, roll_deg) where it is there, and
    from the floor seen in the depth where it is not; a plane nearer than `least_height_m` is
    taken for a table.
    """
    camera_file = read_camera_file(folder / 'camera.json').scaled_to(*STORED_SIZE)
    camera_file.check_rectified()
    camera = camera_file.intrinsics
    frames = []
    for path in sorted((folder / 'depth').glob('*.png')):
        image = read_picture(next((folder / 'rgb').glob(f'{path.stem}.*')))
        depth_m = read_depth_mm(path)
        if depth_m.shape[::-1] != STORED_SIZE:
            image = cv2.resize(image, STORED_SIZE, interpolation=cv2.INTER_AREA)
            depth_m = cv2.resize(depth_m, STORED_SIZE, interpolation=cv2.INTER_NEAREST)
        depth_m[depth_m > min(camera_file.max_reliable_m, 60)] = np.nan
        mounting = camera_file.mounting or fit_floor(depth_m, camera, min_height_m=least_height_m)
        frames.append(
            Frame(
                image,
                to_millimetres(depth_m),
                camera,
                mounting.down_vector() / mounting.height_m if mounting else None,
                camera_file.score_crop,
            )
        )
    return frames


def scene_folders(root: Path, split: str | None, prefix: str = '') -> list[Path]:
    """Return the scenes a split file names below `root`, or all below it without a split."""
    names = list_scenes(root) if split is None else read_split(root / split)
    return [root / name for name in names if name.startswith(prefix)]


def load_frames(folders: list[Path], entry: Settings) -> list[Frame]:
    """Load the scenes of one source, with a progress bar."""
    bar = tqdm(folders, desc=entry['name'], mininterval=2)
    height = entry.get('least_height_m', 0.05)
    return [frame for folder in bar for frame in load_scene(folder, height)]


@dataclass(frozen=True)
class Sample:
    """One network input and its target: image (3, H, W), map (1, H, W), depth (1, H/2, W/2)."""

    image: NDArray[np.float32]
    inverse_floor: NDArray[np.float32]
    depth_m: NDArray[np.float32]


def make_sample(frame: Frame, config: Settings, rng: np.random.Generator) -> Sample:
    """Warp, rescale and disturb one frame."""
    width, height = config['input_width'], config['input_height']
    to_source = _random_view(rng, config)
    image = warp_image(frame.image, to_source, width, height)
    # The output has half the input's size: its pixel centres lie between the input's.
    half = to_source @ np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
    depth_mm = cv2.warpAffine(
        frame.depth_mm,
        half,
        (width // 2, height // 2),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    zoom = math.hypot(to_source[0, 0], to_source[1, 0])
    ratio = frame.camera.fx_px / zoom / config['training_fx_px']
    depth = depth_mm.astype(np.float32) / (1000 * ratio)
    floor = frame.floor
    inverse_floor = np.zeros((height, width))
    if floor is not None:
        world = 1.0
        if rng.random() < config['rescale_share']:
            world = math.exp(rng.uniform(*np.log(config['rescale_range'])))
        elif rng.random() < config['unknown_share']:
            floor = None
        depth *= world
    if floor is not None:
        if rng.random() < config['wrong_mounting_share']:
            floor = _wrong_mounting(floor, rng, config)
        inverse_floor = floor_map(floor, frame.camera, to_source, width, height) * ratio / world
    elif frame.floor is None and rng.random() < config['hidden_share']:
        inverse_floor = _hidden_floor(depth, frame.camera, to_source, (width, height), rng)
    image = _disturb(image, rng, config)
    if rng.random() < config['erase_share']:
        _erase(image, depth, rng)
    return Sample(
        np.ascontiguousarray(image.transpose(2, 0, 1), np.float32),
        inverse_floor[None].astype(np.float32),
        depth[None],
    )


def floor_map(
    floor: NDArray[np.float64],
    camera: CameraIntrinsics,
    to_source: NDArray[np.float64],
    width: int,
    height: int,
) -> NDArray[np.float64]:
    """Return max(0, inverse floor depth) of every pixel of a warped view."""
    to_ray = np.array(
        [
            [1 / camera.fx_px, 0, -camera.cx_px / camera.fx_px],
            [0, 1 / camera.fy_px, -camera.cy_px / camera.fy_px],
            [0, 0, 1],
        ]
    )
    # Linear in the pixel: n . ray(source(u, v)).
    a, b, c = floor @ to_ray @ np.vstack([to_source, [0, 0, 1]])
    inverse: NDArray[np.float64] = a * np.arange(width) + (b * np.arange(height) + c)[:, None]
    return np.maximum(inverse, 0)


def whole_view(config: Settings) -> NDArray[np.float64]:
    """Return the affine map from network pixels to source pixels without augmentation."""
    scale_x = STORED_SIZE[0] / config['input_width']
    scale_y = STORED_SIZE[1] / config['input_height']
    return np.array([[scale_x, 0, scale_x / 2 - 0.5], [0, scale_y, scale_y / 2 - 0.5]])


def plain_input(
    frame: Frame, config: Settings, mounting: bool = True
) -> tuple[NDArray[np.uint8], NDArray[np.float32], float]:
    """Return picture and floor map of a whole frame for the network, and metres per its metre."""
    width, height = config['input_width'], config['input_height']
    view = whole_view(config)
    ratio = frame.camera.fx_px / view[0, 0] / config['training_fx_px']
    inverse_floor = np.zeros((height, width))
    if mounting and frame.floor is not None:
        inverse_floor = floor_map(frame.floor, frame.camera, view, width, height) * ratio
    image = warp_image(frame.image, view, width, height)
    return image, inverse_floor.astype(np.float32), ratio


def warp_image(
    image: NDArray[np.uint8], to_source: NDArray[np.float64], width: int, height: int
) -> NDArray[np.uint8]:
    """Return the picture as the network sees it through an affine view."""
    warped: NDArray[np.uint8] = cv2.warpAffine(
        image,
        to_source,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return warped


def _random_view(rng: np.random.Generator, config: Settings) -> NDArray[np.float64]:
    """Draw crop, zoom, aspect, rotation and flip; network pixels -> source pixels."""
    width, height = config['input_width'], config['input_height']
    crop = config['least_crop'] ** (rng.random() ** 2)  # whole pictures are the most frequent
    aspect = math.exp(rng.uniform(-1, 1) * config['aspect'])
    crop_w = STORED_SIZE[0] * crop * min(1.0, aspect)
    crop_h = STORED_SIZE[1] * crop * min(1.0, 1 / aspect)
    centre = np.array(
        [
            STORED_SIZE[0] / 2 - 0.5 + rng.uniform(-0.5, 0.5) * (STORED_SIZE[0] - crop_w),
            STORED_SIZE[1] / 2 - 0.5 + rng.uniform(-0.5, 0.5) * (STORED_SIZE[1] - crop_h),
        ]
    )
    angle = math.radians(rng.normal(0, config['rotation_deg']))
    cosine, sine = math.cos(angle), math.sin(angle)
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    flip = -1 if rng.random() < 0.5 else 1
    linear = rotation @ np.diag([flip * crop_w / width, crop_h / height])
    middle = np.array([width / 2 - 0.5, height / 2 - 0.5])
    return np.column_stack([linear, centre - linear @ middle])


def _hidden_floor(
    depth: NDArray[np.float32],
    camera: CameraIntrinsics,
    to_source: NDArray[np.float64],
    size: tuple[int, int],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """
    Return the map of a floor that lies behind everything in the picture.

    Where a robot stands before a sofa, its mounting is known and no floor is in view: the map is
    a bound that depth stays under, not a thing to be seen. Pictures without a floor teach that
    with any mounting under which they would still have none.
    """
    pitch, roll = np.radians([rng.uniform(-10, 30), rng.normal(0, 2)])
    down = (math.sin(roll) * math.cos(pitch), math.cos(roll) * math.cos(pitch), math.sin(pitch))
    inverse_floor = floor_map(np.array(down), camera, to_source, *size)
    reached = float(np.max(inverse_floor[::2, ::2] * depth))
    if reached <= 0:
        return np.zeros_like(inverse_floor)
    return inverse_floor * (float(rng.uniform(0.4, 0.98)) / reached)


def _erase(image: NDArray[np.uint8], depth: NDArray[np.float32], rng: np.random.Generator) -> None:
    """
    Cover up to three rectangles, in place (random erasing, Zhong et al., AAAI 2020).

    The rest must be judged without them; what lies under them is not asked for.
    """
    height, width = depth.shape
    for _ in range(rng.integers(1, 4)):
        h, w = (int(size * rng.uniform(0.1, 0.45)) for size in (height, width))
        y, x = int(rng.integers(height - h)), int(rng.integers(width - w))
        depth[y : y + h, x : x + w] = 0
        patch = image[2 * y : 2 * (y + h), 2 * x : 2 * (x + w)]
        patch[:] = rng.integers(0, 256, 3 if rng.random() < 0.5 else patch.shape)


def _wrong_mounting(
    floor: NDArray[np.float64], rng: np.random.Generator, config: Settings
) -> NDArray[np.float64]:
    tilt = np.radians(rng.uniform(-1, 1, 3) * config['wrong_angle_deg'])
    turned: NDArray[np.float64] = floor + np.cross([tilt[0], 0, tilt[2]], floor)
    height = 1 + rng.uniform(-1, 1) * config['wrong_height']
    length = float(np.linalg.norm(floor) / height)
    return turned * (length / float(np.linalg.norm(turned)))


def _disturb(
    image: NDArray[np.uint8], rng: np.random.Generator, config: Settings
) -> NDArray[np.uint8]:
    """Change colour, exposure, sharpness and noise as cameras do."""
    levels = np.arange(256, dtype=np.float32) / 255
    gamma = math.exp(rng.normal(0, 0.15))
    gain = math.exp(rng.normal(-0.05, 0.2)) * np.exp(rng.normal(0, 0.06, 3))
    offset = rng.normal(0, 0.03)
    table = np.clip(levels[:, None] ** gamma * gain + offset, 0, 1) * 255
    image = cv2.LUT(image, table.astype(np.uint8)[None].transpose(1, 0, 2).copy())
    if rng.random() < 0.5:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        keep = 0.0 if rng.random() < 0.1 else rng.uniform(0.4, 1.5)
        image = cv2.addWeighted(image, keep, grey, 1 - keep, 0)
    if rng.random() < config['blur_share']:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < config['motion_share']:
        length = int(rng.integers(3, 10))
        line = np.zeros((length, length), np.float32)
        line[length // 2] = 1
        turn = cv2.getRotationMatrix2D(((length - 1) / 2,) * 2, rng.uniform(0, 180), 1)
        line = cv2.warpAffine(line, turn, (length, length))
        image = cv2.filter2D(image, -1, line / line.sum())
    if rng.random() < config['noise_share']:
        noise = rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(2, 14)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < config['jpeg_share']:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))]
        image = cv2.imdecode(cv2.imencode('.jpg', image, quality)[1], cv2.IMREAD_COLOR)
    return image


def epoch_batches(
    frames: list[tuple[Frame, Settings]],
    weights: NDArray[np.float64],
    config: Settings,
    epoch: int,
    worker: int = 0,
    workers: int = 1,
) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """
    Yield one worker's batches of an epoch, drawn by weight; fixed by seed and epoch.

    Each frame comes with its own configuration: a source may override any augmentation.
    """
    order = np.random.default_rng([config['seed'], epoch])
    shares = weights / weights.sum()
    drawn = np.asarray(order.choice(len(frames), config['samples_per_epoch'], p=shares))
    size = config['batch_size']
    for batch in range(worker, len(drawn) // (size * workers) * workers, workers):
        samples = [
            make_sample(frame, settings, np.random.default_rng([config['seed'], epoch, i]))
            for i in range(batch * size, (batch + 1) * size)
            for frame, settings in [frames[drawn[i]]]
        ]
        yield (
            np.stack([sample.image for sample in samples]),
            np.stack([sample.inverse_floor for sample in samples]),
            np.stack([sample.depth_m for sample in samples]),
        )
