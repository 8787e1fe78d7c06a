# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Batches drawn from frames in memory: warped, disturbed and labelled on the device that trains.

Everything random follows from the seed and the number of the step, so that a training that was
interrupted goes on with the very batches that it would have seen. What is one number for a sample
is drawn on the CPU, what is one for a pixel on the device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
import torch.nn.functional as F

from .data import STORED_SIZE
from .disturb import disturb, to_device
from .labels import IGNORED
from .pack import CODE_STEP, Frames, NEAREST_M
from .runs import read_config

STATISTICS_STEP = 10_000_000  # its random draws are those of no step that training reaches

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Batch:
    """
    Inputs and targets of one step, of B samples.

    Attributes
    ----------
    image : Tensor, shape (B, 3, H, W)
        RGB, 0..255.
    inverse_floor : Tensor, shape (B, 1, H, W)
        What the network is told of the mounting; 0 where nothing.
    depth_m : Tensor, shape (B, 1, H/2, W/2)
        In the canonical camera; 0 where unknown.
    labels : Tensor of uint8, shape (B, 1, H/2, W/2)
        Free floor, see :mod:`training.labels`.
    clean : Tensor, shape (B, 3, H, W)
        The picture without a camera's faults: what a teacher looks at.
    taught : Tensor of bool, shape (B,)
        Whether a teacher is asked.

    """

    image: Tensor
    inverse_floor: Tensor
    depth_m: Tensor
    labels: Tensor
    clean: Tensor
    taught: Tensor


@dataclass(frozen=True)
class Views:
    """
    Virtual cameras of B samples.

    Attributes
    ----------
    to_ray : ndarray of float, shape (B, 3, 3)
        From homogeneous network pixels to rays in the source's camera; of length 1 along the
        virtual camera's optical axis.
    ratio : ndarray of float, shape (B,)
        Focal length of the virtual camera over the canonical one.

    """

    to_ray: Floats
    ratio: Floats


