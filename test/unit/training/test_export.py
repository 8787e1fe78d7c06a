# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from fcrn_depth_ros.estimation.onnx_model import load_onnx_model, SessionConfig
from fcrn_depth_ros.tools.measure.quantization import float_nodes
import numpy as np
import onnx
import pytest
from tiny_runs import write_run
import torch
from training.export import describe_size, make_card, Outputs, write_float
from training.network import FcrnLite, MeanOfNetworks, resize
from training.runs import load_mean, load_trained

CONFIG = {'input_height': 64, 'input_width': 96, 'training_fx_px': 80.0}
TRAINED = CONFIG | {'encoder': 'lite0', 'drop_path': 0.0, 'dropout': 0.0}


@pytest.mark.filterwarnings('ignore::DeprecationWarning', 'ignore::UserWarning')
@torch.no_grad()
def test_exported_file_answers_as_the_network_does(tmp_path):
    torch.manual_seed(0)
    network = FcrnLite(64, 96, 80.0)
    image = torch.randn(4, 3, 64, 96)
    floor = torch.linspace(-1, 1, 64).clamp(min=0).view(1, 1, 64, 1).expand(4, 1, 64, 96)
    network.train()(image, floor)  # statistics that folding must carry over
    network.eval()
    path = tmp_path / 'model.onnx'
    write_float(network, CONFIG, path, make_card(CONFIG, ''))
    model = load_onnx_model(path, SessionConfig())
    answer = model.run(image[:1].numpy(), floor[0, 0].numpy()).depth
    expected = network(image[:1], floor[:1]).log_depth[0, 0]
    np.testing.assert_allclose(answer, expected, atol=0.02)
    assert path.stat().st_size < 2.2 * sum(p.numel() for p in network.parameters())


@pytest.mark.filterwarnings('ignore::DeprecationWarning', 'ignore::UserWarning')
@torch.no_grad()
def test_networks_in_one_file_answer_with_their_mean(tmp_path):
    torch.manual_seed(0)
    members = [FcrnLite(64, 96, 80.0), FcrnLite(64, 96, 80.0, 'lite1')]
    image, floor = torch.randn(4, 3, 64, 96), torch.zeros(4, 1, 64, 96)
    for member in members:
        member.train()(image, floor)
        member.eval()
    path = tmp_path / 'model.onnx'
    write_float(MeanOfNetworks(members), CONFIG, path, make_card(CONFIG, ''))
    answer = load_onnx_model(path, SessionConfig()).run(image[:1].numpy()).depth
    one, other = (member(image[:1], floor[:1]).log_depth[0, 0] for member in members)
    assert (one - other).abs().max() > 0.01
    np.testing.assert_allclose(answer, ((one.exp() + other.exp()) / 2).log(), atol=0.02)
    # Both heads stay float in the INT8 copy, and no other convolution of the picture does.
    graph = onnx.load(str(path)).graph
    kept = float_nodes(graph, 'image')
    weights = [
        node.input[1]
        for node in graph.node
        if node.op_type == 'Conv' and node.name in kept and '.mounting.' not in node.input[1]
    ]
    assert weights == ['network.members.0.head.weight', 'network.members.1.head.weight']


@torch.no_grad()
def test_a_run_can_be_shown_larger_pictures_of_the_same_view(tmp_path):
    torch.manual_seed(0)
    run = write_run(tmp_path / 'run', TRAINED, FcrnLite(64, 96, 80.0))
    network, config = load_trained(f'{run}@192x96')
    assert network.input_size == (96, 192)
    assert (config['input_width'], config['input_height']) == (192, 96)
    assert config['training_fx_px'] == 160  # the same field of view
    assert (config['zoom_x'], config['zoom_y']) == (2.0, 1.5)
    plain = FcrnLite(96, 192, 80.0).eval()
    plain.load_state_dict(network.state_dict())
    image, floor = torch.randn(1, 3, 96, 192), torch.zeros(1, 1, 96, 192)
    np.testing.assert_allclose(
        network(image, floor).log_depth,
        plain(image, floor).log_depth + np.log(3**0.5),
        atol=1e-4,
    )


def test_larger_pictures_than_those_of_the_second_part_keep_its_zoom(tmp_path):
    second = TRAINED | {'zoom_x': 1.5, 'zoom_y': 1.25}
    run = write_run(tmp_path / 'run', second, FcrnLite(64, 96, 80.0))
    network, config = load_trained(f'{run}@192x96')
    assert (config['zoom_x'], config['zoom_y']) == (2.0 * 1.5, 1.5 * 1.25)
    assert network.zoom == pytest.approx((3.0 * 1.875) ** 0.5)


