# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from fcrn_depth_ros.estimation.stopwatch import Stage
from fcrn_depth_ros.report.run_record import DepthNodeAccount
from fcrn_depth_ros.ros.depth_account import depth_node_account
from fcrn_depth_ros.ros.depth_status import DepthStatus
from fcrn_depth_ros.ros.diagnostic_keys import DEPTH_ESTIMATION, status_name
from fcrn_depth_ros.ros.diagnostics import diagnostic_array, Level
import pytest


def published(status: DepthStatus) -> DiagnosticStatus:
    return diagnostic_array(
        Time(), 'depth_node', 'camera', Level.OK, 'a sentence', status.as_values()
    ).status[0]


def test_the_account_is_what_depth_node_counted() -> None:
    status = DepthStatus(
        frames_received=40,
        frames_processed=11,
        frames_superseded=2,
        frames_rejected=3,
        frames_ignored=5,
        frames_lost=7,
        stages_ms={Stage.INFERENCE: (8.5, 12.25)},
        model='fcrn_lite 1.0',
        provider='CPU',
    )
    account = depth_node_account(published(status))
    assert list(account.drops.values()) == [2, 3, 5, 7]
    assert sum(account.drops.values()) == status.frames_dropped
    assert (account.inference_p50_ms, account.inference_p95_ms) == (8.5, 12.25)
    assert (account.model, account.provider) == ('fcrn_lite 1.0', 'CPU')


def test_what_is_not_measured_yet_is_nan() -> None:
    assert math.isnan(depth_node_account(published(DepthStatus())).inference_p50_ms)


def test_an_empty_status_is_an_empty_account() -> None:
    account = depth_node_account(DiagnosticStatus())
    assert sum(account.drops.values()) == 0
    assert account.model is None is DepthNodeAccount().model


@pytest.mark.parametrize(
    ('node', 'expected'),
    [
        ('/depth_node', 'depth_node: depth estimation'),
        ('/robot1/depth_node', 'robot1/depth_node: depth estimation'),
    ],
)
def test_a_status_is_named_after_its_node_with_the_namespace(node: str, expected: str) -> None:
    assert status_name(node, DEPTH_ESTIMATION) == expected
