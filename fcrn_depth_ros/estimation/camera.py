"""What the camera sees along each pixel: pinhole intrinsics and the files they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CameraInfoError, FcrnDepthError, ToolInputError

# In sides of the image: 0.1 is a 157 degree lens, 20 a 3 degree one. A value outside is an
# uncalibrated or mistyped camera, and would scale every distance by nonsense.
FOCAL_LIMITS = (0.1, 20.0)


@dataclass(frozen=True)
class CameraIntrinsics:
    """
    Pinhole intrinsics of an image without distortion.

    Attributes
    ----------
    fx_px, fy_px : float
        Focal lengths.
    cx_px, cy_px : float
        Principal point; integer coordinates are pixel centres, the first pixel is 0.
    width_px, height_px : int
        Size of the image they belong to.

    """

    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    width_px: int
    height_px: int

    def __post_init__(self) -> None:
        if self.width_px < 1 or self.height_px < 1:
            raise CameraInfoError(
                f'image size must be positive, got {self.width_px}x{self.height_px}; '
                'set width and height in the camera info'
            )
        side = max(self.width_px, self.height_px)
        low, high = (limit * side for limit in FOCAL_LIMITS)
        for name, focal in (('fx', self.fx_px), ('fy', self.fy_px)):
            if not low <= focal <= high:
                raise CameraInfoError(
                    f'{name} must be in [{low:g}, {high:g}] px for an image of '
                    f'{self.width_px}x{self.height_px}, got {focal:g}; calibrate the camera'
                )
        for name, centre, size in (
            ('cx', self.cx_px, self.width_px),
            ('cy', self.cy_px, self.height_px),
        ):
            if not (math.isfinite(centre) and -size <= centre <= 2 * size):
                raise CameraInfoError(
                    f'{name} must be in [{-size}, {2 * size}] px for an image of '
                    f'{self.width_px}x{self.height_px}, got {centre:g}; calibrate the camera'
                )

    @classmethod
    def from_field(
        cls, training_fx_px: float, training_width_px: float, width_px: int, height_px: int
    ) -> CameraIntrinsics:
        """Build square-pixel intrinsics of a known field of view, centred on the image."""
        focal = training_fx_px * width_px / training_width_px
        return cls(focal, focal, (width_px - 1) / 2, (height_px - 1) / 2, width_px, height_px)

    def scaled_to(self, width_px: int, height_px: int) -> CameraIntrinsics:
        """Return the intrinsics of the same image stretched to another size."""
        scale_x, scale_y = width_px / self.width_px, height_px / self.height_px
        return CameraIntrinsics(
            self.fx_px * scale_x,
            self.fy_px * scale_y,
            (self.cx_px + 0.5) * scale_x - 0.5,
            (self.cy_px + 0.5) * scale_y - 0.5,
            width_px,
            height_px,
        )

    def rays(self) -> NDArray[np.float32]:
        """Return the direction of each pixel, float32 (H, W, 3), with z = 1."""
        rays = np.ones((self.height_px, self.width_px, 3), np.float32)
        rays[..., 0] = (np.arange(self.width_px) - self.cx_px) / self.fx_px
        rays[..., 1] = ((np.arange(self.height_px) - self.cy_px) / self.fy_px)[:, None]
        return rays


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
