# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""config/twist_mux.yaml against the rules of twist_mux: who drives while the lock holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fcrn_depth_ros.ros.node_settings import AlertNodeSettings
import pytest
import yaml

FILE = Path(__file__).resolve().parents[1] / 'config' / 'twist_mux.yaml'
PARAMETERS: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding='utf-8'))['twist_mux'][
    'ros__parameters'
]
LOCK = PARAMETERS['locks']['proximity']


def passed_on(publishing: set[str], lock_holds: bool) -> str:
    """Return whose commands go out; twist_mux masks what is strictly below a lock that holds."""
    lowest = LOCK['priority'] if lock_holds else 0
    priorities = {
        name: PARAMETERS['topics'][name]['priority']
        for name in publishing
        if PARAMETERS['topics'][name]['priority'] >= lowest
    }
    return max(priorities, key=lambda name: priorities[name], default='nobody')


@pytest.mark.parametrize(
    ('publishing', 'free', 'locked'),
    [
        ({'alert'}, 'alert', 'alert'),
        ({'keyboard'}, 'keyboard', 'nobody'),
        ({'alert', 'keyboard'}, 'alert', 'alert'),
        ({'alert', 'keyboard', 'joystick'}, 'joystick', 'joystick'),
    ],
)
def test_the_zero_of_alert_node_reaches_the_robot(publishing, free, locked):
    assert passed_on(publishing, lock_holds=False) == free
    assert passed_on(publishing, lock_holds=True) == locked


def test_the_type_is_stated():
    """twist_mux 4.4 throws without it, and later versions change its default."""
    assert isinstance(PARAMETERS['use_stamped'], bool)


def test_the_lock_forgives_two_late_heartbeats_and_ends_before_the_commands_do():
    period_s = 1 / AlertNodeSettings().heartbeat_rate_hz
    assert 3 * period_s < LOCK['timeout'] < PARAMETERS['topics']['alert']['timeout']


def test_every_entry_is_complete():
    for entry in [*PARAMETERS['topics'].values(), LOCK]:
        assert entry.keys() == {'topic', 'timeout', 'priority'}
        assert 0 < entry['priority'] <= 255
