# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""From a camera picture to the network's input, and where each pixel of it goes."""

from __future__ import annotations

from dataclasses import dataclass
import math

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
    planes = cv2.split(_resized(image_rgb, (place.width_px, place.height_px)))
    if card.color_order == 'BGR':
        planes = planes[::-1]
    # Padding is the mean colour: zero after normalisation.
    tensor = np.zeros((1, 3, card.input_height, card.input_width), np.float32)
    if card.input_layout == 'NHWC':
        tensor = tensor.reshape(1, card.input_height, card.input_width, 3)
    channels = tensor[0] if card.input_layout == 'NCHW' else tensor[0].transpose(2, 0, 1)
    picture = channels[
        :,
        place.top_px : place.top_px + place.height_px,
        place.left_px : place.left_px + place.width_px,
    ]
    for channel, plane, mean, scale in zip(
        picture, planes, card.input_mean, card.input_scale, strict=True
    ):
        np.subtract(plane, np.float32(mean), out=channel, dtype=np.float32)
        channel *= np.float32(scale)
    return tensor


def _resized(image_rgb: NDArray[np.uint8], size_wh: tuple[int, int]) -> cv2.typing.MatLike:
    """
    Resize with the mean over the area of each new pixel, where the picture becomes smaller.

    OpenCV's area averaging takes every pixel of a large picture one by one unless it shrinks by
    whole numbers. So the picture is first halved while that is exact, then interpolated at a
    multiple of its new size with steps of at most two pixels, and averaged from there: at most a
    few grey levels off at sharp edges, three to five times as fast.
    """
    width, height = size_wh
    if width > image_rgb.shape[1] or height > image_rgb.shape[0]:
        # Area averaging cannot enlarge.
        return cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_LINEAR)
    picture: cv2.typing.MatLike = image_rgb
    if picture.shape[1] % width or picture.shape[0] % height:
        while _shrinks_by(picture, size_wh, 4) and not any(side % 2 for side in picture.shape[:2]):
            half = picture.shape[1] // 2, picture.shape[0] // 2
            picture = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
        if _shrinks_by(picture, size_wh, 2):
            multiple = (
                width * math.ceil(picture.shape[1] / width / 2),
                height * math.ceil(picture.shape[0] / height / 2),
            )
            picture = cv2.resize(picture, multiple, interpolation=cv2.INTER_LINEAR)
    return cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)


def _shrinks_by(picture: cv2.typing.MatLike, size_wh: tuple[int, int], factor: int) -> bool:
    width, height = size_wh
    return bool(picture.shape[1] >= factor * width and picture.shape[0] >= factor * height)


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
