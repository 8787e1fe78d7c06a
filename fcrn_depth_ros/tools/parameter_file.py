# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Files of ROS parameters, read without ROS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigurationError, ToolInputError
from ..settings import describe_settings


def read_parameters(file: Path | None, node: str) -> dict[str, Any]:
    """
    Return what a file of ROS parameters sets for a node.

    Parameters
    ----------
    file : Path or None
        As ``--params-file`` of a node takes it; None sets nothing.
    node : str
        Its name, without a namespace.

    Returns
    -------
    dict
        Name -> value.

    Raises
    ------
    ToolInputError
        The file cannot be read, or is none of parameters.

    """
    if file is None:
        return {}
    try:
        content = yaml.safe_load(file.read_text(encoding='utf-8'))
        found: dict[str, Any] = {}
        for key, value in content.items():
            if key.rsplit('/', 1)[-1] in (node, '**', '*'):
                found |= value['ros__parameters']
    except (OSError, ValueError, yaml.YAMLError, AttributeError, KeyError, TypeError) as err:
        raise ToolInputError(
            f'parameters must be a YAML file as ROS 2 nodes take it, got {file}: '
            f'{" ".join(str(err).split())}; see config/depth_node.yaml'
        ) from err
    return found


def configured(kind: Any, values: Mapping[str, Any]) -> Any:
    """Make a configuration of those values that it has; ToolInputError where one is wrong."""
    known = describe_settings(kind)
    try:
        return kind(**{name: value for name, value in values.items() if name in known})
    except ConfigurationError as err:
        raise ToolInputError(str(err)) from err
