# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Check the mean of the depths of several runs, without exporting it.

    python -m training.check RUN... --data RGBD_FOLDER [--weights N...]

prints what `training.train` writes into log.csv: the errors of whole frames on each set of
`checks` in the configuration of the run with the largest pictures. RUN@288x224 shows a network
pictures of that size, as in `training.export`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .checking import check_all
from .export import add_runs, load_mean
from .train import load_entries


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Errors of the mean of several runs.')
    add_runs(parser)
    parser.add_argument('--data', type=Path, action='append', required=True, help='as of train')
    arguments = parser.parse_args()
    try:
        network, config = load_mean(arguments.runs, arguments.weights)
    except ValueError as error:
        parser.error(str(error))
    checks = load_entries(config['checks'], arguments.data)
    for name, value in check_all(network, checks, config).items():
        print(name, value)


if __name__ == '__main__':
    main()
