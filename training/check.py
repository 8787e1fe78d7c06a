"""
Check the mean of the outputs of several runs, without exporting it.

    python -m training.check RUN... --data RGBD_FOLDER

prints what `training.train` writes into log.csv: the errors of whole frames on each set of
`checks` in the configuration of the first run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .checking import check_all
from .export import load_trained
from .network import MeanOfNetworks
from .train import load_entries


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Errors of the mean of several runs.')
    parser.add_argument('runs', type=Path, nargs='+', metavar='RUN')
    parser.add_argument('--data', type=Path, action='append', required=True, help='as of train')
    arguments = parser.parse_args()
    trained = [load_trained(run) for run in arguments.runs]
    config = trained[0][1]
    checks = load_entries(config['checks'], arguments.data)
    mean = MeanOfNetworks([network for network, _ in trained]).eval()
    for name, value in check_all(mean, checks, config).items():
        print(name, value)


if __name__ == '__main__':
    main()
