# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Pitch and roll of the camera from straight lines in the picture, without depth.

What people build has upright edges and level ones at right angles to each other. In a picture
upright edges meet in one point, level ones in two more on the horizon (Coughlan and Yuille,
Manhattan world, ICCV 1999). The camera's angles are those that explain most of the length of
the lines; where other angles explain nearly as much, the lines say nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting

_WIDTH_PX = 320  # of the picture in which lines are looked for
_MOST_LINES, _LEAST_LINES = 50, 10
_LEAST_LENGTH, _MOST_LENGTH = 0.05, 0.4  # of a line, times the focal length; what a line weighs
_TOLERANCE = math.sin(math.radians(3.0))  # between a line and the direction of its edge
# Angles of a camera on a robot, and how finely they are tried at first (pitch, roll, heading).
_PITCH_DEG, _ROLL_DEG = (-30.0, 54.0), (-16.0, 16.0)
_STEPS_DEG = (3.0, 4.0, 4.0)
_REFINEMENTS, _FINER = 5, 0.6
_ROLL_PENALTY, _USUAL_ROLL_RAD = 0.02, math.radians(4.0)  # of the length: robots are upright
# Of the explained length: what angles that differ by more than this may explain.
_ELSEWHERE_RAD, _MOST_ELSEWHERE = math.radians(6.0), 0.85
_LEAST_EXPLAINED = 0.4
# How often pictures are looked at: so many to begin with, or until all that are kept have spoken.
_BEGIN_PERIOD_S, _BEGIN_LOOKS, _PERIOD_S, _KEPT = 0.3, 20, 2.0, 9
# How many must have spoken, and what share of them must agree, to within this angle.
_LEAST_PICTURES, _LEAST_AGREE, _AGREE = 3, 0.6, math.cos(math.radians(3.0))
# To contradict a stated mounting so many must, and the angle be so large: nine in ten pictures of
# real rooms and of low cameras are off by less (training.tilt). Pitches near the end of those that
# are tried are not checked, and another mounting begins anew.
_LEAST_CONTRADICT, _CONTRADICTION = 5, math.cos(math.radians(8.0))
_CHECKED_PITCH_DEG = _PITCH_DEG[0] + 2.0, _PITCH_DEG[1] - 2.0
_SAME_MOUNTING = math.cos(math.radians(2.0))

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Lines:
    """
    Straight lines in normalised coordinates: pixels beside the principal point / focal length.

    Attributes
    ----------
    middle, along : ndarray of float32, shape (N, 2)
        Middle, and unit vector along the line.
    length : ndarray of float32, shape (N,)
        Of each.

    """

    middle: Floats
    along: Floats
    length: Floats


def find_lines(image_rgb: NDArray[np.uint8], intrinsics: CameraIntrinsics) -> Lines:
    """
    Find the longest straight lines (LSD: von Gioi et al., PAMI 2010).

    Parameters
    ----------
    image_rgb : ndarray of uint8, shape (H, W, 3)
        Without distortion.
    intrinsics : CameraIntrinsics
        Of the picture.

    Returns
    -------
    Lines
        At most `_MOST_LINES`, the longest first.

    """
    gray = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY)
    if gray.shape[1] > _WIDTH_PX:
        size = _WIDTH_PX, max(1, round(gray.shape[0] * _WIDTH_PX / gray.shape[1]))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    camera = intrinsics.scaled_to(gray.shape[1], gray.shape[0])
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(gray)[0]
    pixels = np.zeros((0, 4)) if found is None else found.reshape(-1, 4)
    centre, focal = (camera.cx_px, camera.cy_px), (camera.fx_px, camera.fy_px)
    ends: Floats = ((pixels - np.tile(centre, 2)) / np.tile(focal, 2)).astype(np.float32)
    vector = ends[:, 2:] - ends[:, :2]
    length = np.hypot(vector[:, 0], vector[:, 1])
    order = np.argsort(-length, kind='stable')[:_MOST_LINES]
    order = order[length[order] >= _LEAST_LENGTH]
    vector, length = vector[order], length[order]
    middle: Floats = ((ends[order, :2] + ends[order, 2:]) / 2).astype(np.float32)
    return Lines(middle, vector / length[:, None], np.minimum(length, np.float32(_MOST_LENGTH)))


