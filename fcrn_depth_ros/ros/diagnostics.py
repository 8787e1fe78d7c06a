# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Diagnostic messages: a level, a sentence and keys with units.

diagnostic_updater has no release outside a full ROS installation, so the two dozen lines needed
of it stand here; the messages are the standard ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue


class Level(Enum):
    """Diagnostic levels, mildest first."""

    OK = DiagnosticStatus.OK
    WARN = DiagnosticStatus.WARN
    ERROR = DiagnosticStatus.ERROR
    STALE = DiagnosticStatus.STALE


def diagnostic_array(
    stamp: Time,
    name: str,
    hardware_id: str,
    level: Level,
    message: str,
    values: Mapping[str, object],
) -> DiagnosticArray:
    """
    Make a DiagnosticArray with one status.

    Parameters
    ----------
    stamp : builtin_interfaces.msg.Time
        Time of the array's header.
    name : str
        As :func:`status_name` returns it, for example `robot1/depth_node: depth estimation`.
    hardware_id : str
        The device or model.
    level : Level
        The worst of what `message` says.
    message : str
        One sentence for a person.
    values : mapping
        Key (with its unit) -> value; a float is written with four significant digits.

    Returns
    -------
    DiagnosticArray
        Ready to publish.

    """
    status = DiagnosticStatus(
        level=level.value,
        name=name,
        hardware_id=hardware_id,
        message=message,
        values=[KeyValue(key=key, value=_text(value)) for key, value in values.items()],
    )
    array = DiagnosticArray(status=[status])
    array.header.stamp = stamp
    return array


def _text(value: object) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)
