# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Depth, proximity and alert as pictures for people.

Colours stand for fixed distances, never for the range of one frame: a picture that is stretched
to its own minimum and maximum looks the same at 1 m and at 10 m. All pictures are RGB.
"""

from __future__ import annotations

from functools import cache
import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..alert.verdict import AlertState
from ..perception.proximity import ProximityConfig, ProximityEstimate, region_of_interest

Picture = NDArray[np.uint8]
Color = tuple[int, int, int]

# Near is the hot or bright end of each map.
COLOR_MAPS: dict[str, int] = {
    'turbo': cv2.COLORMAP_TURBO,
    'viridis': cv2.COLORMAP_VIRIDIS,
    'magma': cv2.COLORMAP_MAGMA,
    'plasma': cv2.COLORMAP_PLASMA,
    'inferno': cv2.COLORMAP_INFERNO,
    'cividis': cv2.COLORMAP_CIVIDIS,
    'jet': cv2.COLORMAP_JET,
    'gray': -1,
}

STATE_COLORS: dict[AlertState, Color] = {
    AlertState.CLEAR: (38, 166, 91),
    AlertState.CAUTION: (242, 153, 25),
    AlertState.STOP: (214, 48, 49),
    AlertState.STALE: (142, 68, 173),
    AlertState.DISABLED: (110, 118, 129),
}
UNKNOWN_COLOR: Color = (110, 118, 129)

BACKGROUND: Color = (22, 26, 32)
TEXT_COLOR: Color = (232, 236, 241)
FAINT_COLOR: Color = (140, 150, 163)

# Unknown depth is hatched in two greys, which no colour map draws.
_HATCH_DARK, _HATCH_LIGHT = 38, 82
_HATCH_PERIOD_PX = 8
_NEAR_TINT: Color = (255, 40, 40)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@cache
def color_table(color_map: str) -> Picture:
    """Return the 256 RGB colours of a map, nearest first; shape (256, 3)."""
    ramp = np.arange(255, -1, -1, dtype=np.uint8)
    code = COLOR_MAPS[color_map]
    if code < 0:
        return np.repeat(ramp[:, None], 3, axis=1)
    return np.ascontiguousarray(cv2.applyColorMap(ramp[:, None], code)[:, 0, ::-1])


def colorize_depth(
    depth_m: NDArray[np.floating[Any]], min_m: float, max_m: float, color_map: str = 'turbo'
) -> Picture:
    """
    Draw a depth map in colours that stand for fixed distances.

    Parameters
    ----------
    depth_m : ndarray of float, shape (H, W)
        Metres; whatever is not finite and positive is unknown and drawn hatched in grey.
    min_m, max_m : float
        Depths of the nearest and the farthest colour; beyond them the colour stays.
    color_map : str
        A key of COLOR_MAPS.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    """
    known = np.isfinite(depth_m) & (depth_m > 0)
    share = (np.where(known, depth_m, max_m) - min_m) / (max_m - min_m)
    index = (np.clip(share, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
    picture: Picture = color_table(color_map)[index]
    if not known.all():
        rows, columns = np.nonzero(~known)
        light = (rows + columns) % _HATCH_PERIOD_PX < _HATCH_PERIOD_PX // 2
        picture[rows, columns] = np.where(light, _HATCH_LIGHT, _HATCH_DARK)[:, None]
    return picture


def draw_relative(values: NDArray[np.floating[Any]], config: ProximityConfig) -> Picture:
    """
    Draw a map as the relative rule sees it: in grey, white where it is nearest in this frame.

    Parameters
    ----------
    values : ndarray of float, shape (H, W)
        Depth, or inverse depth, as `config.relative_polarity` says; unknown as for
        :func:`colorize_depth`.
    config : ProximityConfig
        Its region of interest gives the extremes, as it does for the rule.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    """
    inside = values[region_of_interest(values.shape, config)]
    inside = inside[np.isfinite(inside) & (inside > 0)]
    low, high = (float(inside.min()), float(inside.max())) if inside.size else (0.0, 0.0)
    known = np.isfinite(values) & (values > 0)
    distance = values - low if config.relative_polarity == 'far_is_high' else high - values
    # What lies beyond the extremes of the region is drawn like them, and known all the same.
    shown = np.where(known, 1.0 + np.clip(distance, 0.0, None), np.nan)
    return colorize_depth(shown, 1.0, 1.0 + (high - low or 1.0), 'gray')


def draw_near_pixels(image_rgb: Picture, near: NDArray[np.bool_]) -> Picture:
    """
    Tint what is near in red.

    Parameters
    ----------
    image_rgb : ndarray of uint8, shape (H, W, 3)
        Left as it is.
    near : ndarray of bool, shape (h, w)
        True where something is near; of any size, it is stretched over the image.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        A copy.

    """
    height, width = image_rgb.shape[:2]
    weight = cv2.resize(near.astype(np.float32), (width, height))[..., None] * 0.6
    tinted = image_rgb * (1 - weight) + np.array(_NEAR_TINT, np.float32) * weight
    picture: Picture = tinted.astype(np.uint8)
    return picture


def draw_proximity(
    image_rgb: Picture, estimate: ProximityEstimate, config: ProximityConfig, near: bool
) -> Picture:
    """
    Draw the region of interest and what the proximity rule found in it.

    Parameters
    ----------
    image_rgb : ndarray of uint8, shape (H, W, 3)
        Left as it is.
    estimate : ProximityEstimate
        Of the same frame.
    config : ProximityConfig
        Its region of interest is outlined.
    near : bool
        Whether the share of near pixels is above the threshold; decides the colour.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        A copy.

    """
    color = STATE_COLORS[AlertState.STOP if near else AlertState.CLEAR]
    if not estimate.is_known:
        color, text = UNKNOWN_COLOR, 'unknown'
    else:
        text = f'{estimate.proximity:.0%} near'
        if math.isfinite(estimate.nearest_distance_m):
            text = f'{format_distance(estimate.nearest_distance_m, config.max_range_m)}, {text}'
    picture = image_rgb.copy()
    height, width = picture.shape[:2]
    corner = math.floor(config.roi_left * width), math.floor(config.roi_top * height)
    opposite = (
        math.ceil(config.roi_right * width) - 1,
        math.ceil(config.roi_bottom * height) - 1,
    )
    thickness = max(1, round(min(height, width) / 120))
    cv2.rectangle(picture, corner, opposite, color, thickness)
    return draw_banner(picture, text, color)


def format_distance(distance_m: float, max_range_m: float) -> str:
    """Write a nearest distance for people; `max_range_m` means that nothing is nearer."""
    if math.isnan(distance_m):
        return 'unknown'
    return f'> {max_range_m:g} m' if distance_m >= max_range_m else f'{distance_m:.2f} m'


def draw_banner(image_rgb: Picture, text: str, color: Color) -> Picture:
    """
    Write one line on a coloured strip along the lower edge.

    Parameters
    ----------
    image_rgb : ndarray of uint8, shape (H, W, 3)
        Left as it is.
    text : str
        ASCII; made smaller where it is too long for the picture.
    color : tuple of int
        RGB of the strip.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        A copy.

    """
    picture: Picture = image_rgb.copy()
    height, width = picture.shape[:2]
    strip_px = min(height, max(10, round(height / 8)))
    cv2.rectangle(picture, (0, height - strip_px), (width - 1, height - 1), color, cv2.FILLED)
    margin_px = max(2, width // 40)
    text_px = strip_px * 0.5
    needed_px = text_width(text, text_px)
    if needed_px > width - 2 * margin_px:
        text_px *= (width - 2 * margin_px) / needed_px
    baseline = height - round((strip_px - text_px) / 2)
    write(picture, text, (margin_px, baseline), text_px, (255, 255, 255))
    return picture


def write(
    picture: Picture, text: str, origin: tuple[int, int], height_px: float, color: Color
) -> None:
    """
    Write text onto a picture, in place.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        Changed.
    text : str
        ASCII.
    origin : tuple of int
        Left end of the baseline: x, y.
    height_px : float
        Height of a capital letter.
    color : tuple of int
        RGB.

    """
    scale, thickness = _font_scale(height_px)
    cv2.putText(picture, text, origin, _FONT, scale, color, thickness, cv2.LINE_AA)


def text_width(text: str, height_px: float) -> int:
    """Return the width in pixels of text whose capitals are `height_px` high."""
    scale, thickness = _font_scale(height_px)
    return int(cv2.getTextSize(text, _FONT, scale, thickness)[0][0])


def _font_scale(height_px: float) -> tuple[float, int]:
    # Capitals of the font are 22 px high at scale 1.
    return height_px / 22, max(1, round(height_px / 11))
