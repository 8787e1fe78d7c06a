# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
from tiny_runs import write_run
import torch
from training.augment import Batch
from training.average import log_depth_offset, main, mean_weights, measure_statistics
from training.network import FcrnLite
from training.runs import load_trained
from training.train import normalise


def test_mean_of_snapshots_and_checkpoints(tmp_path):
    count = torch.tensor(3)
    first = {'weight': torch.tensor([1.0, 4.0]), 'count': count}
    second = {'weight': torch.tensor([3.0, 0.0]), 'count': count}
    torch.save(first, tmp_path / 'average_000008.pt')
    torch.save({'average': second, 'network': {}, 'epoch': 9}, tmp_path / 'checkpoint.pt')
    mean = mean_weights([tmp_path / 'average_000008.pt', tmp_path / 'checkpoint.pt'])
    assert torch.equal(mean['weight'], torch.tensor([2.0, 2.0]))
    assert torch.equal(mean['count'], count)


def test_without_data_the_statistics_are_averaged_too(tmp_path, monkeypatch):
    config = {'encoder': 'lite0', 'drop_path': 0.0, 'dropout': 0.0, 'input_width': 96,
              'input_height': 64, 'training_fx_px': 80.0}  # fmt: skip
    files = []
    for name, mean in (('a', 1.0), ('b', 2.0)):
        network = FcrnLite(64, 96, 80.0)
        network.encoder.stem[1].running_mean.fill_(mean)
        files.append(f'{write_run(tmp_path / name, config, network)}/checkpoint.pt')
    monkeypatch.setattr('sys.argv', ['average', *files, '--out', str(tmp_path / 'mean')])
    main()
    network, found = load_trained(str(tmp_path / 'mean'))
    assert found == config
    assert network.encoder.stem[1].running_mean.unique().tolist() == [1.5]


def test_statistics_are_those_of_the_batches():
    torch.manual_seed(0)
    network = FcrnLite(64, 96, 80.0, dropout=0.0)
    floor, nothing = torch.zeros(4, 1, 64, 96), torch.zeros(4, 1, 32, 48)
    images = [255 * torch.rand(4, 3, 64, 96) for _ in range(3)]
    batches = [Batch(image, floor, nothing, nothing, image, floor) for image in images]
    frozen = network.encoder.stem[1].running_mean.clone()
    measure_statistics(network, batches, 3, frozen_blocks=1)
    assert not network.training
    assert torch.equal(network.encoder.stem[1].running_mean, frozen)
    seen = []
    network.encoder.blocks[1].layers[0].register_forward_hook(
        lambda _, __, output: seen.append(output.mean((0, 2, 3)))
    )
    with torch.no_grad():
        for image in images:
            network(normalise(image), floor)
    expected = torch.stack(seen).mean(0)
    measured = network.encoder.blocks[1].layers[1].running_mean
    np.testing.assert_allclose(measured, expected, atol=1e-5)


@torch.no_grad()
def test_the_bias_of_the_mean_is_what_its_members_say():
    torch.manual_seed(0)
    network, near, far = (FcrnLite(64, 96, 80.0, dropout=0.0).eval() for _ in range(3))
    for member, offset in ((near, -0.1), (far, 0.3)):
        member.load_state_dict(network.state_dict())
        member.shift_log_depth(offset)
    floor, nothing = torch.zeros(4, 1, 64, 96), torch.zeros(4, 1, 32, 48)
    images = [255 * torch.rand(4, 3, 64, 96) for _ in range(2)]
    batches = [Batch(image, floor, nothing, nothing, image, floor) for image in images]
    offset = log_depth_offset(network, [near, far], batches, 2)
    np.testing.assert_allclose(offset, 0.1, atol=1e-5)
    before = network(normalise(images[0]), floor)
    network.shift_log_depth(offset)
    after = network(normalise(images[0]), floor)
    np.testing.assert_allclose(after.log_depth, before.log_depth + 0.1, atol=1e-5)