def upright(lines: Lines, quarters: int = 0) -> NDArray[np.float64] | None:
    """
    Return which way is down.

    Parameters
    ----------
    lines : Lines
        Of one picture.
    quarters : int, optional
        How many quarters of a turn the camera is rolled clockwise, to the nearest: upright and
        level edges look alike.

    Returns
    -------
    ndarray of float64, shape (3,), or None
        Unit vector in the optical frame; None where the lines do not say it.

    """
    lines = _turned(lines, quarters)
    total = float(lines.length.sum())
    if len(lines.length) < _LEAST_LINES:
        return None
    coarse = _coarse_angles()
    explained = _explained(coarse, lines)
    best = coarse[int(np.argmax(explained))]
    steps = np.radians(_STEPS_DEG).astype(np.float32) / 2
    around = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 3, indexing='ij'), -1).reshape(-1, 3)
    for _ in range(_REFINEMENTS):
        near = (best + around * steps).astype(np.float32)
        finer = _explained(near, lines)
        best = near[int(np.argmax(finer))]
        steps = steps * np.float32(_FINER)
    most = float(finer.max())
    down = _axes(best)[0].astype(np.float64)
    elsewhere = _axes(coarse)[0] @ down < math.cos(_ELSEWHERE_RAD)
    if most < _LEAST_EXPLAINED * total:
        return None
    if float(explained[elsewhere].max()) > _MOST_ELSEWHERE * most:
        return None
    in_picture: NDArray[np.float64] = _quarter_turns(quarters).T @ down
    return in_picture


@lru_cache(maxsize=1)
def _coarse_angles() -> Floats:
    """Return pitch, roll and heading that are tried first, in radians, (N, 3)."""
    ranges = (
        np.arange(low, high, step)
        for (low, high), step in zip(
            (_PITCH_DEG, (_ROLL_DEG[0], _ROLL_DEG[1] + 1.0), (0.0, 90.0)), _STEPS_DEG, strict=True
        )
    )
    angles = np.stack(np.meshgrid(*ranges, indexing='ij'), -1).reshape(-1, 3)
    coarse: Floats = np.radians(angles).astype(np.float32)
    return coarse


def _axes(angles: Floats) -> tuple[Floats, Floats, Floats]:
    """Return down and two level directions at right angles, in the optical frame."""
    pitch, roll, heading = angles[..., 0], angles[..., 1], angles[..., 2]
    down = np.stack(
        [np.sin(roll) * np.cos(pitch), np.cos(roll) * np.cos(pitch), np.sin(pitch)], -1
    )
    right = np.array([1.0, 0.0, 0.0], np.float32) - down * down[..., :1]
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    ahead = np.cross(right, down)
    cosine, sine = np.cos(heading)[..., None], np.sin(heading)[..., None]
    return down, cosine * ahead + sine * right, cosine * right - sine * ahead


def _explained(angles: Floats, lines: Lines) -> Floats:
    """Return for each of some angles how much of the length they explain, less for their roll."""
    off2 = np.minimum.reduce([_off(axis, lines) for axis in _axes(angles)])
    fits = np.maximum(np.float32(0.0), 1.0 - off2 / np.float32(_TOLERANCE**2))
    penalty = _ROLL_PENALTY * float(lines.length.sum()) * (angles[:, 1] / _USUAL_ROLL_RAD) ** 2
    explained: Floats = fits @ lines.length - penalty.astype(np.float32)
    return explained


