# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""From a camera picture to the network's input, and where each pixel of it goes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .model_card import ModelCard
from ..camera.intrinsics import CameraIntrinsics
from ..errors import ImageFormatError

MIN_IMAGE_PX = 8


@dataclass(frozen=True)
class ImagePlacement:
    """
    Where a picture lies in the network's input.

    Attributes
    ----------
    left_px, top_px, width_px, height_px : int
        Rectangle of the network's input that the picture fills; the rest is padding.
    input_width_px, input_height_px : int
        Size of the network's input.

    """

    left_px: int
    top_px: int
    width_px: int
    height_px: int
    input_width_px: int
    input_height_px: int

    def to_network(self, intrinsics: CameraIntrinsics) -> CameraIntrinsics:
        """Return the intrinsics of the network's input for those of the picture."""
        placed = intrinsics.scaled_to(self.width_px, self.height_px)
        return CameraIntrinsics(
            placed.fx_px,
            placed.fy_px,
            placed.cx_px + self.left_px,
            placed.cy_px + self.top_px,
            self.input_width_px,
            self.input_height_px,
        )

    def picture_size_hw(self, map_size_hw: tuple[int, int]) -> tuple[int, int]:
        """Return the size of the picture's part of a map of the network's whole input."""
        return (
            max(1, round(self.height_px * map_size_hw[0] / self.input_height_px)),
            max(1, round(self.width_px * map_size_hw[1] / self.input_width_px)),
        )

    def to_picture(
        self, values: NDArray[np.float32], size_hw: tuple[int, int] | None
    ) -> NDArray[np.float32]:
        """
        Cut the picture's part out of a map of the network's input and stretch it.

        Parameters
        ----------
        values : ndarray of float32, shape (h, w)
            Map of the network's whole input, of any resolution; NaN where unknown.
        size_hw : tuple of int or None
            Size of the result; None keeps the map's own resolution.

        Returns
        -------
        ndarray of float32
            A pixel is NaN where more than half of what it is interpolated from is NaN.

        """
        height, width = values.shape
        scale_x, scale_y = width / self.input_width_px, height / self.input_height_px
        fills_input = (self.width_px, self.height_px) == (
            self.input_width_px,
            self.input_height_px,
        )
        if size_hw is None:
            size_hw = self.picture_size_hw((height, width))
        if size_hw == values.shape and fills_input:
            return values
        # Pixel centres: result (u + 0.5) * step + offset = map (u' + 0.5).
        step_x = self.width_px * scale_x / size_hw[1]
        step_y = self.height_px * scale_y / size_hw[0]
        inverse = np.array(
            [
                [step_x, 0.0, 0.5 * step_x - 0.5 + self.left_px * scale_x],
                [0.0, step_y, 0.5 * step_y - 0.5 + self.top_px * scale_y],
            ]
        )
        known = np.isfinite(values)
        weighted = _warp(np.where(known, values, np.float32(0.0)), inverse, size_hw)
        if known.all():
            return weighted
        weight = _warp(known.astype(np.float32), inverse, size_hw)
        unknown = weight < 0.5
        weight[unknown] = np.nan
        return np.divide(weighted, weight, dtype=np.float32)


def place_image(width_px: int, height_px: int, card: ModelCard) -> ImagePlacement:
    """Find where the card's resize rule puts a picture of this size."""
    scale_x, scale_y = card.input_width / width_px, card.input_height / height_px
    if card.resize == 'letterbox':
        scale_x = scale_y = min(scale_x, scale_y)
    width = max(1, round(width_px * scale_x))
    height = max(1, round(height_px * scale_y))
    return ImagePlacement(
        (card.input_width - width) // 2,
        (card.input_height - height) // 2,
        width,
        height,
        card.input_width,
        card.input_height,
    )


def check_image(image_rgb: NDArray[np.uint8]) -> None:
    """
    Refuse what is not a colour picture.

    Parameters
    ----------
    image_rgb : ndarray of uint8, shape (H, W, 3)
        Picture in RGB.

    Raises
    ------
    ImageFormatError
        Wrong type, shape, or fewer than 8 px on a side.

    """
    if (
        image_rgb.dtype != np.uint8
        or image_rgb.ndim != 3
        or image_rgb.shape[2] != 3
        or min(image_rgb.shape[:2]) < MIN_IMAGE_PX
    ):
        raise ImageFormatError(
            f'image must be RGB uint8 of shape (H, W, 3) with sides of {MIN_IMAGE_PX} px or '
            f'more, got {image_rgb.dtype} {image_rgb.shape}; convert it first'
        )


def prepare_image(image_rgb: NDArray[np.uint8], card: ModelCard) -> NDArray[np.float32]:
    """
    Resize, pad and normalise a picture for the network.

    Parameters
    ----------
    image_rgb : ndarray of uint8, shape (H, W, 3)
        Picture in RGB.
    card : ModelCard
        Input size, resize rule, colour order, mean, scale and layout.

    Returns
    -------
    ndarray of float32, shape (1, 3, h, w) or (1, h, w, 3)
        Contiguous, in the card's layout.

    Raises
    ------
    ImageFormatError
        See :func:`check_image`.

    """
    check_image(image_rgb)
    height, width = image_rgb.shape[:2]
    place = place_image(width, height, card)
    # Area averaging is the antialiased way down; it cannot enlarge.
    shrinks = place.width_px <= width and place.height_px <= height
    resized = cv2.resize(
        image_rgb,
        (place.width_px, place.height_px),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    if card.color_order == 'BGR':
        resized = resized[..., ::-1]
    mean = np.array(card.input_mean, np.float32)
    scale = np.array(card.input_scale, np.float32)
    # Padding is the mean colour: zero after normalisation.
    canvas = np.zeros((card.input_height, card.input_width, 3), np.float32)
    canvas[
        place.top_px : place.top_px + place.height_px,
        place.left_px : place.left_px + place.width_px,
    ] = (resized - mean) * scale
    if card.input_layout == 'NCHW':
        canvas = canvas.transpose(2, 0, 1)
    return np.ascontiguousarray(canvas[None])


def _warp(
    values: NDArray[np.float32], inverse: NDArray[np.float64], size_hw: tuple[int, int]
) -> NDArray[np.float32]:
    warped = cv2.warpAffine(
        values,
        inverse,
        size_hw[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(warped, np.float32)
