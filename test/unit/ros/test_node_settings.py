# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The settings of the nodes: unique names, defaults that agree, rules that name both values."""

from __future__ import annotations

from collections import Counter

from fcrn_depth_ros.camera.playback import FrameSourceConfig
from fcrn_depth_ros.ros.node_settings import NODE_SETTINGS, OutputSettings
from fcrn_depth_ros.settings import describe_settings
import pytest


@pytest.mark.parametrize('node', NODE_SETTINGS)
def test_a_name_occurs_once_in_a_node(node: str) -> None:
    names = Counter(
        name for config_class in NODE_SETTINGS[node] for name in describe_settings(config_class)
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize('node', NODE_SETTINGS)
def test_the_defaults_agree(node: str) -> None:
    required = {FrameSourceConfig: {'camera': 0}}  # has no default on purpose
    for config_class in NODE_SETTINGS[node]:
        config_class(**required.get(config_class, {})).checked()


@pytest.mark.parametrize(('first_m', 'agrees'), [(5.0, False), (4.999, True)])
def test_the_colours_need_a_range(first_m: float, agrees: bool) -> None:
    reason = OutputSettings(color_min_m=first_m).contradiction()
    assert reason == '' if agrees else reason.startswith('color_min_m must be below color_max_m')
