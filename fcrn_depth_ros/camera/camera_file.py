# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Camera files: everything that is known of one camera, read in one place.

Two layouts, each as JSON or YAML: `fx, fy, cx, cy, width, height` with optional `k1, k2, p1, p2,
k3` (camera.json), and the calibration that ROS tools write (`camera_matrix`, `image_width`,
`distortion_coefficients`). Either may add the mounting (`height_m`, `pitch_deg`, `roll_deg`, or
the same in a `mount`), `eval_crop_x0y0x1y1` and `max_reliable_m`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
import json
import math
from pathlib import Path
from typing import Any

from .distortion import distortion_model_of, KNOWN_MODELS
from .intrinsics import CameraIntrinsics
from .mounting import CameraMounting
from .rectification import LensCalibration
from ..errors import ConfigurationError, FcrnDepthError, ToolInputError

_PLUMB_BOB_KEYS = ('k1', 'k2', 'p1', 'p2', 'k3')
_FISHEYE_KEYS = ('k1', 'k2', 'k3', 'k4')
_COEFFICIENT_KEYS = ('k1', 'k2', 'p1', 'p2', 'k3', 'k4', 'k5', 'k6')


@dataclass(frozen=True)
class CameraFile:
    """
    What a camera file says.

    Attributes
    ----------
    path : Path
        The file, for error messages.
    calibration : LensCalibration
        Of the picture as it comes from the camera.
    mounting : CameraMounting or None
        None where the file gives no height.
    score_crop : tuple of int
        x0, y0, x1, y1: where measured depth may be scored; the whole picture by default.
    max_reliable_m : float
        Measured depth beyond it is not to be trusted; infinite by default.

    """

    path: Path
    calibration: LensCalibration
    mounting: CameraMounting | None
    score_crop: tuple[int, int, int, int]
    max_reliable_m: float = math.inf

    @property
    def intrinsics(self) -> CameraIntrinsics:
        """Of the picture without its distortion."""
        return self.calibration.intrinsics

    def check_rectified(self) -> None:
        """
        Refuse a lens with distortion, for users that do not remove it.

        Raises
        ------
        ToolInputError
            If the pictures are not those of a pinhole camera.

        """
        if self.calibration.is_distorted:
            raise ToolInputError(
                f'camera file {self.path} must describe rectified pictures, got a lens of model '
                f'{self.calibration.distortion_model}; remove the distortion from pictures and '
                'depth, and its coefficients from the file'
            )

    def scaled_to(self, width_px: int, height_px: int) -> CameraFile:
        """Return what holds for the same pictures stretched to another size."""
        scale_x = width_px / self.intrinsics.width_px
        scale_y = height_px / self.intrinsics.height_px
        x0, y0, x1, y1 = self.score_crop
        return replace(
            self,
            calibration=self.calibration.scaled_to(width_px, height_px),
            score_crop=(
                round(x0 * scale_x),
                round(y0 * scale_y),
                round(x1 * scale_x),
                round(y1 * scale_y),
            ),
        )

    def fitted_to(self, width_px: int, height_px: int) -> CameraFile:
        """
        Return what holds for pictures of another size but the same field of view.

        Parameters
        ----------
        width_px, height_px : int
            Size of the pictures.

        Returns
        -------
        CameraFile
            At that size.

        Raises
        ------
        ToolInputError
            If the shape differs by more than rounding, as after cropping: then the field of
            view is not known.

        """
        own = self.intrinsics
        difference = abs(width_px * own.height_px - height_px * own.width_px)
        if difference > max(width_px, height_px):
            raise ToolInputError(
                f'camera file {self.path} must describe pictures of the shape '
                f'{width_px}x{height_px}, got {own.width_px}x{own.height_px}; calibrate the '
                'camera at this size'
            )
        return self.scaled_to(width_px, height_px)


