# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Pictures of a drive: what the camera sees, what the network makes of it, and a map."""

from __future__ import annotations

from collections.abc import Sequence
import math

import cv2
from fcrn_depth_ros.report.drawing import colorize_depth
import numpy as np
from numpy.typing import NDArray

from .drive_sample import DriveSample
from .renderer import RenderedView
from .room_builder import Room
from .scenarios import HEIGHT_PX, WIDTH_PX
from .world import ROBOT_RADIUS_M

_INK, _PAPER = (40, 40, 40), (250, 250, 248)
_PATH, _ROBOT, _THING = (200, 60, 40), (30, 110, 200), (170, 165, 155)
_MIN_M, _MAX_M = 0.2, 5.0


def drive_picture(
    room: Room,
    samples: Sequence[DriveSample],
    view: RenderedView,
    estimated_depth_m: NDArray[np.float32] | None,
    title: str,
) -> NDArray[np.uint8]:
    """
    Draw one moment of a drive.

    Parameters
    ----------
    room : Room
        Where it happens.
    samples : sequence of DriveSample
        The drive until now.
    view : RenderedView
        What the camera sees now, with the true depth.
    estimated_depth_m : ndarray of float32, shape (h, w), optional
        The network's depth.
    title : str
        One line of text.

    Returns
    -------
    ndarray of uint8, shape (544, 640, 3)
        RGB.

    """
    blank = np.full((HEIGHT_PX, WIDTH_PX, 3), _PAPER, np.uint8)
    true_depth = colorize_depth(view.depth_m, _MIN_M, _MAX_M)
    estimate = blank
    if estimated_depth_m is not None:
        estimate = cv2.resize(
            colorize_depth(estimated_depth_m, _MIN_M, _MAX_M), (WIDTH_PX, HEIGHT_PX)
        )
    panels = [view.image_rgb, true_depth, _map(room, samples), estimate]
    for panel, label in zip(
        panels, ('camera', 'true depth', 'map', 'estimated depth'), strict=True
    ):
        _write(panel, label, (6, 14))
    now = samples[-1]
    header = np.full((64, 2 * WIDTH_PX, 3), _PAPER, np.uint8)
    _write(header, title, (8, 18))
    _write(
        header,
        f't {now.time_s:.1f} s  speed {now.speed_mps:.2f} m/s  free path {now.free_path_m:.2f} m  '
        f'nearest: true {now.true_nearest_m:.2f}, reported {now.reported_nearest_m:.2f} m',
        (8, 38),
    )
    _write(header, now.state[:100], (8, 58))
    return np.vstack([header, np.hstack(panels[:2]), np.hstack(panels[2:])])


def _write(image: NDArray[np.uint8], text: str, place: tuple[int, int]) -> None:
    for color, thickness in ((_PAPER, 3), (_INK, 1)):
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, color, thickness)


def _map(room: Room, samples: Sequence[DriveSample]) -> NDArray[np.uint8]:
    image = np.full((HEIGHT_PX, WIDTH_PX, 3), _PAPER, np.uint8)
    scale = 0.94 * min(WIDTH_PX / room.length_m, HEIGHT_PX / room.width_m)

    def pixel(x_m: float, y_m: float) -> tuple[int, int]:
        return round(WIDTH_PX / 2 + scale * x_m), round(HEIGHT_PX / 2 - scale * y_m)

    half = room.length_m / 2, room.width_m / 2
    cv2.rectangle(image, pixel(-half[0], half[1]), pixel(half[0], -half[1]), _INK, 2)
    for thing in room.obstacles:
        cv2.circle(image, pixel(thing.x_m, thing.y_m), round(scale * thing.radius_m), _THING, -1)
        cv2.putText(
            image, thing.kind, pixel(thing.x_m, thing.y_m), cv2.FONT_HERSHEY_SIMPLEX, 0.3, _INK, 1
        )
    path = np.array([pixel(sample.x_m, sample.y_m) for sample in samples], np.int32)
    cv2.polylines(image, [path], False, _PATH, 2)
    now = samples[-1]
    cv2.circle(image, pixel(now.x_m, now.y_m), round(scale * ROBOT_RADIUS_M), _ROBOT, 2)
    tip = pixel(
        now.x_m + 0.5 * math.cos(now.heading_rad), now.y_m + 0.5 * math.sin(now.heading_rad)
    )
    cv2.line(image, pixel(now.x_m, now.y_m), tip, _ROBOT, 2)
    return image