class SampleStore:
    """
    Frames on the device that trains.

    Parameters
    ----------
    frames : Frames
        As :func:`training.pack.read_pack` returns them.
    config : mapping
        Of the training; each of its `sources` may override any setting of VIEW_SETTINGS and
        MOUNTING_SETTINGS, and `taught`.
    device : torch.device
        Where pictures, depth and labels are kept.

    Raises
    ------
    ValueError
        No source of the configuration has frames.

    """

    def __init__(
        self, frames: Frames, config: Mapping[str, Any], device: torch.device | str = 'cpu'
    ) -> None:
        self.device = torch.device(device)
        # A run that began before a setting was there has its default.
        self.config = read_config() | dict(config)
        self._entries = {entry['name']: entry for entry in config['sources']}
        weighted = np.array([name in self._entries for name in frames.source_names])
        frames = frames.chosen(np.flatnonzero(weighted[frames.source]))
        if not len(frames):
            raise ValueError(
                f'sources must name some of {", ".join(frames.source_names)}, got '
                f'{", ".join(self._entries)}; correct the configuration'
            )
        self.images = torch.from_numpy(frames.images).to(self.device)
        self.depth_codes = torch.from_numpy(frames.depth_codes).to(self.device)
        self.labels = torch.from_numpy(frames.labels).to(self.device)
        self.cameras = frames.cameras.astype(np.float64)
        self.planes = frames.planes.astype(np.float64)
        self.source = frames.source
        self.source_names = frames.source_names
        self.weights = self._weigh()

    def __len__(self) -> int:
        return len(self.images)

    def add(self, frames: Frames) -> None:
        """Take in more frames of sources that are there already."""
        number = [self.source_names.index(name) for name in frames.source_names]
        self.images = torch.cat([self.images, torch.from_numpy(frames.images).to(self.device)])
        self.depth_codes = torch.cat(
            [self.depth_codes, torch.from_numpy(frames.depth_codes).to(self.device)]
        )
        self.labels = torch.cat([self.labels, torch.from_numpy(frames.labels).to(self.device)])
        self.cameras = np.concatenate([self.cameras, frames.cameras.astype(np.float64)])
        self.planes = np.concatenate([self.planes, frames.planes.astype(np.float64)])
        self.source = np.concatenate([self.source, np.array(number, np.int32)[frames.source]])
        self.weights = self._weigh()

    def _weigh(self) -> Floats:
        """Return how often each frame is drawn: by its source's weight, not by its size."""
        entries = [self._entries.get(name, {}) for name in self.source_names]
        shares = np.array([entry.get('weight', 0.0) for entry in entries])
        sizes = np.bincount(self.source, minlength=len(entries))
        weights: Floats = (shares / np.maximum(sizes, 1))[self.source]
        return weights / float(weights.sum())

    def setting(self, name: str, chosen: NDArray[np.integer]) -> Floats:
        """Return a setting of the augmentation for each of some frames."""
        values = [
            self._entries.get(source, {}).get(name, self.config[name])
            for source in self.source_names
        ]
        found: Floats = np.array(values, np.float64)[self.source[chosen]]
        return found

    def batch(self, step: int, size: int | None = None) -> Batch:
        """Return the batch of a step."""
        rng = np.random.default_rng([self.config['seed'], step])
        chosen = rng.choice(len(self.weights), size or self.config['batch_size'], p=self.weights)
        generator = torch.Generator(self.device)
        generator.manual_seed(int(rng.integers(2**62)))
        drawn: Batch = self.draw(chosen, rng, generator)
        return drawn

    @torch.no_grad()
    def draw(
        self, chosen: NDArray[np.integer], rng: np.random.Generator, generator: torch.Generator
    ) -> Batch:
        """Warp, rescale and disturb some frames."""
        config = self.config
        size = config['input_width'], config['input_height']
        cameras, planes = self.cameras[chosen], self.planes[chosen]
        settings = {key: self.setting(key, chosen) for key in (*VIEW_SETTINGS, *MOUNTING_SETTINGS)}
        views = random_views(cameras, size, config, rng, settings)
        told, world = told_planes(planes, config, rng, settings)
        index = to_device(np.asarray(chosen, np.int64), self.device)
        image, codes, labels = warp(
            self.images[index], self.depth_codes[index], self.labels[index], cameras, views, size
        )
        depth = canonical_depth(codes, views, size) * _column(world, self.device)
        inverse_floor = floor_maps(told, views, size, self.device)
        inverse_floor = inverse_floor * _column(views.ratio / world, self.device)
        hidden = np.isnan(planes[:, 0]) & (rng.random(len(chosen)) < settings['hidden_share'])
        inverse_floor = hide_floors(inverse_floor, depth, views, size, hidden, rng)
        clean = image
        image = disturb(image, rng, generator, config)
        image, depth, labels = erase(image, depth, labels, rng, generator, config['erase_share'])
        taught = to_device(self.setting('taught', chosen) > 0, self.device)
        return Batch(image, inverse_floor, depth, labels, clean, taught)


def _column(values: Floats, device: torch.device) -> Tensor:
    """Return a value for each sample, to be multiplied with a batch."""
    return to_device(values, device).view(-1, 1, 1, 1)


# Settings that a source may override, of `random_views` and of `told_planes`.
VIEW_SETTINGS = ('least_crop', 'rotation_deg')
MOUNTING_SETTINGS = ('rescale_share', 'unknown_share', 'wrong_mounting_share', 'hidden_share')


def told_planes(
    planes: Floats,
    config: Mapping[str, Any],
    rng: np.random.Generator,
    settings: Mapping[str, Floats],
) -> tuple[Floats, Floats]:
    """
    Decide what each sample is told of its mounting, and in a world of which size it stands.

    Parameters
    ----------
    planes : ndarray of float, shape (B, 3)
        True floor normals over the height, 1/m; NaN where unknown.
    config, rng
        Of the training; source of randomness.
    settings : mapping of str to ndarray
        MOUNTING_SETTINGS of each sample.

    Returns
    -------
    planes : ndarray of float, shape (B, 3)
        NaN where nothing is told; some a little wrong.
    world : ndarray of float, shape (B,)
        Factor on every distance; what is rescaled is always told its mounting.

    """
    count = len(planes)
    known = np.isfinite(planes[:, 0])
    scaled = known & (rng.random(count) < settings['rescale_share'])
    smallest, largest = (math.log(factor) for factor in config['rescale_range'])
    factor = np.exp(rng.uniform(smallest, largest, count))
    unknown = rng.random(count) < settings['unknown_share']
    told = known & (scaled | ~unknown)
    wrong = rng.random(count) < settings['wrong_mounting_share']
    spoilt = wrong_planes(planes, rng, config)
    result = np.where(wrong[:, None], spoilt, planes)
    return np.where(told[:, None], result, np.nan), np.where(scaled, factor, 1.0)


