# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The lens models that can be rectified, and which of them a calibration means."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import CameraInfoError

# Names of sensor_msgs/distortion_models -> the numbers of coefficients that OpenCV computes.
# `fisheye` is OpenCV's name for equidistant.
POLYNOMIAL_MODELS = {
    'plumb_bob': (0, 4, 5, 8, 12, 14),
    'rational_polynomial': (0, 8, 12, 14),
}
FISHEYE_MODELS = {'equidistant': (4,), 'fisheye': (4,)}
KNOWN_MODELS = {**POLYNOMIAL_MODELS, **FISHEYE_MODELS}
# The only models with so many coefficients; four are plumb_bob's or equidistant's.
_MODEL_OF_COUNT = {
    5: 'plumb_bob',
    8: 'rational_polynomial',
    12: 'rational_polynomial',
    14: 'rational_polynomial',
}


def distortion_model_of(stated: str, coefficients: Sequence[float], camera_model: str = '') -> str:
    """
    Name the lens model of a calibration, also where only the coefficients imply it.

    Parameters
    ----------
    stated : str
        `distortion_model` of a CameraInfo or calibration file; empty where it is not stated.
    coefficients : sequence of float
        In the order of that model.
    camera_model : str
        `camera_model` of a calibration file. Some calibrators write the lens model there
        (`fisheye`, `plumb_bob`) and no `distortion_model`.

    Returns
    -------
    str
        `plumb_bob` for a lens without distortion. A stated model that is not known here is
        returned as it is: whoever rectifies refuses it.

    Raises
    ------
    CameraInfoError
        If the model is not stated and cannot be derived, or the two names contradict each other.

    """
    family = camera_model if camera_model in KNOWN_MODELS else ''
    if stated and family and stated in KNOWN_MODELS:
        if (stated in FISHEYE_MODELS) != (family in FISHEYE_MODELS):
            raise CameraInfoError(
                f'distortion_model must agree with camera_model {camera_model!r}, got {stated!r}; '
                'correct the one that is wrong'
            )
    if stated:
        return stated
    if family in FISHEYE_MODELS and len(coefficients) == 4:
        return 'equidistant'
    if family in POLYNOMIAL_MODELS and len(coefficients) in POLYNOMIAL_MODELS[family]:
        return family
    if not family:
        if not any(coefficients):
            return 'plumb_bob'
        if len(coefficients) in _MODEL_OF_COUNT:
            return _MODEL_OF_COUNT[len(coefficients)]
    raise CameraInfoError(
        f'distortion_model must be stated for {len(coefficients)} coefficients'
        f'{f" of camera_model {camera_model!r}" if camera_model else ""}, got none; '
        'set plumb_bob, rational_polynomial or equidistant, as the camera was calibrated'
    )
