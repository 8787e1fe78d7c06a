# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
ROS parameters from settings: each value is checked by itself, and all are applied as one snapshot.

A node owns one :class:`ParameterGroup`. rclpy calls it three times for each change:

    pre-set     an integer becomes a double where a double is meant; a bad value is marked
    on-set      a marked value, or one that is fixed now, is refused with the reason
    post-set    the change is in force: one new Snapshot replaces the old one

Values that contradict each other are accepted, because `ros2 param set`, `ros2 param load` and
rqt set one value at a time. `Snapshot.contradiction` holds the reason until it is gone, and the
node must not work with such settings. At start there is no such intermediate state: a
contradiction in a YAML file or at the command line raises ConfigurationError.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
import dataclasses
from dataclasses import dataclass
import difflib
from typing import Any, cast, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.parameter import Parameter

from .node_settings import NODE_SETTINGS
from ..errors import ConfigurationError
from ..settings import check_value, describe_settings, SettingDescription, Settings

Config = TypeVar('Config', bound=Settings)

# Parameters that rclpy itself declares, or that belong to a topic.
_ROS_NAMES = ('use_sim_time', 'start_type_description_service')
_ROS_PREFIX = 'qos_overrides.'


@dataclass(frozen=True)
class Snapshot:
    """
    All settings of a node at one moment.

    Attributes
    ----------
    configs : mapping of type to Settings
        One instance of each class.
    contradiction : str
        Why the values cannot hold together; empty where they can.

    """

    configs: Mapping[type[Settings], Settings]
    contradiction: str

    def get(self, config_class: type[Config]) -> Config:
        """
        Return the settings of one class.

        Parameters
        ----------
        config_class : dataclass type
            One of the classes of the group.

        Returns
        -------
        dataclass instance
            Immutable.

        """
        return cast(Config, self.configs[config_class])


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
        Called with the new snapshot after a change of at least one value; must not raise.
    is_configured : callable
        Returns whether settings that are read at configure time are fixed now.
    contradiction_of : callable or None
        A further rule of the node, for example that the settings fit its model: a snapshot ->
        the reason, or an empty text. Called after a change, not at start.

    Raises
    ------
    ConfigurationError
        If an initial value is refused, or initial values contradict each other.

    """

    def __init__(
        self,
        node: Node,
        config_classes: Sequence[type[Settings]],
        on_change: Callable[[Snapshot], None] | None = None,
        is_configured: Callable[[], bool] = lambda: False,
        contradiction_of: Callable[[Snapshot], str] | None = None,
    ) -> None:
        self._node = node
        self._on_change = on_change
        self._is_configured = is_configured
        self._contradiction_of = contradiction_of
        self._owners = {
            name: config_class
            for config_class in config_classes
            for name in describe_settings(config_class)
        }
        overrides = _overrides_of(node)
        self._warn_of_unknown_names(overrides)
        configs = {
            config_class: _initial(config_class, overrides) for config_class in config_classes
        }
        self._snapshot = Snapshot(configs, _contradictions(configs))
        if self._snapshot.contradiction:
            raise ConfigurationError(self._snapshot.contradiction)
        for config in configs.values():
            _declare(node, config)
        node.add_pre_set_parameters_callback(self._pre_set)
        node.add_on_set_parameters_callback(self._on_set)
        node.add_post_set_parameters_callback(self._post_set)

    def get(self, config_class: type[Config]) -> Config:
        """
        Return the settings of one class that are in force now, as the snapshot has them.

        Parameters
        ----------
        config_class : dataclass type
            One of the classes the group was made with.

        Returns
        -------
        dataclass instance
            Immutable; a later change makes a new one.

        """
        return self._snapshot.get(config_class)

    def snapshot(self) -> Snapshot:
        """
        Return all settings that are in force now.

        Returns
        -------
        Snapshot
            Immutable; a later change makes a new one. Any thread may call this.

        """
        return self._snapshot

    def _warn_of_unknown_names(self, overrides: Mapping[str, Parameter[Any]]) -> None:
        elsewhere = {
            name
            for config_classes in NODE_SETTINGS.values()
            for config_class in config_classes
            for name in describe_settings(config_class)
        }
        for name in overrides:
            if (
                name in self._owners
                or name in elsewhere  # one YAML file may serve several nodes
                or name in _ROS_NAMES
                or name.startswith(_ROS_PREFIX)
            ):
                continue
            near = difflib.get_close_matches(name, self._owners, 1)
            advice = f'did you mean {near[0]}?' if near else 'see docs/parameters.md'
            self._node.get_logger().warning(
                f'parameter {name} is unknown to {self._node.get_name()} and ignored; {advice}'
            )

    def _pre_set(self, parameters: list[Parameter[Any]]) -> list[Parameter[Any]]:
        return [
            parameter if parameter.name not in self._owners else self._prepared(parameter)
            for parameter in parameters
        ]

    def _prepared(self, parameter: Parameter[Any]) -> Parameter[Any]:
        default, description = describe_settings(self._owners[parameter.name])[parameter.name]
        value = _from_ros(parameter, default, description)
        try:
            check_value(parameter.name, value, default, description)
        except ConfigurationError as error:
            return _RefusedParameter(self._node.get_parameter(parameter.name), str(error))
        return _to_ros(parameter.name, value)

    def _on_set(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        try:
            self._check_changeable(parameters)
            self._changed(parameters)
        except ConfigurationError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _post_set(self, parameters: list[Parameter[Any]]) -> None:
        before = self._snapshot
        configs = self._changed(parameters)
        if configs == before.configs:
            return
        after = Snapshot(configs, _contradictions(configs))
        if not after.contradiction and self._contradiction_of is not None:
            after = Snapshot(configs, self._contradiction_of(after))
        self._snapshot = after
        if after.contradiction and after.contradiction != before.contradiction:
            self._node.get_logger().warning(
                f'the parameters contradict each other: {after.contradiction}'
            )
        elif before.contradiction and not after.contradiction:
            self._node.get_logger().info('the parameters no longer contradict each other')
        if self._on_change is not None:
            self._on_change(after)

    def _check_changeable(self, parameters: list[Parameter[Any]]) -> None:
        for parameter in parameters:
            if isinstance(parameter, _RefusedParameter):
                raise ConfigurationError(parameter.reason)
            owner = self._owners.get(parameter.name)
            if owner is None:
                continue
            default, description = describe_settings(owner)[parameter.name]
            now = getattr(self.get(owner), parameter.name)
            wanted = _from_ros(parameter, default, description)
            if description.read_only and self._is_configured() and wanted != now:
                advice = 'give it at start'
                if isinstance(self._node, LifecycleNode):
                    name = self._node.get_fully_qualified_name()
                    advice = (
                        f'run `ros2 lifecycle set {name} deactivate` and '
                        f'`ros2 lifecycle set {name} cleanup` first, or {advice}'
                    )
                raise ConfigurationError(
                    f'{parameter.name} must stay {now!r} while the node is configured, got '
                    f'{wanted!r}; {advice}'
                )

    def _changed(self, parameters: list[Parameter[Any]]) -> dict[type[Settings], Settings]:
        changes: dict[type[Settings], dict[str, Any]] = {}
        for parameter in parameters:
            owner = self._owners.get(parameter.name)
            if owner is not None:
                described = describe_settings(owner)[parameter.name]
                changes.setdefault(owner, {})[parameter.name] = _from_ros(parameter, *described)
        return {
            config_class: dataclasses.replace(config, **changes.get(config_class, {}))
            for config_class, config in self._snapshot.configs.items()
        }


def given_options(
    parser: argparse.ArgumentParser, arguments: Sequence[str]
) -> list[Parameter[Any]]:
    """
    Read options that are named after parameters, with None for those that are not given.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Has no default but None.
    arguments : sequence of str
        Without the program's name and the ROS arguments.

    Returns
    -------
    list of rclpy.parameter.Parameter
        One for each option given.

    """
    options = vars(parser.parse_args(arguments))
    return [Parameter(name, value=value) for name, value in options.items() if value is not None]


class _RefusedParameter(Parameter):  # type: ignore[type-arg]  # not generic in Jazzy
    """
    Stands in for a parameter with a bad value, and carries the reason to the on-set callback.

    rclpy compares type and range between the two callbacks and would refuse with a text of its
    own, which names neither the meaning nor, for a type, the parameter. It sees the present value.
    """

    def __init__(self, present: Parameter[Any], reason: str) -> None:
        super().__init__(present.name, present.type_, present.value)
        self.reason = reason


def _overrides_of(node: Node) -> Mapping[str, Parameter[Any]]:
    """
    Return the values from YAML files, command line and constructor.

    rclpy has no public way to list them, nor to convert one before it is declared. This is the
    only place that reads its private attribute (the same in Jazzy, Kilted and Rolling).
    """
    return node._parameter_overrides


def _initial(config_class: type[Config], overrides: Mapping[str, Parameter[Any]]) -> Config:
    values = {
        name: _from_ros(overrides[name], *described)
        for name, described in describe_settings(config_class).items()
        if name in overrides
    }
    return config_class(**values)


def _contradictions(configs: Mapping[type[Settings], Settings]) -> str:
    reasons = [config.contradiction() for config in configs.values()]
    return '. '.join(filter(None, reasons))


def _declare(node: Node, config: Settings) -> None:
    for name, (default, description) in describe_settings(config).items():
        parameter = _to_ros(name, getattr(config, name))
        descriptor = _descriptor(default, description)
        node.declare_parameter(name, parameter.value, descriptor, ignore_override=True)


def _descriptor(default: Any, description: SettingDescription) -> ParameterDescriptor:
    text = description.description
    if description.choices:
        text += f' One of: {", ".join(description.choices)}.'
    if description.read_only:
        text += ' Read when the node is configured.'
    descriptor = ParameterDescriptor(description=text)
    low, high = description.minimum, description.maximum
    if low is None or high is None:
        return descriptor
    if isinstance(default, float):
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(low), to_value=float(high))
        ]
    else:
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor


def _to_ros(name: str, value: Any) -> Parameter[Any]:
    # rclpy takes an empty list for bytes: one empty text keeps the type, and means nothing.
    return Parameter(name, value=(list(value) or ['']) if isinstance(value, tuple) else value)


def _from_ros(parameter: Parameter[Any], default: Any, description: SettingDescription) -> Any:
    """Return a value as settings hold it; one of a wrong type is left for `check_value`."""
    value = parameter.value
    if isinstance(default, float) and parameter.type_ == Parameter.Type.INTEGER:
        return float(value)
    if isinstance(default, tuple):
        if value is None:  # an empty list in a YAML file has no type
            return ()
        if not isinstance(value, (str, bool, int, float)):
            return tuple(item for item in value if item != '')
    if isinstance(value, bool) and description.choices:
        # Without quotes, off and on are bools in YAML, also at the command line.
        word = 'on' if value else 'off'
        return word if word in description.choices else value
    return value
