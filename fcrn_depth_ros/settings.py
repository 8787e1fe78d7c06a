# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
How a setting is described once, for the domain, the ROS parameters, YAML and docs.

A configuration is a frozen dataclass that derives from :class:`Settings` and whose fields are made
by :func:`setting`. ``ros/parameters.py`` declares the same fields as ROS parameters, and
``scripts/generate_parameter_files`` writes ``config/*.yaml`` and ``docs/parameters.md`` from them,
so a default stands in one place only.

Two kinds of rules are kept apart. A value that is wrong by itself (type, bounds, choices) raises
ConfigurationError when the instance is created. Two values that contradict each other do not: a
user who changes both, one by one, passes through such a state. `Settings.contradiction` returns
the reason, and the caller decides what follows.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
import math
from typing import Any, TypeVar

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


_KINDS = {
    bool: 'true or false',
    int: 'an integer',
    float: 'a finite number',
    str: 'a string',
    tuple: 'a list of strings',
}

AnySettings = TypeVar('AnySettings', bound='Settings')


@dataclass(frozen=True)
class Settings:
    """Base of every configuration class: each value is checked when an instance is created."""

    def __post_init__(self) -> None:
        """
        Check every value by itself.

        Raises
        ------
        ConfigurationError
            Names the setting, what was expected and what was found. An int is accepted for a
            float; nothing else is converted.

        """
        for name, (default, description) in describe_settings(self).items():
            check_value(name, getattr(self, name), default, description)

    def contradiction(self) -> str:
        """
        Return why the values cannot hold together.

        A class with such rules overrides this, and ends with
        ``return super().contradiction()``, so that a class with several bases checks the rules
        of each base once.

        Returns
        -------
        str
            Names both values and what to change; empty where the values agree.

        """
        return ''

    def checked(self: AnySettings) -> AnySettings:
        """
        Return this configuration if its values agree.

        Returns
        -------
        Settings
            The same instance.

        Raises
        ------
        ConfigurationError
            Two values contradict each other.

        """
        reason = self.contradiction()
        if reason:
            raise ConfigurationError(reason)
        return self


def misordered(config: Settings, *pairs: tuple[str, str]) -> str:
    """
    Return why the first pair of numbers that is not in ascending order is wrong.

    Parameters
    ----------
    config : Settings
        Holds the numbers.
    *pairs : tuple of str
        Names of two settings; the first number must be below the second.

    Returns
    -------
    str
        Empty where every pair is in order.

    """
    for low, high in pairs:
        low_value, high_value = getattr(config, low), getattr(config, high)
        if low_value >= high_value:
            return (
                f'{low} must be below {high} ({high_value:g}), got {low_value:g}; '
                f'raise {high} or lower {low}'
            )
    return ''


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


def check_value(name: str, value: Any, default: Any, description: SettingDescription) -> None:
    """
    Check one value by itself.

    Parameters
    ----------
    name : str
        Name of the setting.
    value : Any
        What it is to be; an int is accepted for a float.
    default : bool, int, float, str or tuple of str
        Its type is the type that is expected.
    description : SettingDescription
        Bounds, choices and meaning.

    Raises
    ------
    ConfigurationError
        Names the setting, what was expected, what was found and what the setting means.

    """
    if not _is_allowed(value, default, description):
        found = 'no value' if value is None else repr(value)
        raise ConfigurationError(
            f'{name} must be {_expected(default, description)}, got {found}; '
            f'meaning: {description.description}'
        )


def _is_allowed(value: Any, default: Any, description: SettingDescription) -> bool:
    expected_type = type(default)
    accepted = (int, float) if expected_type is float else (expected_type,)
    if not isinstance(value, accepted) or isinstance(value, bool) != (expected_type is bool):
        return False
    if isinstance(value, tuple):
        return all(isinstance(item, str) for item in value)
    if isinstance(value, (int, float)):
        low = -math.inf if description.minimum is None else description.minimum
        high = math.inf if description.maximum is None else description.maximum
        return low <= value <= high and abs(value) < math.inf
    return not description.choices or value in description.choices


def _expected(default: Any, description: SettingDescription) -> str:
    if description.choices:
        return f'one of {", ".join(map(repr, description.choices))}'
    kind = _KINDS[type(default)]
    low, high = description.minimum, description.maximum
    if low is None and high is None:
        return kind
    low = -math.inf if low is None else low
    high = math.inf if high is None else high
    return f'{kind} in [{low:g}, {high:g}]'
