# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a camera does to a picture: colour, exposure, blur, motion, low light, noise and JPEG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
import torch.nn.functional as F

KERNEL_PX = 11  # of blur and motion
# Quantisation of luminance and chrominance at quality 50 (ITU-T T.81, annex K).
JPEG_TABLES = np.array(
    [
        [
            16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
            14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
            18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
            49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
        ],
        [
            17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
            24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
            99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
            99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
        ],
    ],
    np.float32,
).reshape(2, 8, 8)  # fmt: skip
# From RGB to luminance and the two chrominances (ITU-T T.871).
YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)

Floats = NDArray[np.float64]


def to_device(values: NDArray[Any], device: torch.device) -> Tensor:
    """Return an array on a device, without waiting for what that is busy with."""
    if values.dtype == np.float64:
        values = values.astype(np.float32)
    return torch.from_numpy(values).to(device, non_blocking=True)


def disturb(
    image: Tensor, rng: np.random.Generator, generator: torch.Generator, config: Mapping[str, Any]
) -> Tensor:
    """
    Return pictures as cameras of many faults deliver them.

    Parameters
    ----------
    image : Tensor, shape (B, 3, H, W)
        RGB, 0..255.
    rng, generator
        Of what is one number for a sample, and one for a pixel.
    config : mapping
        `blur_share`, `motion_share`, `dark_share`, `noise_share` and `jpeg_share`: which part of
        the pictures has which fault.

    Returns
    -------
    Tensor, shape (B, 3, H, W)
        Whole numbers, 0..255.

    """
    count, device = len(image), image.device

    def column(values: Floats) -> Tensor:
        return to_device(values, device).view(count, -1, 1, 1)

    gamma = column(np.exp(rng.normal(0, 0.15, count)))
    gain = np.exp(rng.normal(-0.05, 0.2, (count, 1))) * np.exp(rng.normal(0, 0.06, (count, 3)))
    offset = column(rng.normal(0, 0.03, count))
    image = ((image / 255).clamp(min=1e-4) ** gamma * column(gain) + offset).clamp(0, 1)
    keep = np.where(rng.random(count) < 0.1, 0.0, rng.uniform(0.4, 1.5, count))
    keep = np.where(rng.random(count) < 0.5, keep, 1.0)
    light = to_device(YCC[0], device).view(1, 3, 1, 1)
    grey = (image * light).sum(1, keepdim=True)
    image = grey + (image - grey) * column(keep)

    soft = rng.random(count) < config['blur_share']
    moved = rng.random(count) < config['motion_share']
    kernels = _kernels(soft, moved, rng)
    image = _on(image, soft | moved, lambda part, at: _convolve(part, kernels[at]))

    dark = np.where(rng.random(count) < config['dark_share'], rng.uniform(0.03, 0.35, count), 1.0)
    noise = rng.uniform(2, 14, count) / 255 * (rng.random(count) < config['noise_share'])
    # A dark picture that the camera brightens again shows the noise of its few photons.
    shot = np.where(dark < 1, rng.uniform(0.01, 0.03, count) / np.sqrt(dark), 0.0)
    shown = column(dark ** rng.uniform(0.0, 0.7, count))
    drawn = torch.randn(image.shape, generator=generator, device=device)
    spread = column(noise) + column(shot) * image.clamp(0, 1).sqrt()
    image = ((image + drawn * spread) * shown).clamp(0, 1) * 255

    packed = rng.random(count) < config['jpeg_share']
    quality = rng.uniform(20, 90, count)
    image = _on(image, packed, lambda part, at: jpeg_like(part, quality[at]))
    return image.clamp(0, 255).round()


def _on(
    image: Tensor,
    which: NDArray[np.bool_],
    change: Callable[[Tensor, NDArray[np.int64]], Tensor],
) -> Tensor:
    """Return a batch of which some samples were changed; which ones is known without waiting."""
    at = np.flatnonzero(which)
    if not len(at):
        return image
    index = to_device(at, image.device)
    return image.index_copy(0, index, change(image[index], at))


def _kernels(
    soft: NDArray[np.bool_], moved: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return what each sample is convolved with: a Gaussian, a line, or both."""
    count = len(soft)
    place = np.arange(KERNEL_PX) - KERNEL_PX // 2
    x, y = place[None, None, :], place[None, :, None]
    sigma = np.where(soft, rng.uniform(0.4, 1.6, count), 0.25)
    sigma = np.where(moved, np.maximum(sigma, 0.5), sigma)[:, None, None]
    length = np.where(moved, rng.uniform(1.5, KERNEL_PX - 1, count), 0.0)[:, None, None]
    angle = rng.uniform(0, math.pi, count)[:, None, None]
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    beyond = np.maximum(np.abs(along) - length / 2, 0)  # the ends of the line
    kernels: Floats = np.exp(-(beyond**2 + across**2) / (2 * sigma**2))
    total: Floats = kernels.sum((1, 2), keepdims=True)
    return (kernels / total).astype(np.float32)


def _convolve(image: Tensor, kernels: NDArray[np.float32]) -> Tensor:
    count, channels = image.shape[:2]
    weight = to_device(kernels, image.device).repeat_interleave(channels, 0)[:, None]
    padded = F.pad(image, (KERNEL_PX // 2,) * 4, mode='reflect').flatten(0, 1).unsqueeze(0)
    return F.conv2d(padded, weight, groups=count * channels).view(image.shape)


def jpeg_like(image: Tensor, quality: Floats) -> Tensor:
    """
    Return pictures as JPEG of some quality (1..100) shows them.

    Blocks of 8x8, the standard's quantisation and halved chrominance; no entropy coding, since it
    loses nothing.

    Parameters
    ----------
    image : Tensor, shape (B, 3, H, W)
        RGB, 0..255; height and width are multiples of 16.
    quality : ndarray of float, shape (B,)
        As libjpeg counts it.

    """
    device = image.device
    scale = np.where(quality < 50, 5000 / quality, 200 - 2 * quality) / 100
    tables = np.clip(np.round(JPEG_TABLES[None] * scale[:, None, None, None]), 1, 255)
    quantum = to_device(tables, device)
    ycc = torch.einsum('ij,bjhw->bihw', to_device(YCC, device), image)
    luma = _quantise(ycc[:, :1] - 128, quantum[:, 0]) + 128
    chroma = _quantise(F.avg_pool2d(ycc[:, 1:], 2), quantum[:, 1])
    chroma = F.interpolate(chroma, scale_factor=2, mode='bilinear', align_corners=False)
    back = to_device(np.linalg.inv(YCC), device)
    return torch.einsum('ij,bjhw->bihw', back, torch.cat([luma, chroma], 1)).clamp(0, 255)


def _quantise(plane: Tensor, quantum: Tensor) -> Tensor:
    """Round the 8x8 cosine transform of planes (B, C, H, W) to multiples of (B, 8, 8)."""
    count, channels, height, width = plane.shape
    row = torch.arange(8, device=plane.device, dtype=torch.float32)
    basis = torch.cos(math.pi / 8 * row[:, None] * (row[None] + 0.5)) * 0.5
    basis = torch.cat([basis[:1] * math.sqrt(0.5), basis[1:]])
    blocks = plane.reshape(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    step = quantum[:, None, None, None]
    spectrum = ((basis @ blocks @ basis.T) / step).round() * step
    return (basis.T @ spectrum @ basis).transpose(3, 4).reshape(plane.shape)