def read_camera_file(path: Path) -> CameraFile:
    """
    Read a camera file.

    Parameters
    ----------
    path : Path
        The file; anything that does not end in ``.json`` is read as YAML.

    Returns
    -------
    CameraFile
        See there.

    Raises
    ------
    ToolInputError
        The file is missing or unreadable, lacks a key, or a value of it is unusable; the message
        is one line with the file and the key.

    """
    content = _read_mapping(path)
    try:
        return _read_content(path, content)
    except _BadValueError as err:
        raise ToolInputError(
            f'{err.key} of camera file {path} must be {err.expected}, got {err.actual}; '
            'correct the file'
        ) from err
    except FcrnDepthError as err:
        raise ToolInputError(
            f'camera file {path} must describe a calibrated camera, got: {err}'
        ) from err


class _BadValueError(Exception):
    def __init__(self, key: str, expected: str, actual: object) -> None:
        super().__init__(key)
        self.key, self.expected = key, expected
        text = ' '.join(str(actual).split()) or 'nothing'
        self.actual = 'nothing' if actual is None else text[:200]


def _read_mapping(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding='utf-8')
        if path.suffix.lower() == '.json':
            content = json.loads(text)
        else:
            # Only files need it; the nodes get their intrinsics from messages.
            import yaml

            try:
                content = yaml.safe_load(text)
            except yaml.YAMLError as err:
                raise ValueError(' '.join(str(err).split())) from err
    except (OSError, ValueError, RecursionError) as err:
        raise ToolInputError(
            f'camera file must be readable JSON or YAML, got {path}: {err}; '
            'give a camera.json or a ROS calibration YAML'
        ) from err
    if not isinstance(content, Mapping):
        raise ToolInputError(
            f'camera file {path} must hold named values, got {type(content).__name__}; '
            'give a camera.json or a ROS calibration YAML'
        )
    return content


def _read_content(path: Path, content: Mapping[str, Any]) -> CameraFile:
    intrinsics = (
        _ros_intrinsics(content) if 'camera_matrix' in content else _flat_intrinsics(content)
    )
    intrinsics.check_plausible()
    coefficients = _coefficients(content)
    model = distortion_model_of(
        _text(content, 'distortion_model'), coefficients, _text(content, 'camera_model')
    )
    if len(coefficients) not in KNOWN_MODELS.get(model, (len(coefficients),)):
        counts = ' or '.join(map(str, KNOWN_MODELS[model]))
        raise _BadValueError(
            'distortion_coefficients', f'{counts} numbers for {model}', len(coefficients)
        )
    return CameraFile(
        path,
        LensCalibration.of_raw_picture(intrinsics, coefficients, model),
        _mounting(content),
        _score_crop(content, intrinsics),
        _max_reliable_m(content),
    )


def _ros_intrinsics(content: Mapping[str, Any]) -> CameraIntrinsics:
    matrix = _numbers('camera_matrix', content['camera_matrix'])
    if len(matrix) != 9:
        raise _BadValueError('camera_matrix', '9 numbers', len(matrix))
    return CameraIntrinsics(
        matrix[0],
        matrix[4],
        matrix[2],
        matrix[5],
        _size(content, 'image_width'),
        _size(content, 'image_height'),
    )


def _flat_intrinsics(content: Mapping[str, Any]) -> CameraIntrinsics:
    fx, fy, cx, cy = (_number(key, _required(content, key)) for key in ('fx', 'fy', 'cx', 'cy'))
    return CameraIntrinsics(fx, fy, cx, cy, _size(content, 'width'), _size(content, 'height'))


