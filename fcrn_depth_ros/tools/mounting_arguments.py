# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The options that say where the camera sits."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from ..camera.mounting import CameraMounting
from ..errors import ToolInputError

_NAMES = ('camera_height_m', 'camera_pitch_deg', 'camera_roll_deg')


def add_mounting_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--camera-height``, ``--camera-pitch`` and ``--camera-roll``."""
    for option, unit, text in (
        ('--camera-height', 'M', 'metres of the lens above the floor (default: unknown)'),
        ('--camera-pitch', 'DEG', 'degrees below the horizon, down positive (default: 0)'),
        ('--camera-roll', 'DEG', 'degrees clockwise seen from behind (default: 0)'),
    ):
        parser.add_argument(option, type=float, metavar=unit, help=text)


def mounting_of(
    arguments: argparse.Namespace, parameters: Mapping[str, Any]
) -> CameraMounting | None:
    """
    Return the mounting of the options, and of parameters of depth_node where they are silent.

    Parameters
    ----------
    arguments : argparse.Namespace
        With what :func:`add_mounting_arguments` added.
    parameters : mapping
        Of depth_node; may lack any.

    Returns
    -------
    CameraMounting or None
        None where no height is given.

    Raises
    ------
    ToolInputError
        Angles come without a height.

    """
    given = arguments.camera_height, arguments.camera_pitch, arguments.camera_roll
    height, pitch, roll = (
        float(parameters.get(name, 0.0)) if value is None else value
        for name, value in zip(_NAMES, given, strict=True)
    )
    if height == 0.0 and (arguments.camera_pitch or arguments.camera_roll):
        raise ToolInputError(
            'camera height must be given with --camera-pitch and --camera-roll, got none; add '
            '--camera-height'
        )
    return CameraMounting(height, pitch, roll) if height else None