def wrong_planes(planes: Floats, rng: np.random.Generator, config: Mapping[str, Any]) -> Floats:
    """Return floors as a mounting that was measured badly would put them."""
    count = len(planes)
    tilt = np.radians(rng.uniform(-1, 1, (count, 3)) * config['wrong_angle_deg'])
    tilt[:, 1] = 0  # heading does not matter
    turned = planes + np.cross(tilt, planes)
    turned *= np.linalg.norm(planes, axis=1, keepdims=True) / np.linalg.norm(
        turned, axis=1, keepdims=True
    )
    spoilt: Floats = turned / (1 + rng.uniform(-1, 1, (count, 1)) * config['wrong_height'])
    return spoilt


def random_views(
    cameras: Floats,
    size: tuple[int, int],
    config: Mapping[str, Any],
    rng: np.random.Generator,
    settings: Mapping[str, Floats],
) -> Views:
    """
    Draw crop, zoom, aspect, roll, turn, shear of a rolling shutter and flip of B cameras.

    Parameters
    ----------
    cameras : ndarray of float, shape (B, 4)
        fx, fy, cx, cy of the sources.
    size : tuple of int
        Width and height of the network's input.
    config, rng
        Of the training; source of randomness.
    settings : mapping of str to ndarray
        VIEW_SETTINGS of each sample.

    Returns
    -------
    Views
        A crop beside the centre is what a camera sees that was turned toward it, or one whose
        sensor is shifted, or something between.

    """
    count, (width, height) = len(cameras), size
    crop = settings['least_crop'] ** (rng.random(count) ** 2)  # whole pictures are most frequent
    aspect = np.exp(rng.uniform(-1, 1, count) * config['aspect'])
    crop_w = STORED_SIZE[0] * crop * np.minimum(1.0, aspect)
    crop_h = STORED_SIZE[1] * crop * np.minimum(1.0, 1 / aspect)
    centre_x = STORED_SIZE[0] / 2 - 0.5 + rng.uniform(-0.5, 0.5, count) * (STORED_SIZE[0] - crop_w)
    centre_y = STORED_SIZE[1] / 2 - 0.5 + rng.uniform(-0.5, 0.5, count) * (STORED_SIZE[1] - crop_h)
    angle = np.radians(rng.normal(0, 1, count) * settings['rotation_deg'])
    wide = rng.random(count) < config['roll_share']
    angle = np.where(wide, np.radians(rng.uniform(-1, 1, count) * config['roll_deg']), angle)
    cosine, sine = np.cos(angle), np.sin(angle)
    flip = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    shear = rng.normal(0, 1, count) * config['shear'] * (rng.random(count) < config['shear_share'])
    turned = rng.uniform(0, 1, count) * (rng.random(count) < config['turn_share'])
    scale_x, scale_y = flip * crop_w / width, crop_h / height
    linear = np.empty((count, 2, 2))
    linear[:, 0, 0], linear[:, 0, 1] = cosine * scale_x, (cosine * shear - sine) * scale_y
    linear[:, 1, 0], linear[:, 1, 1] = sine * scale_x, (sine * shear + cosine) * scale_y
    centres = np.column_stack([centre_x, centre_y])
    return compose_views(cameras, centres, linear, turned, size, config['training_fx_px'])


def compose_views(
    cameras: Floats,
    centres: Floats,
    linear: Floats,
    turned: Floats,
    size: tuple[int, int],
    training_fx_px: float,
) -> Views:
    """
    Return virtual cameras.

    Parameters
    ----------
    cameras : ndarray of float, shape (B, 4)
        fx, fy, cx, cy of the sources.
    centres : ndarray of float, shape (B, 2)
        Pixel of the source that is seen in the middle.
    linear : ndarray of float, shape (B, 2, 2)
        From network pixels to source pixels, around the centre.
    turned : ndarray of float, shape (B,)
        0: the sensor is shifted toward the centre; 1: the camera is turned toward it.
    size : tuple of int
        Width and height of the network's input.
    training_fx_px : float
        Focal length of the canonical camera at that width.

    """
    focal, principal = cameras[:, :2], cameras[:, 2:]
    aim = (centres - principal) / focal
    rotation = _rotation_toward(aim * turned[:, None])
    # What remains between the optical axis and the ray through the middle, in the turned camera.
    ahead = np.einsum('bji,bj->bi', rotation, np.column_stack([aim, np.ones(len(aim))]))
    offset = ahead[:, :2] / ahead[:, 2:]
    slopes = linear / focal[:, :, None]
    middle = np.array([size[0] / 2 - 0.5, size[1] / 2 - 0.5])
    local = np.zeros((len(cameras), 3, 3))
    local[:, :2, :2] = slopes
    local[:, :2, 2] = offset - slopes @ middle
    local[:, 2, 2] = 1.0
    zoom = np.hypot(slopes[:, 0, 0], slopes[:, 1, 0])
    return Views(rotation @ local, 1 / zoom / training_fx_px)


