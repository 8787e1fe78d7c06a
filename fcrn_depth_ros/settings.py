# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
How a setting is described once, for the domain, the ROS parameters, YAML and docs.

A configuration is a frozen dataclass whose fields are made by :func:`setting`. Its
``__post_init__`` calls :func:`check_settings`; ``nodes/parameters.py`` declares the same fields
as ROS parameters, and ``scripts/generate_parameter_files`` writes ``config/*.yaml`` and
``docs/parameters.md`` from them, so a default stands in one place only.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
import math
from typing import Any

from .errors import ConfigurationError


@dataclass(frozen=True)
class SettingDescription:
    """
    What a user may know about one setting.

    Attributes
    ----------
    description : str
        One sentence, with the unit where the name does not carry it.
    minimum, maximum : float or None
        Inclusive bounds of a number; None where there is none.
    choices : tuple of str
        The allowed texts; empty where any text is allowed.
    read_only : bool
        True where the node takes the value when it is configured, and refuses a change after.

    """

    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False


def setting(
    default: Any,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    read_only: bool = False,
) -> Any:
    """
    Make a dataclass field that carries its own description, bounds and choices.

    Parameters
    ----------
    default : bool, int, float, str or tuple of str
        Default value; its type is the type of the ROS parameter.
    description, minimum, maximum, choices, read_only
        See :class:`SettingDescription`.

    Returns
    -------
    dataclasses.Field
        To be assigned to an annotated class attribute.

    """
    return dataclasses.field(
        default=default,
        metadata={
            'setting': SettingDescription(description, minimum, maximum, choices, read_only)
        },
    )


def describe_settings(config: Any) -> dict[str, tuple[Any, SettingDescription]]:
    """
    List the settings of a configuration class or instance.

    Parameters
    ----------
    config : dataclass type or instance
        Fields without a description (not made by :func:`setting`) are left out.

    Returns
    -------
    dict
        Field name -> (default, description), in the order of the class.

    """
    return {
        field.name: (field.default, field.metadata['setting'])
        for field in dataclasses.fields(config)
        if 'setting' in field.metadata
    }


def check_settings(config: Any) -> None:
    """
    Check every setting of a configuration against its type, bounds and choices.

    Parameters
    ----------
    config : dataclass instance
        An int is accepted for a float; nothing else is converted.

    Raises
    ------
    ConfigurationError
        Names the setting, what was expected and what was found.

    """
    for name, (default, description) in describe_settings(config).items():
        _check_value(name, getattr(config, name), default, description)


def _check_value(name: str, value: Any, default: Any, description: SettingDescription) -> None:
    expected_type = type(default)
    accepted = (int, float) if expected_type is float else (expected_type,)
    if not isinstance(value, accepted) or isinstance(value, bool) != (expected_type is bool):
        raise ConfigurationError(
            f'{name} must be a {expected_type.__name__}, got {value!r}; '
            f'it means: {description.description}'
        )
    if description.choices and value not in description.choices:
        raise ConfigurationError(
            f'{name} must be one of {", ".join(map(repr, description.choices))}, got {value!r}; '
            f'it means: {description.description}'
        )
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low = -math.inf if description.minimum is None else description.minimum
        high = math.inf if description.maximum is None else description.maximum
        if not (math.isfinite(value) and low <= value <= high):
            raise ConfigurationError(
                f'{name} must be a finite number in [{low:g}, {high:g}], got {value!r}; '
                f'it means: {description.description}'
            )
