"""depth_node and alert_node in one process, for machines without `ros2 launch`."""

from __future__ import annotations

import sys

from .alert_node import AlertNode
from .depth_node import DepthNode
from .process import run_nodes
from .transport import tune_fast_dds


def main(args: list[str] | None = None) -> int:
    """Run both nodes until a signal; parameters of each are given as `-p node:name:=value`."""
    tune_fast_dds()
    # The alert is made first: it says STOP while the network is still loading.
    return run_nodes([AlertNode, DepthNode], args)


if __name__ == '__main__':
    sys.exit(main())