def _off(axis: Floats, lines: Lines) -> Floats:
    """Return the squared sine between lines and what edges along an axis look like there."""
    toward_x = axis[:, :1] - axis[:, 2:] * lines.middle[:, 0]
    toward_y = axis[:, 1:2] - axis[:, 2:] * lines.middle[:, 1]
    across = toward_x * lines.along[:, 1] - toward_y * lines.along[:, 0]
    off2: Floats = across**2 / (toward_x**2 + toward_y**2 + np.float32(1e-12))
    return off2


def _quarter_turns(quarters: int) -> NDArray[np.float64]:
    """Return the rotation about the optical axis that takes a roll of so many quarters away."""
    cosine, sine = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[quarters % 4]
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _turned(lines: Lines, quarters: int) -> Lines:
    """Return the lines of the picture that a camera without those quarters of roll would take."""
    turn = _quarter_turns(quarters)[:2, :2].astype(np.float32)
    return Lines(lines.middle @ turn.T, lines.along @ turn.T, lines.length)


def middle_direction(said: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the unit vector in the middle (median) of unit vectors."""
    middle: NDArray[np.float64] = np.median(said, axis=0)
    middle /= np.linalg.norm(middle)
    return middle


class LevelWatch:
    """Follow which way is down from picture to picture: a camera on a robot keeps its angles."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget every picture."""
        self._said: deque[NDArray[np.float64]] = deque(maxlen=_KEPT)
        self._looked_s, self._looks = -math.inf, 0
        self._stated: CameraMounting | None = None

    def look(
        self,
        image_rgb: NDArray[np.uint8],
        intrinsics: CameraIntrinsics,
        time_s: float,
        stated: CameraMounting | None = None,
    ) -> NDArray[np.float64] | None:
        """
        Take the next picture; lines are looked for in some of them.

        Parameters
        ----------
        image_rgb, intrinsics
            As for :func:`find_lines`.
        time_s : float
            Of the picture; where it goes back, all is forgotten.
        stated : CameraMounting, optional
            What is stated of the mounting: its roll says which side of the picture is up, to a
            quarter of a turn, since upright and level edges look alike. When it changes by more
            than 2 degrees, all is forgotten.

        Returns
        -------
        ndarray of float64, shape (3,), or None
            Unit vector down in the optical frame, the middle of what several pictures say; None
            while too few of them agree.

        """
        if time_s < self._looked_s or not _same_angles(stated, self._stated):
            self.restart()
            self._stated = stated
        begins = len(self._said) < _KEPT and self._looks < _BEGIN_LOOKS
        if time_s >= self._looked_s + (_BEGIN_PERIOD_S if begins else _PERIOD_S):
            self._looked_s = time_s
            self._looks += 1
            quarters = 0 if stated is None else round(stated.roll_deg / 90.0)
            down = upright(find_lines(image_rgb, intrinsics), quarters)
            if down is not None:
                self._said.append(down)
        return self._middle()

    def contradicts(self, stated: CameraMounting) -> CameraMounting | None:
        """
        Check the angles of a mounting with what the pictures since it was stated have shown.

        Parameters
        ----------
        stated : CameraMounting
            As it was given to :meth:`look`.

        Returns
        -------
        CameraMounting or None
            The stated one with the angles that lines show, where they differ by more than 8
            degrees; else None.

        """
        down = self._middle() if len(self._said) >= _LEAST_CONTRADICT else None
        low, high = _CHECKED_PITCH_DEG
        if down is None or not low <= stated.pitch_deg <= high:
            return None
        if float(down @ stated.down_vector()) >= _CONTRADICTION:
            return None
        return CameraMounting.from_down_vector(down, stated.height_m)

    def _middle(self) -> NDArray[np.float64] | None:
        if len(self._said) < _LEAST_PICTURES:
            return None
        middle = middle_direction(self._said)
        agree = np.count_nonzero(np.array(self._said) @ middle >= _AGREE)
        return middle if agree > len(self._said) * _LEAST_AGREE else None


def _same_angles(stated: CameraMounting | None, other: CameraMounting | None) -> bool:
    if stated is None or other is None:
        return stated is other
    return float(stated.down_vector() @ other.down_vector()) >= _SAME_MOUNTING
