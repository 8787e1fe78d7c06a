# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""depth_node's account of itself, read back from its status in /diagnostics."""

from __future__ import annotations

import math

from diagnostic_msgs.msg import DiagnosticStatus

from . import diagnostic_keys as keys
from ..estimation.stopwatch import Stage
from ..report.run_record import DepthNodeAccount

_DROPS = {
    keys.FRAMES_SUPERSEDED: 'superseded',
    keys.FRAMES_REJECTED: 'rejected',
    keys.FRAMES_IGNORED: 'ignored (nobody listens)',
    keys.FRAMES_LOST: 'lost (transport)',
}


def depth_node_account(status: DiagnosticStatus) -> DepthNodeAccount:
    """
    Read the counts and times of depth_node.

    Parameters
    ----------
    status : diagnostic_msgs.msg.DiagnosticStatus
        The one named after depth_node and `DEPTH_ESTIMATION`.

    Returns
    -------
    DepthNodeAccount
        A value that is missing is 0, NaN or None.

    """
    values = {pair.key: pair.value for pair in status.values}
    p50_ms, p95_ms = (float(values.get(key, math.nan)) for key in keys.stage_keys(Stage.INFERENCE))
    return DepthNodeAccount(
        drops={reason: int(values.get(key, 0)) for key, reason in _DROPS.items()},
        inference_p50_ms=p50_ms,
        inference_p95_ms=p95_ms,
        model=values.get(keys.MODEL),
        provider=values.get(keys.PROVIDER),
    )
