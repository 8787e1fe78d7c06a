# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""depth_node that also keeps how long inference took for each frame, and writes it at the end."""

from __future__ import annotations

import json
from pathlib import Path
import sys
from typing import Any

from fcrn_depth_ros.estimation.stopwatch import Stage, Stopwatch
from fcrn_depth_ros.nodes.depth_node import DepthNode, run
from fcrn_depth_ros.perception.observation import CameraFrame
from fcrn_depth_ros.ros.camera_frames import ArrivedImage
from fcrn_depth_ros.ros.parameters import Snapshot
from fcrn_depth_ros.ros.stamps import nanoseconds


class RecordedNode(DepthNode):
    """Keeps the stopwatch of each frame; its file is the first argument of the process."""

    def __init__(self, **kwargs: Any) -> None:
        self._stopwatches: list[tuple[int, Stopwatch]] = []
        super().__init__(**kwargs)

    def _read(self, arrived: ArrivedImage, settings: Snapshot) -> CameraFrame:
        stamp_ns = nanoseconds(arrived.message.header.stamp)
        self._stopwatches.append((stamp_ns, arrived.stopwatch))
        return super()._read(arrived, settings)

    def shut_down(self) -> None:
        """Stop the worker and write the times."""
        super().shut_down()
        inference_s = [
            (stamp_ns, stopwatch.times_s[Stage.INFERENCE])
            for stamp_ns, stopwatch in self._stopwatches
            if Stage.INFERENCE in stopwatch.times_s
        ]
        Path(sys.argv[1]).write_text(json.dumps(inference_s), encoding='utf-8')


if __name__ == '__main__':
    sys.exit(run(RecordedNode))
