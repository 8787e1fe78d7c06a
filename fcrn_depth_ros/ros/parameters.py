# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
ROS parameters from settings: declared once, checked as one, applied or refused with a reason.

A node owns one :class:`ParameterGroup`. It declares the fields of the node's settings classes,
and on every ``ros2 param set`` builds the new settings, so that a rule which spans two fields
(for example a minimum below a maximum) refuses the change as well as a single bad value does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
import dataclasses
from typing import Any, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from ..errors import ConfigurationError
from ..settings import describe_settings, SettingDescription, Settings

Config = TypeVar('Config')

_PARAMETER_TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
    tuple: Parameter.Type.STRING_ARRAY,
}


class ParameterGroup:
    """
    The settings of one node as ROS parameters.

    Parameters
    ----------
    node : rclpy.node.Node
        The node that declares them; values come from its overrides (YAML, command line).
    config_classes : sequence of dataclass types
        Settings classes whose field names do not overlap.
    on_change : callable or None
        Called with the new group contents after an accepted change; may raise
        ConfigurationError to refuse it.
    is_configured : callable
        Tells whether settings that are fixed at configure time can still be changed.

    Raises
    ------
    ConfigurationError
        If an initial value is refused.

    """

    def __init__(
        self,
        node: Node,
        config_classes: Sequence[type[Settings]],
        on_change: Callable[[], None] | None = None,
        is_configured: Callable[[], bool] = lambda: False,
    ) -> None:
        self._node_name = node.get_name()
        self._on_change = on_change
        self._is_configured = is_configured
        self._owners: dict[str, type] = {}
        self._fixed: set[str] = set()
        values: dict[str, Any] = {}
        for config_class in config_classes:
            for name, (default, description) in describe_settings(config_class).items():
                self._owners[name] = config_class
                if description.read_only:
                    self._fixed.add(name)
                values[name] = _from_ros(_declare(node, name, default, description))
        self._configs: dict[type, Settings] = {
            config_class: self._build(config_class, values) for config_class in config_classes
        }
        node.add_on_set_parameters_callback(self._on_set)

    def get(self, config_class: type[Config]) -> Config:
        """
        Give the settings now in force.

        Parameters
        ----------
        config_class : dataclass type
            One of the classes the group was made with.

        Returns
        -------
        dataclass instance
            Immutable; a later change makes a new one.

        """
        return self._configs[config_class]

    def _build(self, config_class: type[Settings], values: dict[str, Any]) -> Any:
        return config_class(
            **{name: values[name] for name in describe_settings(config_class)}
        ).checked()

    def _on_set(self, parameters: list[Parameter]) -> SetParametersResult:
        before = self._configs
        try:
            self._configs = self._changed(parameters)
            if self._on_change is not None and self._configs != before:
                self._on_change()
        except ConfigurationError as error:
            self._configs = before
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _changed(self, parameters: list[Parameter]) -> dict[type, Settings]:
        changes: dict[type[Settings], dict[str, Any]] = {}
        for parameter in parameters:
            owner = self._owners.get(parameter.name)
            if owner is None:
                continue
            value = _from_ros(parameter)
            if (
                parameter.name in self._fixed
                and self._is_configured()
                and value != getattr(self._configs[owner], parameter.name)
            ):
                raise ConfigurationError(
                    f'{parameter.name} must be set before the node is configured; run '
                    f'`ros2 lifecycle set {self._node_name} deactivate` and `... cleanup` first, '
                    'or give it at start'
                )
            changes.setdefault(owner, {})[parameter.name] = value
        return {
            config_class: dataclasses.replace(config, **changes.get(config_class, {})).checked()
            for config_class, config in self._configs.items()
        }


def _declare(node: Node, name: str, default: Any, description: SettingDescription) -> Parameter:
    text = description.description
    if description.choices:
        text += f' One of: {", ".join(description.choices)}.'
    if description.read_only:
        text += ' Taken when the node is configured.'
    descriptor = ParameterDescriptor(description=text)
    if description.minimum is not None and description.maximum is not None:
        if isinstance(default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(
                    from_value=float(description.minimum), to_value=float(description.maximum)
                )
            ]
        else:
            descriptor.integer_range = [
                IntegerRange(
                    from_value=int(description.minimum), to_value=int(description.maximum), step=1
                )
            ]
    descriptor.type = _PARAMETER_TYPES[type(default)].value
    # A YAML file that says `1` for 1.0 is what people write; rclpy alone would refuse it.
    override = node._parameter_overrides.get(name)
    if (
        isinstance(default, float)
        and override is not None
        and override.type_ == Parameter.Type.INTEGER
    ):
        node._parameter_overrides[name] = Parameter(
            name, Parameter.Type.DOUBLE, float(override.value)
        )
    # rclpy takes an empty list for bytes: one empty text keeps the type, and means nothing.
    value = (list(default) or ['']) if isinstance(default, tuple) else default
    try:
        return node.declare_parameter(name, value, descriptor)
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        raise ConfigurationError(
            f'{name} must be {_expected(default, description)}, got {override.value!r}; '
            f'it means: {description.description}'
        ) from error


def _expected(default: Any, description: SettingDescription) -> str:
    kind = _PARAMETER_TYPES[type(default)].name.lower().replace('_', ' ')
    if description.minimum is None or description.maximum is None:
        return f'a {kind}'
    return f'a {kind} in [{description.minimum:g}, {description.maximum:g}]'


def _from_ros(parameter: Parameter) -> Any:
    value = parameter.value
    if isinstance(value, (list, tuple)):
        return tuple(item for item in value if item != '')
    return value