def _coefficients(content: Mapping[str, Any]) -> tuple[float, ...]:
    if 'distortion_coefficients' in content:
        return _numbers('distortion_coefficients', content['distortion_coefficients'])
    given = [key for key in _COEFFICIENT_KEYS if key in content]
    names = {_text(content, 'distortion_model'), _text(content, 'camera_model')}
    is_fisheye = names & {'equidistant', 'fisheye'}
    keys = _FISHEYE_KEYS if is_fisheye else _PLUMB_BOB_KEYS
    if unknown := [key for key in given if key not in keys]:
        raise _BadValueError(
            unknown[0],
            'absent unless distortion_model is equidistant, where k1 to k4 are given'
            if not is_fisheye
            else 'absent for an equidistant lens, which has k1 to k4',
            content[unknown[0]],
        )
    if not given:
        return ()
    return tuple(_number(key, content.get(key, 0.0)) for key in keys)


def _mounting(content: Mapping[str, Any]) -> CameraMounting | None:
    named: Mapping[str, Any] = content
    prefix = ''
    if 'mount' in content:
        named, prefix = content['mount'], 'mount.'
        if not isinstance(named, Mapping):
            raise _BadValueError('mount', 'height_m, pitch_deg and roll_deg by name', named)
        if 'height_m' in content:
            raise _BadValueError('mount', 'absent where height_m is given beside it', named)
    if 'height_m' not in named:
        return None
    pitch_key = 'pitch_down_deg' if 'pitch_down_deg' in named else 'pitch_deg'
    keys = ('height_m', pitch_key, 'roll_deg')
    values = (_number(f'{prefix}{key}', named.get(key, 0.0)) for key in keys)
    try:
        return CameraMounting(*values)
    except ConfigurationError as err:
        joined = ', '.join(f'{prefix}{key}' for key in keys)
        raise _BadValueError(joined, 'a mounting', err) from err


def _score_crop(
    content: Mapping[str, Any], intrinsics: CameraIntrinsics
) -> tuple[int, int, int, int]:
    width, height = intrinsics.width_px, intrinsics.height_px
    key = 'eval_crop_x0y0x1y1'
    if key not in content:
        return 0, 0, width, height
    values = _numbers(key, content[key])
    whole = [round(value) for value in values]
    expected = f'x0, y0, x1, y1 of a part of the {width}x{height} px'
    if len(values) != 4 or whole != list(values):
        raise _BadValueError(key, expected, content[key])
    x0, y0 = max(whole[0], 0), max(whole[1], 0)
    x1, y1 = min(whole[2], width), min(whole[3], height)
    if x0 >= x1 or y0 >= y1:
        raise _BadValueError(key, expected, content[key])
    return x0, y0, x1, y1


def _max_reliable_m(content: Mapping[str, Any]) -> float:
    if 'max_reliable_m' not in content:
        return math.inf
    metres = _number('max_reliable_m', content['max_reliable_m'])
    if metres <= 0:
        raise _BadValueError('max_reliable_m', 'a positive number of metres', metres)
    return metres


def _required(content: Mapping[str, Any], key: str) -> Any:
    if key not in content:
        raise _BadValueError(key, 'given', f'only {", ".join(sorted(map(str, content)))}')
    return content[key]


def _number(key: str, value: Any) -> float:
    # PyYAML takes 1e-05, which calibrators write, for a text.
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
        if not math.isfinite(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError) as err:
        raise _BadValueError(key, 'a finite number', value) from err
    return number


def _size(content: Mapping[str, Any], key: str) -> int:
    value = _required(content, key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _BadValueError(key, 'a whole number of px', value)
    if not (0 < value < 1e6 and value == int(value)):
        raise _BadValueError(key, 'a whole number of px', value)
    return int(value)


def _numbers(key: str, value: Any) -> tuple[float, ...]:
    """Read a list of numbers, or the rows, cols and data that OpenCV and ROS write."""
    listed = value.get('data') if isinstance(value, Mapping) else value
    if not isinstance(listed, (list, tuple)):
        raise _BadValueError(key, 'a list of numbers, or one named data', listed)
    return tuple(_number(key, number) for number in listed)


def _text(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key)
    if value is None:
        return ''
    if not isinstance(value, str):
        raise _BadValueError(key, 'a name', value)
    return value.strip()