def _rotation_toward(aim: Floats) -> Floats:
    """Return rotations that take the optical axis to the direction (aim, 1), without roll."""
    pitch = np.arctan(aim[:, 1])
    yaw = np.arctan(aim[:, 0] * np.cos(pitch))
    zero, one = np.zeros(len(aim)), np.ones(len(aim))
    cp, sp, cy, sy = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw)
    about_x = np.array([[one, zero, zero], [zero, cp, sp], [zero, -sp, cp]])
    about_y = np.array([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
    turned: Floats = about_x.transpose(2, 0, 1) @ about_y.transpose(2, 0, 1)
    return turned


def whole_views(cameras: Floats, size: tuple[int, int], training_fx_px: float) -> Views:
    """Return the views of whole pictures, stretched to the network's input."""
    count = len(cameras)
    scale = np.array([STORED_SIZE[0] / size[0], STORED_SIZE[1] / size[1]])
    centre = np.array([STORED_SIZE[0] / 2 - 0.5, STORED_SIZE[1] / 2 - 0.5])
    return compose_views(
        cameras,
        np.tile(centre, (count, 1)),
        np.tile(np.diag(scale), (count, 1, 1)),
        np.zeros(count),
        size,
        training_fx_px,
    )


def view_rays(views: Views, size: tuple[int, int], step: int, device: torch.device) -> Tensor:
    """
    Return the rays of every `step`-th network pixel in the source's camera, (B, h, w, 3).

    With `step` 2 they are those of an output of half the size, whose pixel centres lie between
    the input's.
    """
    width, height = size
    u = torch.arange(width // step, device=device, dtype=torch.float32) * step + (step - 1) / 2
    v = torch.arange(height // step, device=device, dtype=torch.float32) * step + (step - 1) / 2
    matrix = to_device(views.to_ray, device)
    across = matrix[:, None, None, :, 0] * u[None, None, :, None]
    down = matrix[:, None, None, :, 1] * v[None, :, None, None]
    return across + down + matrix[:, None, None, :, 2]


def sample_grid(rays: Tensor, cameras: Floats) -> Tensor:
    """Return where rays meet the source's picture, in the coordinates of `grid_sample`."""
    values = to_device(cameras, rays.device)[:, None, None]
    ahead = rays[..., 2:].clamp(min=1e-3)
    pixel = rays[..., :2] / ahead * values[..., :2] + values[..., 2:]
    size = to_device(np.array(STORED_SIZE, np.float32), rays.device)
    return (pixel + 0.5) * (2 / size) - 1


def warp(
    images: Tensor,
    codes: Tensor,
    labels: Tensor,
    cameras: Floats,
    views: Views,
    size: tuple[int, int],
) -> tuple[Tensor, Tensor, Tensor]:
    """
    Return pictures (B, 3, H, W), and depth codes and labels (B, 1, H/2, W/2) of views.

    What lies outside of the source is its mirror image in the picture, and 0 in the others.
    """
    image = warp_images(images, cameras, views, size)
    half = sample_grid(view_rays(views, size, 2, images.device), cameras)
    maps = torch.stack([codes.float(), labels.float()], dim=1)
    maps = F.grid_sample(maps, half, mode='nearest', padding_mode='zeros', align_corners=False)
    return image, maps[:, :1], maps[:, 1:].to(torch.uint8)


def warp_images(images: Tensor, cameras: Floats, views: Views, size: tuple[int, int]) -> Tensor:
    """Return pictures (B, 3, H, W) in 0..255 as the network sees them through views."""
    grid = sample_grid(view_rays(views, size, 1, images.device), cameras)
    return F.grid_sample(
        images.float(), grid, mode='bilinear', padding_mode='reflection', align_corners=False
    )


def canonical_depth(codes: Tensor, views: Views, size: tuple[int, int]) -> Tensor:
    """Return depth along the views' own optical axes, in the canonical camera; 0 where unknown."""
    depth = NEAREST_M * ((codes - 1) * CODE_STEP).exp() * (codes > 0)
    ahead = view_rays(views, size, 2, codes.device)[..., 2].unsqueeze(1).clamp(min=1e-3)
    return depth / (ahead * _column(views.ratio, codes.device))


def floor_maps(
    planes: Floats, views: Views, size: tuple[int, int], device: torch.device
) -> Tensor:
    """Return max(0, inverse floor depth) of every network pixel; 0 where the plane is NaN."""
    # Linear in the pixel: n . ray(u, v).
    linear = np.einsum('bi,bij->bj', np.nan_to_num(planes), views.to_ray)
    a, b, c = to_device(linear, device).T[:, :, None, None, None]
    u = torch.arange(size[0], device=device, dtype=torch.float32)
    v = torch.arange(size[1], device=device, dtype=torch.float32).view(-1, 1)
    return (a * u + b * v + c).clamp(min=0)


def hide_floors(
    inverse_floor: Tensor,
    depth: Tensor,
    views: Views,
    size: tuple[int, int],
    hidden: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Tensor:
    """
    Tell some samples of a floor that lies behind everything in the picture.

    Where a robot stands before a sofa, its mounting is known and no floor is in view: the map is
    a bound that depth stays under, not a thing to be seen. Pictures without a floor teach that
    with any mounting under which they would still have none.
    """
    count = len(hidden)
    pitch = np.radians(rng.uniform(-10, 30, count))
    roll = np.radians(rng.normal(0, 2, count))
    share = rng.uniform(0.4, 0.98, count) * hidden
    if not hidden.any():
        return inverse_floor
    down = np.column_stack(
        [np.sin(roll) * np.cos(pitch), np.cos(roll) * np.cos(pitch), np.sin(pitch)]
    )
    maps = floor_maps(down, views, size, depth.device)
    reached = (F.avg_pool2d(maps, 2) * depth).amax((1, 2, 3), keepdim=True)
    factor = _column(share, depth.device) * (reached > 1e-6) / reached.clamp(min=1e-6)
    return inverse_floor + maps * factor


def erase(
    image: Tensor,
    depth: Tensor,
    labels: Tensor,
    rng: np.random.Generator,
    generator: torch.Generator,
    erase_share: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """
    Cover up to three rectangles (random erasing, Zhong et al., AAAI 2020).

    The rest must be judged without them; what lies under them is not asked for.
    """
    count, device = len(image), image.device
    height, width = depth.shape[2:]
    erased = rng.random(count) < erase_share
    numbers = rng.integers(1, 4, count)
    boxes = rng.random((3, count, 4))
    fills = rng.integers(0, 256, (3, count, 3))
    noisy = rng.random((3, count)) < 0.5
    if not erased.any():
        return image, depth, labels
    pattern = torch.rand(image.shape, generator=generator, device=device) * 255
    rows = torch.arange(height, device=device).view(1, 1, -1, 1)
    columns = torch.arange(width, device=device).view(1, 1, 1, -1)

    def place(values: NDArray[Any]) -> Tensor:
        return to_device(values, device).view(-1, 1, 1, 1)

    for number in range(3):
        used = erased & (numbers > number)
        h = (height * (0.1 + 0.35 * boxes[number, :, 0])).astype(np.int64) * used
        w = (width * (0.1 + 0.35 * boxes[number, :, 1])).astype(np.int64) * used
        y = (boxes[number, :, 2] * (height - h)).astype(np.int64)
        x = (boxes[number, :, 3] * (width - w)).astype(np.int64)
        covered = (rows >= place(y)) & (rows < place(y + h))
        covered = covered & (columns >= place(x)) & (columns < place(x + w))
        depth = depth * ~covered
        labels = torch.where(covered, torch.full_like(labels, IGNORED), labels)
        colour = to_device(fills[number].astype(np.float32), device).view(-1, 3, 1, 1)
        fill = torch.where(place(noisy[number]), pattern, colour)
        shown = covered.repeat_interleave(2, 2).repeat_interleave(2, 3)
        image = torch.where(shown, fill, image)
    return image, depth, labels
