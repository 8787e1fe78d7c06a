# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from benchmark.rest import as_text, Exit, Found
import pytest

PEAK_MB = {'depth_node': 200.0, 'alert_node': 100.0}


@pytest.mark.parametrize(
    ('depth', 'exits', 'held'),
    [
        (0.99, [], True),
        (1.0, [], False),
        (0.5, [Exit('depth_node', 0.99, 0), Exit('alert_node', 0.2, 0)], True),
        (0.5, [Exit('depth_node', 1.0, 0)], False),
        (0.5, [Exit('depth_node', 0.1, -15)], False),
    ],
)
def test_idleness_of_both_and_every_exit_must_hold(
    depth: float, exits: list[Exit], held: bool
) -> None:
    found = Found({'depth_node': depth, 'alert_node': 1.0}, PEAK_MB, exits)
    assert found.held is held


def test_the_text_names_the_slowest() -> None:
    exits = [Exit('depth_node', 0.31, 0), Exit('alert_node', 0.2, 1)]
    text = as_text(Found({'depth_node': 0.25, 'alert_node': 1.0}, PEAK_MB, exits))
    assert 'both: 1.25 %' in text
    assert '1 of 2 ended with status 0 within 1 s; the slowest, depth_node, took 0.31 s' in text
