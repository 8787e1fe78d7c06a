import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs torch (training/requirements.txt)')
for name in ('onnx', 'tqdm', 'yaml'):
    pytest.importorskip(name, reason=f'training needs {name} (training/requirements.txt)')

from fcrn_depth_ros.estimation.onnx_model import load_onnx_model, SessionConfig  # noqa: E402
from fcrn_depth_ros.tools.quantization import float_nodes  # noqa: E402
import onnx  # noqa: E402

from training.export import describe_size, make_card, write_float  # noqa: E402
from training.network import FcrnLite, MeanOfNetworks  # noqa: E402

CONFIG = {'input_height': 64, 'input_width': 96, 'training_fx_px': 80.0}


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
    answer = model.run(image[:1].numpy(), floor[0, 0].numpy())
    np.testing.assert_allclose(answer, network(image[:1], floor[:1])[0, 0], atol=0.02)
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
    answer = load_onnx_model(path, SessionConfig()).run(image[:1].numpy())
    one, other = (member(image[:1], floor[:1])[0, 0] for member in members)
    assert (one - other).abs().max() > 0.01
    np.testing.assert_allclose(answer, (one + other) / 2, atol=0.02)
    # Both heads stay float in the INT8 copy, and no other convolution of the picture does.
    graph = onnx.load(str(path)).graph
    kept = float_nodes(graph, 'image')
    weights = [
        node.input[1]
        for node in graph.node
        if node.op_type == 'Conv' and node.name in kept and '.mounting.' not in node.input[1]
    ]
    assert weights == ['members.0.head.weight', 'members.1.head.weight']


def test_size_counts_a_multiplication_and_its_addition_as_two():
    class OneConvolution(torch.nn.Conv2d):
        def forward(self, image, _floor):
            return super().forward(image)

    network = OneConvolution(3, 2000, 3, padding=1)  # 2 x 100 x 100 x 2000 x 27 operations
    config = {'input_height': 100, 'input_width': 100}
    assert describe_size(network, config) == '0.1 M parameters, 1.08 GFLOP'
