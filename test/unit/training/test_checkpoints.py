# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from training import checkpoints


def state(step: int = 7, size: int = 40) -> checkpoints.State:
    """Return a checkpoint of a network of two layers, after a few steps."""
    torch.manual_seed(step)
    network = torch.nn.Sequential(torch.nn.Linear(size, size), torch.nn.BatchNorm1d(size))
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(3):
        network(torch.randn(8, size)).square().mean().backward()
        optimiser.step()
    return {'network': network.state_dict(), 'average': average.state_dict(),
            'optimiser': optimiser.state_dict(), 'step': step}  # fmt: skip


def numbers(value: object) -> list[torch.Tensor]:
    """Return all tensors of a nested state, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [number for each in value.values() for number in numbers(each)]
    return []


def test_a_file_holds_every_number_as_it_is(tmp_path: Path) -> None:
    saved = state()
    checkpoints.save_file(saved, tmp_path / 'checkpoint.pt')
    found = checkpoints.find(tmp_path)
    for ours, theirs in zip(numbers(found), numbers(saved), strict=True):
        assert torch.equal(ours, theirs)
    assert [path.name for path in tmp_path.iterdir()] == ['checkpoint.pt']


def test_parts_are_small_and_hold_the_network_as_it_is(tmp_path: Path) -> None:
    saved = state()
    paths = checkpoints.save_parts(saved, tmp_path, part_bytes=4000)
    assert len(paths) > 4 and all(path.stat().st_size <= 4000 for path in paths)
    found = checkpoints.load_parts(tmp_path)
    for ours, theirs in zip(numbers(found['network']), numbers(saved['network']), strict=True):
        assert torch.equal(ours, theirs)
    for ours, theirs in zip(numbers(found), numbers(saved), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.01, atol=3e-4)
        assert ours.dtype == theirs.dtype
    assert found['optimiser']['param_groups'] == saved['optimiser']['param_groups']


def test_what_was_read_from_parts_is_written_as_the_same_parts(tmp_path: Path) -> None:
    checkpoints.save_parts(state(), tmp_path / 'a')
    checkpoints.save_parts(checkpoints.load_parts(tmp_path / 'a'), tmp_path / 'b')
    again = checkpoints.load_parts(tmp_path / 'b')
    for ours, theirs in zip(
        numbers(checkpoints.load_parts(tmp_path / 'a')), numbers(again), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_a_network_that_is_too_large_is_stored_in_16_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, 'MOST_BYTES', 1)
    saved = state()
    checkpoints.save_parts(saved, tmp_path)
    found = checkpoints.load_parts(tmp_path)
    ours, theirs = (numbers(each['network'])[0] for each in (found, saved))
    assert not torch.equal(ours, theirs)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)


def test_a_part_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    paths = checkpoints.save_parts(state(), tmp_path, part_bytes=4000)
    content = bytearray(paths[1].read_bytes())
    content[100] ^= 1
    paths[1].write_bytes(content)
    with pytest.raises(checkpoints.CheckpointError, match=r'checkpoint.1 must be .* got another'):
        checkpoints.find(tmp_path)
    paths[1].unlink()
    with pytest.raises(checkpoints.CheckpointError, match=r'checkpoint.1 must be .* got none'):
        checkpoints.load_parts(tmp_path)


def test_fewer_parts_replace_more(tmp_path: Path) -> None:
    checkpoints.save_parts(state(), tmp_path, part_bytes=2000)
    many = len(list(tmp_path.iterdir()))
    checkpoints.save_parts(state(8), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2 < many
    assert checkpoints.load_parts(tmp_path)['step'] == 8


def step_found(folder: Path) -> int:
    found = checkpoints.find(folder)
    assert found is not None
    return int(found['step'])


def test_the_newer_of_file_and_parts_is_found(tmp_path: Path) -> None:
    assert checkpoints.find(tmp_path) is None
    torch.save({'average': {}}, tmp_path / 'checkpoint.pt')  # of training.average: weights only
    assert checkpoints.find(tmp_path) is None
    checkpoints.save_parts(state(5), tmp_path)
    checkpoints.save_file(state(4), tmp_path / 'checkpoint.pt')
    assert step_found(tmp_path) == 5
    checkpoints.save_file(state(6), tmp_path / 'checkpoint.pt')
    assert step_found(tmp_path) == 6
