# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Camera files: camera.json and ROS calibration YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from ..errors import FcrnDepthError, ToolInputError
from .intrinsics import CameraIntrinsics


@dataclass(frozen=True)
class CameraCalibration:
    """
    Everything a camera file says.

    Attributes
    ----------
    intrinsics : CameraIntrinsics
        Of the image as it comes from the camera.
    distortion_model : str
        As in sensor_msgs/CameraInfo; empty where the file says nothing.
    distortion : tuple of float
        Coefficients in the order of that model.

    """

    intrinsics: CameraIntrinsics
    distortion_model: str = ''
    distortion: tuple[float, ...] = ()


def load_camera_file(path: Path) -> CameraIntrinsics:
    """Read the intrinsics of a camera file; see :func:`load_camera_calibration`."""
    return load_camera_calibration(path).intrinsics


def load_camera_calibration(path: Path) -> CameraCalibration:
    """
    Read a ``camera.json`` (fx, fy, cx, cy, width, height) or a ROS calibration YAML.

    Parameters
    ----------
    path : Path
        The file; anything that does not end in ``.json`` is read as YAML.

    Returns
    -------
    CameraCalibration
        With distortion where the file carries it.

    Raises
    ------
    ToolInputError
        The file is missing, unreadable, or lacks a key.

    """
    content = _read_mapping(path)
    try:
        if 'camera_matrix' in content:
            return _from_ros_calibration(content)
        fx, fy, cx, cy = (float(content[key]) for key in ('fx', 'fy', 'cx', 'cy'))
        intrinsics = CameraIntrinsics(
            fx, fy, cx, cy, int(content['width']), int(content['height'])
        )
        distortion = tuple(float(content.get(key, 0.0)) for key in ('k1', 'k2', 'p1', 'p2', 'k3'))
    except KeyError as err:
        raise ToolInputError(
            f'camera file {path} must contain {err}, got {sorted(map(str, content))}; '
            'give a camera.json or a ROS calibration YAML'
        ) from err
    except (TypeError, ValueError, FcrnDepthError) as err:
        raise ToolInputError(
            f'camera file {path} must hold the numbers of a calibrated camera, got: {err}'
        ) from err
    if not any(distortion):
        return CameraCalibration(intrinsics)
    return CameraCalibration(intrinsics, 'plumb_bob', distortion)


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
    except (OSError, ValueError) as err:
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


def _from_ros_calibration(content: Mapping[str, Any]) -> CameraCalibration:
    matrix: Sequence[float] = [float(value) for value in content['camera_matrix']['data']]
    if len(matrix) != 9:
        raise ValueError(f'camera_matrix with {len(matrix)} numbers instead of 9')
    intrinsics = CameraIntrinsics(
        matrix[0],
        matrix[4],
        matrix[2],
        matrix[5],
        int(content['image_width']),
        int(content['image_height']),
    )
    coefficients = content.get('distortion_coefficients', {}).get('data', ())
    return CameraCalibration(
        intrinsics,
        str(content.get('distortion_model', '')),
        tuple(float(value) for value in coefficients),
    )
