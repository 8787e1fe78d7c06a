# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Names in /diagnostics that one program of this package writes and another one reads.

Everything else in /diagnostics is for people and may change its wording.
"""

from __future__ import annotations

from ..estimation.stopwatch import Stage

# What a status is about.
DEPTH_ESTIMATION = 'depth estimation'
ALERT = 'alert'

# Keys of depth_node's status. The first four reasons add up to FRAMES_DROPPED.
FRAMES_SUPERSEDED = 'frames superseded'
FRAMES_REJECTED = 'frames rejected'
FRAMES_IGNORED = 'frames ignored (nobody listens)'
FRAMES_LOST = 'frames lost (transport)'
FRAMES_DROPPED = 'frames dropped'
FRAMES_RECEIVED = 'frames received'
FRAMES_PROCESSED = 'frames processed'
MODEL = 'model'
PROVIDER = 'provider'


def stage_keys(stage: Stage) -> tuple[str, str]:
    """Return the keys of the percentiles 50 and 95 of a stage's time."""
    return f'{stage.value} p50 (ms)', f'{stage.value} p95 (ms)'


def status_name(qualified_node_name: str, subject: str) -> str:
    """
    Name a status after the node that publishes it, so that two robots do not share a name.

    Parameters
    ----------
    qualified_node_name : str
        Node name with its namespace, for example `/robot1/depth_node`.
    subject : str
        What the status is about.

    Returns
    -------
    str
        For example `robot1/depth_node: depth estimation`.

    """
    return f'{qualified_node_name.removeprefix("/")}: {subject}'
