# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Check one run, or the mean of several, without exporting it.

    python -m training.check RUN... --validation val.pack [--weights N...]

prints for each set of the pack, without and with the mounting, each figure with the interval in
which 95 % of the bootstrap's draws of scenes lie: differences inside it are no results.
RUN@288x224 shows a network pictures of that size, as in `training.export`. `--json` writes all. A
RUN that ends in .onnx is a file of `training.export`, float or INT8.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
import json
from pathlib import Path
from typing import Any

from fcrn_depth_ros.estimation.model_card import ModelCard
import numpy as np
import onnxruntime
import torch
from torch import nn, Tensor

from .bootstrap import Figure
from .checking import check_all
from .network import Prediction
from .pack import read_pack
from .runs import add_runs, load_mean

SHOWN = ('AbsRel', 'd1', 'shape', 'recall1m', 'precision1m', 'too_far', 'too_near')
FLOOR_SHOWN = ('found_floor', 'lost_floor', 'missed_floor', 'found_depth', 'lost_depth',
               'missed_depth')  # fmt: skip


class OnnxNetwork(nn.Module):
    """An exported file, which answers as the network that it was made of."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=['CPUExecutionProvider']
        )
        metadata = self._session.get_modelmeta().custom_metadata_map
        self._card = ModelCard.from_metadata(metadata)
        self._metadata = metadata
        self.config = {
            'input_width': self._card.input_width,
            'input_height': self._card.input_height,
            'training_fx_px': self._card.network_fx_px,
        }

    def forward(self, image: Tensor, inverse_floor: Tensor) -> Prediction:
        """Return what `FcrnLite.forward` does."""
        optional = [self._metadata.get(f'{key}_output') for key in ('confidence', 'floor')]
        names = [self._card.output_name, *(name for name in optional if name)]
        rows = [
            self._session.run(
                names,
                {
                    self._card.input_name: np.ascontiguousarray(one[None].numpy()),
                    self._card.mounting_input: np.ascontiguousarray(floor[None].numpy()),
                },
            )
            for one, floor in zip(image, inverse_floor, strict=True)
        ]
        columns = zip(*rows, strict=True)
        answers = dict(zip(names, (torch.from_numpy(np.concatenate(c)) for c in columns),
                           strict=True))  # fmt: skip
        confidence, floor = (answers[name] if name else None for name in optional)
        return Prediction(
            answers[self._card.output_name],
            None if confidence is None else (-confidence.clamp(1e-6, 1 - 1e-6).log()).log(),
            None if floor is None else floor.clamp(1e-6, 1 - 1e-6).logit(),
        )


def load(
    runs: Sequence[str], weights: Sequence[float] | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the network of runs, or of one exported file, and the configuration of its input."""
    if len(runs) == 1 and runs[0].endswith('.onnx'):
        network = OnnxNetwork(Path(runs[0]))
        return network, network.config
    return load_mean(runs, weights)


def table(results: Mapping[str, Mapping[str, Figure]], names: tuple[str, ...]) -> str:
    """Return some figures of every set as a table."""
    lines = ['| set | ' + ' | '.join(names) + ' |', '|---' * (len(names) + 1) + '|']
    for name, figures in results.items():
        if any(key in figures for key in names):
            cells = [str(figures[key]) if key in figures else '-' for key in names]
            lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description='Errors of the mean of several runs.')
    add_runs(parser)
    parser.add_argument('--validation', type=Path, required=True, help='pack')
    parser.add_argument('--json', type=Path, help='write every figure here')
    arguments = parser.parse_args()
    try:
        network, config = load(arguments.runs, arguments.weights)
        results = check_all(network, read_pack(arguments.validation), config)
    except ValueError as error:
        parser.error(str(error))
    print(table(results, SHOWN), table(results, FLOOR_SHOWN), sep='\n\n')
    if arguments.json:
        content = {name: {key: asdict(figure) for key, figure in figures.items()}
                   for name, figures in results.items()}  # fmt: skip
        arguments.json.write_text(json.dumps(content, indent=1) + '\n')


if __name__ == '__main__':
    main()
