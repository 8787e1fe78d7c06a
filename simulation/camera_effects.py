# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a real camera does to a clean picture: exposure, colour cast, blur, vignette, noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_MEAN_LEVEL = 0.46  # what automatic exposure aims at; bright, for indoor scenes hold dark things


@dataclass(frozen=True)
class CameraEffects:
    """
    One camera's faults; the defaults are a clean camera.

    Attributes
    ----------
    auto_exposure : float
        0 leaves the brightness as it is, 1 brings every picture to the same mean.
    exposure : float
        Factor on the brightness, after that.
    gamma : float
        Exponent on the brightness after exposure.
    color_cast : tuple of float
        Factor on each of red, green and blue.
    saturation : float
        1 leaves colours as they are, 0 makes grey.
    vignette : float
        Share of the light lost in the corners.
    blur_px : float
        Sigma of the lens's blur.
    motion_px : int
        Length of the horizontal smear of a turning camera; 0 or 1 for none.
    noise : float
        Sigma of the noise at middle grey, of 255.

    """

    auto_exposure: float = 0.0
    exposure: float = 1.0
    gamma: float = 1.0
    color_cast: tuple[float, float, float] = (1.0, 1.0, 1.0)
    saturation: float = 1.0
    vignette: float = 0.0
    blur_px: float = 0.0
    motion_px: int = 0
    noise: float = 0.0


def random_effects(rng: np.random.Generator) -> CameraEffects:
    """Draw the faults of a plausible cheap camera."""
    red, green, blue = rng.normal(1.0, (0.07, 0.03, 0.07)).tolist()
    return CameraEffects(
        auto_exposure=rng.uniform(0.5, 1.0),
        exposure=float(np.exp(rng.normal(0.0, 0.2))),
        gamma=float(np.exp(rng.normal(0.0, 0.15))),
        color_cast=(red, green, blue),
        saturation=rng.uniform(0.6, 1.15),
        vignette=rng.uniform(0.0, 0.35),
        blur_px=rng.uniform(0.2, 0.9) if rng.random() < 0.8 else rng.uniform(0.9, 1.6),
        motion_px=int(rng.integers(2, 8)) if rng.random() < 0.15 else 0,
        noise=float(np.exp(rng.uniform(-0.5, 1.9))),
    )


def apply_effects(
    image_rgb: NDArray[np.uint8], effects: CameraEffects, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """
    Pass a picture through a camera.

    Parameters
    ----------
    image_rgb : ndarray of uint8, shape (H, W, 3)
        Clean picture.
    effects : CameraEffects
        The camera's faults.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        What the camera delivers.

    """
    height, width = image_rgb.shape[:2]
    image = image_rgb.astype(np.float32) / 255.0
    if effects.blur_px > 0.0:
        image = cv2.GaussianBlur(image, (0, 0), effects.blur_px)
    if effects.motion_px > 1:
        image = cv2.blur(image, (effects.motion_px, 1))
    grey = image.mean(axis=2, keepdims=True)
    image = grey + (image - grey) * effects.saturation
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    image *= (1.0 - effects.vignette * (rows**2 + columns**2) / 2)[..., None].astype(np.float32)
    level = float((_MEAN_LEVEL / max(0.02, image.mean())) ** effects.auto_exposure)
    image *= np.float32(effects.exposure * level) * np.array(effects.color_cast, np.float32)
    image = np.clip(image, 0.0, None) ** np.float32(effects.gamma)
    # Soft shoulder: highlights saturate gradually, as a camera's tone curve makes them.
    image = np.where(image > 0.8, 0.8 + 0.2 * np.tanh((image - 0.8) / 0.2), image)
    sigma = effects.noise / 255.0 * (0.5 + np.sqrt(np.clip(image, 0.0, 1.0)) * 0.7)
    image += rng.normal(0.0, 1.0, image.shape).astype(np.float32) * sigma
    noisy: NDArray[np.uint8] = (np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return noisy
