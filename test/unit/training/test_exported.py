# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
from packed_frames import floor_frame
import pytest
import torch
from training.augment import Batch
from training.export import make_card, write_float
from training.exported import (
    load_exported,
    main,
    read_tensors,
    shape_settings,
)
from training.network import FcrnLite, MeanOfNetworks
from training.pack import write_pack
from training.runs import build_network, read_config
from training.train import normalise

CONFIG = {'input_height': 64, 'input_width': 96, 'training_fx_px': 80.0}


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(0)
    floor = torch.linspace(-1, 1, 64).clamp(min=0).view(1, 1, 64, 1).expand(4, 1, 64, 96)
    images = [255 * torch.rand(4, 3, 64, 96, generator=generator) for _ in range(3)]
    nothing = torch.zeros(4, 1, 32, 48)
    return [Batch(image, floor, nothing, nothing, image, floor) for image in images]


def inputs(batches):
    image = torch.cat([batch.image for batch in batches])
    return normalise(image), torch.cat([batch.inverse_floor for batch in batches])


@pytest.fixture
def exported(tmp_path, batches):
    """Export a network whose statistics are those of other pictures."""
    torch.manual_seed(0)
    network = FcrnLite(64, 96, 80.0, dropout=0.0)
    with torch.no_grad():
        for branch in network.mounting:
            torch.nn.init.normal_(branch.output.weight, std=0.1)
        network.train()(torch.randn(4, 3, 64, 96), inputs(batches)[1][:4])
    write_float(network.eval(), CONFIG, tmp_path / 'model.onnx', make_card(CONFIG, ''))
    return network, tmp_path / 'model.onnx'


pytestmark = pytest.mark.filterwarnings('ignore::DeprecationWarning', 'ignore::UserWarning')


@torch.no_grad()
def test_it_answers_as_the_file_does_at_rest_and_in_training(exported, batches):
    network, path = exported
    torch.manual_seed(1)
    restored = FcrnLite(64, 96, 80.0, dropout=0.0)
    load_exported(restored, path, batches)
    x = inputs(batches)
    expected = network(*x).log_depth
    assert not restored.training
    assert expected.std() > 1e-3  # not the same everywhere, or nothing is compared
    np.testing.assert_allclose(restored(*x).log_depth, expected, atol=0.01)
    # With the statistics of these very pictures, training starts where the file ended.
    np.testing.assert_allclose(restored.train()(*x).log_depth, expected, atol=0.02)


def test_a_file_of_another_network_is_named(exported, batches):
    _, path = exported
    with pytest.raises(ValueError, match=r'blocks.*must be of shape .*, got .*encoder'):
        load_exported(FcrnLite(64, 96, 80.0, 'lite2'), path, batches)


@torch.no_grad()
def test_one_of_several_networks(exported, batches, tmp_path):
    network, _ = exported
    other = FcrnLite(64, 96, 80.0, 'lite1').eval()
    path = tmp_path / 'two.onnx'
    write_float(MeanOfNetworks([other, network]), CONFIG, path, make_card(CONFIG, ''))
    restored = FcrnLite(64, 96, 80.0, dropout=0.0)
    load_exported(restored, path, batches, member=1)
    x = inputs(batches)
    np.testing.assert_allclose(restored(*x).log_depth, network(*x).log_depth, atol=0.01)
    with pytest.raises(ValueError, match='got none; choose the member'):
        load_exported(restored, path, batches, member=2)


@torch.no_grad()
def test_the_shape_of_a_network_is_read_from_its_file(tmp_path, batches):
    config = read_config() | CONFIG | {
        'encoder': 'lite0', 'bottleneck': 24, 'widths': [16, 12, 8], 'branches': 1,
        'floor_widths': [12, 10, 8, 6], 'dropout': 0.0,
    }  # fmt: skip
    network = build_network(config)
    network.train()(*inputs(batches))
    path = tmp_path / 'model.onnx'
    write_float(network.eval(), config, path, make_card(config, ''))
    found = shape_settings(read_tensors(path, 0))
    assert found == {key: config[key] for key in found} and len(found) == 5
    restored = build_network(config)
    load_exported(restored, path, batches)
    for ours, theirs in zip(restored(*inputs(batches)), network(*inputs(batches)), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.02)


@pytest.fixture
def pack(tmp_path):
    write_pack(tmp_path / 'a.pack', [('nyuv2', [floor_frame()])])
    return tmp_path / 'a.pack'


def test_a_wrong_encoder_ends_the_command_with_one_line(
    exported, pack, tmp_path, monkeypatch, capsys
):
    _, path = exported
    command = f'exported {path} --encoder lite2 --pack {pack} --out {tmp_path / "run"}'
    monkeypatch.setattr('sys.argv', command.split())
    with pytest.raises(SystemExit, match='2'):
        main()
    assert 'choose the member, and the encoder that' in capsys.readouterr().err
    assert not (tmp_path / 'run').exists()
