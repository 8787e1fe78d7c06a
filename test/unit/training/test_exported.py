# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
import torch
from training.export import make_card, write_float
from training.exported import load_exported, main
from training.network import FcrnLite, IMAGE_MEAN, IMAGE_SCALE, MeanOfNetworks

CONFIG = {'input_height': 64, 'input_width': 96, 'training_fx_px': 80.0}


@pytest.fixture
def batches():
    rng = np.random.default_rng(0)
    floor = np.linspace(-1, 1, 64, dtype=np.float32).clip(0).reshape(1, 1, 64, 1)
    return [
        (
            rng.uniform(0, 255, (4, 3, 64, 96)).astype(np.float32),
            np.broadcast_to(floor, (4, 1, 64, 96)).copy(),
        )
        for _ in range(3)
    ]


def inputs(batches):
    image = torch.cat([torch.from_numpy(image) for image, _ in batches])
    return (image - IMAGE_MEAN) * IMAGE_SCALE, torch.cat([torch.from_numpy(f) for _, f in batches])


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
    expected = network(*x)
    assert not restored.training
    assert expected.std() > 1e-3  # not the same everywhere, or nothing is compared
    np.testing.assert_allclose(restored(*x), expected, atol=0.01)
    # With the statistics of these very pictures, training starts where the file ended.
    np.testing.assert_allclose(restored.train()(*x), expected, atol=0.02)


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
    np.testing.assert_allclose(restored(*x), network(*x), atol=0.01)
    with pytest.raises(ValueError, match='got none; choose the member'):
        load_exported(restored, path, batches, member=2)


def test_a_wrong_encoder_ends_the_command_with_one_line(exported, tmp_path, monkeypatch, capsys):
    _, path = exported
    (tmp_path / 'none.yaml').write_text('sources: []')
    monkeypatch.setattr('training.exported.weighted_frames', lambda *_: ((), ()))
    command = f'exported {path} --encoder lite2 --config {tmp_path}/none.yaml --data {tmp_path}'
    monkeypatch.setattr('sys.argv', [*command.split(), '--out', str(tmp_path / 'run')])
    with pytest.raises(SystemExit, match='2'):
        main()
    assert 'choose the member, and the encoder that' in capsys.readouterr().err
    assert not (tmp_path / 'run').exists()
