# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
What a training goes on from: one file, or a few small ones that travel between machines.

The file holds every number as it is. The parts hold the network in 32 bits where it fits into
`MOST_BYTES`, else in 16, and what is beside it (its average, the moments of the optimiser) in 16.
"""

from __future__ import annotations

from collections.abc import Mapping
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

PART_BYTES = 16 * 2**20 - 2**16
MOST_BYTES = 60 * 2**20
MANIFEST = 'checkpoint.json'

State = dict[str, Any]


class CheckpointError(ValueError):
    """Parts of a checkpoint are missing or damaged."""


def save_file(state: State, path: Path) -> None:
    """Write a checkpoint; one that is there is replaced when the new one is complete."""
    partial = path.with_suffix('.partial')
    torch.save(state, partial)
    partial.replace(path)


def save_parts(state: State, folder: Path, part_bytes: int = PART_BYTES) -> list[Path]:
    """
    Write a checkpoint as parts of limited size.

    Parameters
    ----------
    state : dict
        `network`, `average` (state dicts of one network), `optimiser` and `step`.
    folder : Path
        Receives checkpoint.0, .1 and so on, and a manifest with their SHA-256.
    part_bytes : int
        Largest size of a part.

    Returns
    -------
    list of Path
        What was written.

    """
    content = _serialise(shrink(state, torch.float32))
    if len(content) > MOST_BYTES:
        content = _serialise(shrink(state, torch.float16))
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob('checkpoint.[0-9]*'):
        old.unlink()
    paths, digests = [], []
    for number, start in enumerate(range(0, len(content), part_bytes)):
        part = content[start : start + part_bytes]
        path = folder / f'checkpoint.{number}'
        path.write_bytes(part)
        paths.append(path)
        digests.append(hashlib.sha256(part).hexdigest())
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps({'step': state['step'], 'sha256': digests}, indent=1) + '\n')
    return [*paths, manifest]


def load_parts(folder: Path) -> State:
    """
    Return the checkpoint whose parts lie in a folder, every number in 32 bits again.

    Raises
    ------
    CheckpointError
        A part is missing or damaged.

    """
    manifest = json.loads((folder / MANIFEST).read_text())
    content = b''
    for number, digest in enumerate(manifest['sha256']):
        path = folder / f'checkpoint.{number}'
        part = path.read_bytes() if path.exists() else b''
        if hashlib.sha256(part).hexdigest() != digest:
            raise CheckpointError(
                f'{path} must be the part that {MANIFEST} lists, got '
                f'{"another" if part else "none"}; copy it again'
            )
        content += part
    return restore(torch.load(io.BytesIO(content), map_location='cpu', weights_only=True))


def find(folder: Path) -> State | None:
    """Return the checkpoint of a run's folder, the newer of file and parts; None without one."""
    file = folder / 'checkpoint.pt'
    found: list[State] = []
    if file.exists():
        found.append(torch.load(file, map_location='cpu', weights_only=True))
    if (folder / MANIFEST).exists():
        found.append(load_parts(folder))
    found = [state for state in found if 'optimiser' in state]
    return max(found, key=lambda state: int(state['step']), default=None)


def shrink(state: Mapping[str, Any], kind: torch.dtype) -> State:
    """Return a checkpoint with the network in `kind` and what goes with it in 16 bits."""
    network = {name: _to(value, kind) for name, value in state['network'].items()}
    # The average lies near the network: their difference needs few digits.
    average = {
        name: _to(value - _to(network[name], torch.float32), torch.bfloat16)
        if value.is_floating_point()
        else value
        for name, value in state['average'].items()
    }
    optimiser = {
        'param_groups': state['optimiser']['param_groups'],
        'state': {
            number: {
                key: _to(value, torch.bfloat16) if key.startswith('exp_avg') else value
                for key, value in moments.items()
            }
            for number, moments in state['optimiser']['state'].items()
        },
    }
    return {'step': state['step'], 'network': network, 'average': average, 'optimiser': optimiser}


def restore(state: Mapping[str, Any]) -> State:
    """Return what `shrink` made small in 32 bits."""
    network = {name: _to(value, torch.float32) for name, value in state['network'].items()}
    average = {
        name: network[name] + _to(value, torch.float32) if value.is_floating_point() else value
        for name, value in state['average'].items()
    }
    optimiser = {
        'param_groups': state['optimiser']['param_groups'],
        'state': {
            number: {key: _to(value, torch.float32) for key, value in moments.items()}
            for number, moments in state['optimiser']['state'].items()
        },
    }
    return {'step': state['step'], 'network': network, 'average': average, 'optimiser': optimiser}


def _to(value: Tensor, kind: torch.dtype) -> Tensor:
    return value.to('cpu', kind) if value.is_floating_point() else value.cpu()


def _serialise(state: State) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()
