# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The parameters of a robot's nodes as last reported, and what the page shows of them."""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass, field
from typing import Any

from ..ros.node_settings import NODE_SETTINGS
from ..settings import describe_settings

NODES = ('depth_node', 'alert_node')


@dataclass(frozen=True)
class ShownParameter:
    """One parameter, with what its descriptor allows."""

    node: str
    name: str
    value: Any
    kind: str
    minimum: float | None
    maximum: float | None
    description: str

    def as_json(self) -> dict[str, Any]:
        """Return JSON values; choices and section are those of this package's settings."""
        section, choices, fixed = _KNOWN.get((self.node, self.name), ('', (), False))
        return {
            'name': self.name,
            'value': self.value,
            'kind': self.kind,
            'minimum': self.minimum,
            'maximum': self.maximum,
            'description': self.description,
            'section': section,
            'choices': list(choices),
            'fixed': fixed,
        }


def _known() -> dict[tuple[str, str], tuple[str, tuple[str, ...], bool]]:
    return {
        (node, name): (
            (config.__doc__ or '').strip().splitlines()[0].rstrip('.'),
            setting.choices,
            setting.read_only,
        )
        for node in NODES
        for config in NODE_SETTINGS[node]
        for name, (_, setting) in describe_settings(config).items()
    }


_KNOWN = _known()


@dataclass
class ParameterValues:
    """What is known of the parameters of one robot."""

    nodes: dict[str, dict[str, ShownParameter]] = field(default_factory=dict)
    version: int = 0

    def copy(self) -> ParameterValues:
        """Return a copy that later changes leave alone."""
        return ParameterValues(
            {node: dict(values) for node, values in self.nodes.items()}, self.version
        )

    def replace(self, node: str, parameters: Mapping[str, ShownParameter]) -> None:
        """Take all parameters of a node."""
        self.nodes[node] = dict(parameters)
        self.version += 1

    def change(self, node: str, name: str, value: Any) -> None:
        """Take a value that a node has reported as changed."""
        present = self.nodes.get(node, {}).get(name)
        if present is None or present.value == value:
            return
        self.nodes[node][name] = dataclasses.replace(present, value=value)
        self.version += 1

    @property
    def is_relative(self) -> bool:
        """Return whether depth_node measures relative nearness, without metres."""
        return bool(self.value('depth_node', 'proximity_mode') == 'relative')

    def value(self, node: str, name: str) -> Any:
        """Return the value of a parameter as last reported; None before."""
        parameter = self.nodes.get(node, {}).get(name)
        return None if parameter is None else parameter.value

    def as_json(self, robot: str) -> dict[str, Any]:
        """Return all that the page shows, as JSON values."""
        return {
            'type': 'parameters',
            'robot': robot,
            'nodes': {
                node: [parameter.as_json() for parameter in values.values()]
                for node, values in self.nodes.items()
            },
        }
