# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The mountings and fields of view that a network was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import json
import math
from pathlib import Path

from ..camera.intrinsics import CameraIntrinsics
from ..camera.mounting import CameraMounting
from ..errors import ModelFileError

RANGES_FILE = 'trained_range.json'
_NAMES = {
    'height_m': 'camera height',
    'pitch_deg': 'camera pitch',
    'roll_deg': 'camera roll',
    'hfov_deg': 'horizontal field of view',
}
Interval = tuple[float, float]


@dataclass(frozen=True)
class TrainedRange:
    """
    Inclusive limits of what a network has seen in training.

    Attributes
    ----------
    height_m, pitch_deg, roll_deg : tuple of 2 float
        Of the camera's mounting, after the picture was turned upright.
    hfov_deg : tuple of 2 float
        Horizontal field of view.

    """

    height_m: Interval
    pitch_deg: Interval
    roll_deg: Interval
    hfov_deg: Interval

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> TrainedRange:
        """Read texts such as `-10,35`; ValueError names the key that is no interval."""
        intervals = {}
        for key in _NAMES:
            low, high = (float(part) for part in texts[key].split(','))
            if not low <= high:
                raise ValueError(f'{key} must be two numbers in ascending order, got {texts[key]}')
            intervals[key] = (low, high)
        return cls(**intervals)

    def doubts(
        self, mounting: CameraMounting, intrinsics: CameraIntrinsics | None
    ) -> tuple[str, ...]:
        """
        List what lies outside of these limits.

        Parameters
        ----------
        mounting : CameraMounting
            Of the upright picture.
        intrinsics : CameraIntrinsics or None
            Of the upright picture; None leaves the field of view out.

        Returns
        -------
        tuple of str
            One clause for each value outside; empty where the network knows such cameras.

        """
        values = {
            'height_m': mounting.height_m,
            'pitch_deg': mounting.pitch_deg,
            'roll_deg': mounting.roll_deg,
        }
        if intrinsics is not None:
            values['hfov_deg'] = horizontal_field_of_view_deg(intrinsics)
        return tuple(
            f'{_NAMES[key]} {value:.3g} is outside the trained range {low:g}..{high:g} '
            f'{"m" if key.endswith("_m") else "deg"}'
            for key, value in values.items()
            for low, high in [getattr(self, key)]
            if not low <= value <= high
        )


def horizontal_field_of_view_deg(intrinsics: CameraIntrinsics) -> float:
    """Return the angle between the left and the right edge of the image, in degrees."""
    left = (-0.5 - intrinsics.cx_px) / intrinsics.fx_px
    right = (intrinsics.width_px - 0.5 - intrinsics.cx_px) / intrinsics.fx_px
    return math.degrees(math.atan(right) - math.atan(left))


def load_trained_range(model_file: Path, metadata: Mapping[str, str]) -> TrainedRange | None:
    """
    Find the trained range of a model file.

    Parameters
    ----------
    model_file : Path
        A file `trained_range.json` beside it may hold its limits, by file name.
    metadata : mapping of str to str
        Of the model file; its keys `trained_height_m`, `trained_pitch_deg`, `trained_roll_deg`
        and `trained_hfov_deg` come first.

    Returns
    -------
    TrainedRange or None
        None where neither states the limits.

    Raises
    ------
    ModelFileError
        If the limits are stated, but are no pairs of numbers.

    """
    prefixed = {key: f'trained_{key}' for key in _NAMES}
    try:
        if all(name in metadata for name in prefixed.values()):
            return TrainedRange.from_texts({k: metadata[name] for k, name in prefixed.items()})
        ranges = model_file.parent / RANGES_FILE
        if not ranges.is_file():
            return None
        stated = json.loads(ranges.read_text(encoding='utf-8')).get(model_file.name)
        if stated is None:
            return None
        return TrainedRange.from_texts({key: stated[name] for key, name in prefixed.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise ModelFileError(
            f'trained range of {model_file} must be pairs of numbers such as "-10,35", got '
            f'{err}; correct {RANGES_FILE} or the metadata of the file'
        ) from err
