# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The file that a calibration leaves behind: parameters, and in comments where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from ...camera.mounting import CameraMounting
from ...errors import ToolInputError
from ...report.output_files import write_bytes

YAML_NAME, PICTURE_NAME = 'calibration.yaml', 'calibration.png'
# What scale_factor and scale_factor_sigma may be.
_FACTORS, _MOST_SIGMA = (0.1, 10.0), 1.0


def write_calibration(
    folder: Path, how: str, account: Sequence[str], values: Mapping[str, float]
) -> None:
    """
    Write parameters as params_file takes them.

    Parameters
    ----------
    folder : Path
        Receives calibration.yaml.
    how : str
        Options that made it, on one line.
    account : sequence of str
        What was measured and how sure it is, line by line.
    values : mapping of str to float
        Names of parameters of depth_node and alert_node.

    """
    date = datetime.now(timezone.utc).strftime('%Y-%m-%d %H:%M UTC')
    lines = [f'Written by fcrn-depth calibrate {how}, {date}.', *account]
    comment = ''.join(f'# {" ".join(line.split())}\n' for line in lines)
    content = ''.join(f'    {name}: {round(value, 4)!r}\n' for name, value in values.items())
    text = f'{comment}/**:\n  ros__parameters:\n{content}'
    write_bytes(folder / YAML_NAME, text.encode())


def scale_parameters(
    factor: float, sigma: float, mounting: CameraMounting | None
) -> dict[str, float]:
    """
    Return the parameters for a measured factor.

    Parameters
    ----------
    factor, sigma : float
        True depth over that of the network, and its relative standard deviation.
    mounting : CameraMounting or None
        With which it was measured, and with which alone it holds.

    Returns
    -------
    dict
        Name -> value.

    Raises
    ------
    ToolInputError
        No camera needs such a factor.

    """
    if not _FACTORS[0] <= factor <= _FACTORS[1] or not sigma <= _MOST_SIGMA:
        raise ToolInputError(
            f'factor must be in {_FACTORS[0]:g}..{_FACTORS[1]:g} and known within '
            f'{_MOST_SIGMA:.0%}, got {factor:.3g} within {sigma:.0%}; check what was measured, '
            'the camera file and the unit'
        )
    values = {'scale_factor': factor, 'scale_factor_sigma': sigma}
    if mounting is not None:
        values |= mounting_parameters(mounting)
    return values


def mounting_parameters(mounting: CameraMounting) -> dict[str, float]:
    """Return the parameters that state a mounting."""
    return {
        'camera_height_m': mounting.height_m,
        'camera_pitch_deg': mounting.pitch_deg,
        'camera_roll_deg': mounting.roll_deg,
    }


def mounting_account(mounting: CameraMounting | None) -> str:
    """Return with which mounting a factor was measured."""
    if mounting is None:
        return 'Measured while the mounting was unknown: it holds while camera_height_m is 0.'
    return 'Measured with, and valid with, the mounting below.'