@torch.no_grad()
def test_networks_of_different_sizes_see_one_picture_and_answer_at_its_half(tmp_path):
    torch.manual_seed(0)
    runs = [
        write_run(tmp_path / name, TRAINED, FcrnLite(64, 96, 80.0)) for name in ('small', 'large')
    ]
    network, config = load_mean([runs[0], f'{runs[1]}@192x128'])
    assert (config['input_width'], config['input_height']) == (192, 128)
    picture = torch.nn.functional.interpolate(torch.randn(1, 3, 4, 6), (128, 192), mode='bilinear')
    floor = torch.linspace(-1, 1, 128).clamp(min=0).view(1, 1, 128, 1).expand(1, 1, 128, 192)
    small, large = (load_trained(run)[0] for run in (runs[0], f'{runs[1]}@192x128'))
    answer = small(resize(picture, (64, 96)), resize(floor, (64, 96))).log_depth.exp()
    expected = (resize(answer, (64, 96)) + large(picture, floor).log_depth.exp()) / 2
    np.testing.assert_allclose(network(picture, floor).log_depth, expected.log(), atol=1e-4)


@torch.no_grad()
def test_a_network_that_is_trusted_twice_as_much_counts_twice(tmp_path):
    torch.manual_seed(0)
    networks = [FcrnLite(64, 96, 80.0).eval() for _ in range(2)]
    runs = [write_run(tmp_path / f'{i}', TRAINED, each) for i, each in enumerate(networks)]
    picture, floor = torch.randn(1, 3, 64, 96), torch.rand(1, 1, 64, 96)
    first, second = (network(picture, floor).log_depth.exp() for network in networks)
    for weights, expected in (([2, 1], (2 * first + second) / 3), (None, (first + second) / 2)):
        network, _ = load_mean(runs, weights)
        np.testing.assert_allclose(network(picture, floor).log_depth, expected.log(), atol=1e-4)


@pytest.mark.parametrize('weights', [[1], [1, 2, 3], [1, 0], [1, -1], [1, np.nan], [1, np.inf]])
def test_weights_that_make_no_mean_are_an_error(tmp_path, weights):
    network = FcrnLite(64, 96, 80.0)
    runs = [write_run(tmp_path / name, TRAINED, network) for name in 'ab']
    with pytest.raises(ValueError, match='weights must be 2 numbers above 0, one for each'):
        load_mean(runs, weights)


@pytest.mark.parametrize('size', ['', '192', '192x', 'x96', '190x96', '192x90', '0x96', '-32x96'])
def test_a_size_that_cannot_be_is_an_error(tmp_path, size):
    run = write_run(tmp_path / 'run', TRAINED, FcrnLite(64, 96, 80.0))
    expected = f'must be @WIDTHxHEIGHT in multiples of 32, got @{size};'
    with pytest.raises(ValueError, match=expected):
        load_trained(f'{run}@{size}')


def test_networks_for_different_cameras_are_an_error(tmp_path):
    network = FcrnLite(64, 96, 80.0)
    configs = {'one': TRAINED, 'other': TRAINED | {'input_width': 128}}
    runs = [write_run(tmp_path / name, configs[name], network) for name in configs]
    with pytest.raises(ValueError, match=r'training_fx_px of .*one must be 0.6250 .* got 0.8333'):
        load_mean(runs)


def test_size_counts_a_multiplication_and_its_addition_as_two():
    class OneConvolution(torch.nn.Conv2d):
        def forward(self, image, _floor):
            return super().forward(image)

    network = OneConvolution(3, 2000, 3, padding=1)  # 2 x 100 x 100 x 2000 x 27 operations
    config = {'input_height': 100, 'input_width': 100}
    assert describe_size(network, config) == '0.1 M parameters, 1.08 GFLOP'


@pytest.mark.filterwarnings('ignore::DeprecationWarning', 'ignore::UserWarning')
@torch.no_grad()
def test_the_file_calls_another_probability_of_floor_one_half():
    network = FcrnLite(64, 96, 80.0, floor_widths=(8, 8, 8, 8)).eval()
    image, floor = torch.randn(1, 3, 64, 96), torch.zeros(1, 1, 64, 96)
    said = network(image, floor).floor_logit.sigmoid()
    told = Outputs(network, floor_half=0.2)(image, floor)[1]
    np.testing.assert_allclose(told / (1 - told), 4 * said / (1 - said), rtol=1e-4)
    np.testing.assert_allclose(Outputs(network)(image, floor)[1], said)
