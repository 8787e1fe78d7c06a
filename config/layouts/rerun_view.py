# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Open a recording of the page in Rerun, laid out: python rerun_view.py FILE.mcap [--robot /robot1].

Needs `pip install rerun-sdk`. With `--save OUT.rrd` nothing is shown, and both go into that file.
"""

from __future__ import annotations

import argparse
from pathlib import Path
import sys

import rerun as rr
import rerun.blueprint as rrb

# Topics of a robot, and of all robots, with the names of their views.
PICTURES = {
    'image': 'Camera',
    'depth/image_rect': 'Depth (m)',
    'depth/near': 'Counts as near (127: unknown)',
}
SERIES = {'proximity/range': 'Nearest distance (m)', 'proximity': 'Share that is near'}
LOGS = {'/diagnostics': 'Diagnostics'}


def layout(robot: str) -> rrb.Blueprint:
    """Arrange what the page records of a robot."""
    base = robot.rstrip('/')
    return rrb.Blueprint(
        rrb.Vertical(
            rrb.Horizontal(
                *(
                    rrb.Spatial2DView(origin=f'{base}/{topic}', name=name)
                    for topic, name in PICTURES.items()
                )
            ),
            rrb.Horizontal(
                *(
                    rrb.TimeSeriesView(origin=f'{base}/{topic}', name=name)
                    for topic, name in SERIES.items()
                ),
                *(rrb.TextLogView(origin=topic, name=name) for topic, name in LOGS.items()),
            ),
            row_shares=[3, 2],
        ),
        collapse_panels=True,
    )


def main() -> int:
    """Show, or save."""
    parser = argparse.ArgumentParser(description='Open a recording of the page in Rerun.')
    parser.add_argument('recording', type=Path, help='MCAP file')
    parser.add_argument('--robot', default='/', help='namespace (default: %(default)s)')
    parser.add_argument('--save', type=Path, metavar='OUT.rrd', help='write instead of showing')
    options = parser.parse_args()
    rr.init('fcrn_depth_ros')
    if options.save is None:
        rr.spawn(default_blueprint=layout(options.robot))
    else:
        rr.save(options.save, default_blueprint=layout(options.robot))
    rr.log_file_from_path(options.recording)
    return 0


if __name__ == '__main__':
    sys.exit(main())
