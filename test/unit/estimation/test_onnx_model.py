# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The boundary to onnxruntime: files, cards, graphs and providers that are not what they say."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

from fcrn_depth_ros.errors import (
    ConfigurationError,
    InferenceError,
    ModelCardError,
    ModelFileError,
    ProviderError,
)
from fcrn_depth_ros.estimation.onnx_model import (
    embedded_model_path,
    load_onnx_model,
    OnnxModel,
    resolve_providers,
    SessionConfig,
)
import numpy as np
import onnx
import onnxruntime
import pytest
from tiny_models import CARD, tiny_card, write_model

WITH_FLOOR = tiny_card(mounting_input='floor')
BESIDE = tiny_card(floor_output='floor', confidence_output='sure')
IMAGE = np.full((1, 3, 24, 32), 200.0, np.float32)


class FakeSession:
    """Stands for a session that fails or answers nonsense on a frame."""

    def __init__(self, output, providers=('CPUExecutionProvider',), nodes=None):
        self.output = output
        self.providers = list(providers)
        self.shape = ['n', 'c', 'h', 'w']
        if nodes is not None:
            self.get_provider_graph_assignment_info = lambda: [
                SimpleNamespace(ep_name=name, get_nodes=lambda count=count: [None] * count)
                for name, count in nodes
            ]

    def get_inputs(self):
        return [SimpleNamespace(name='image', shape=[1, 3, 24, 32], type='tensor(float)')]

    def get_outputs(self):
        return [SimpleNamespace(name='depth', shape=self.shape, type='tensor(float)')]

    def get_modelmeta(self):
        return SimpleNamespace(custom_metadata_map=CARD.to_metadata())

    def get_providers(self):
        return self.providers

    def disable_fallback(self):
        pass

    def run(self, output_names, input_feed):
        if isinstance(self.output, Exception):
            raise self.output
        return [self.output]


@pytest.mark.parametrize('layout', ['NCHW', 'NHWC'])
@pytest.mark.parametrize('dynamic', [False, True])
def test_a_good_file_runs(tmp_path, layout, dynamic):
    card = tiny_card(input_layout=layout)
    model = load_onnx_model(write_model(tmp_path / 'm.onnx', card, dynamic=dynamic))
    assert model.card == card
    assert model.provider == 'CPU'
    image = IMAGE if layout == 'NCHW' else np.ascontiguousarray(IMAGE.transpose(0, 2, 3, 1))
    depth = model.run(image).depth
    assert depth.shape == (24, 32)
    assert depth.dtype == np.float32
    assert depth == pytest.approx(2.0)


@pytest.mark.parametrize('shape', [(1, 1, 12, 16), (1, 12, 16, 1), (1, 12, 16), (1, 1, 13, 16)])
def test_every_shape_of_the_contract_is_a_map(tmp_path, shape):
    path = write_model(tmp_path / 'm.onnx', output=np.full(shape, 3.0))
    expected = (13, 16) if 13 in shape else (12, 16)
    assert load_onnx_model(path).run(IMAGE).depth.shape == expected


def test_the_mounting_arrives_and_unknown_is_zero(tmp_path):
    model = load_onnx_model(write_model(tmp_path / 'm.onnx', WITH_FLOOR))
    floor = np.zeros((24, 32), np.float32)
    floor[3, 5] = 0.25
    assert model.run(IMAGE, floor).depth[3, 5] == pytest.approx(2.25)
    assert model.run(IMAGE, None).depth == pytest.approx(2.0)


def test_a_mounting_for_a_network_without_that_input_is_refused(tmp_path):
    model = load_onnx_model(write_model(tmp_path / 'm.onnx'))
    with pytest.raises(InferenceError, match='no mounting input'):
        model.run(IMAGE, np.zeros((24, 32), np.float32))


@pytest.mark.parametrize('content', ['missing', 'folder', 'empty', 'text', 'random', 'truncated'])
def test_files_that_are_no_model(tmp_path, content):
    path = tmp_path / 'm.onnx'
    random = np.random.default_rng(0)
    if content == 'folder':
        path.mkdir()
    elif content == 'truncated':
        whole = write_model(path).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif content != 'missing':
        path.write_bytes(
            {'empty': b'', 'text': b'no model', 'random': random.bytes(5000)}[content]
        )
    with pytest.raises(ModelFileError, match='m.onnx') as caught:
        load_onnx_model(path)
    assert '\n' not in str(caught.value)


def test_damaged_files_never_take_the_process_down(tmp_path):
    path = tmp_path / 'm.onnx'
    whole = write_model(path).read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for position in random.integers(0, len(damaged), 8):
            damaged[position] = random.integers(256)
        path.write_bytes(damaged)
        try:
            load_onnx_model(path)
        except (ModelFileError, ModelCardError):
            refused += 1
    assert refused > 20


def test_checksum_beside_the_file(tmp_path):
    path = write_model(tmp_path / 'm.onnx')
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sums = tmp_path / 'SHA256SUMS'
    sums.write_text(f'{"0" * 64}  other.onnx\n')
    load_onnx_model(path)
    for line in (f'{digest}  m.onnx', f'{digest.upper()} *m.onnx'):
        sums.write_text(f'{"0" * 64}  other.onnx\n{line}\n')
        load_onnx_model(path)
    sums.write_text(f'{"0" * 64}  m.onnx\n')
    with pytest.raises(ModelFileError, match='SHA-256'):
        load_onnx_model(path)


@pytest.mark.parametrize('content', [b'\xff\xfe0\x000\x00', 'é'.encode('latin-1')])
def test_checksums_that_are_not_utf8_are_named(tmp_path, content):
    path = write_model(tmp_path / 'm.onnx')
    (tmp_path / 'SHA256SUMS').write_bytes(content)
    with pytest.raises(ModelFileError, match=r'SHA256SUMS must be a .* UTF-8'):
        load_onnx_model(path)


@pytest.mark.parametrize(
    ('change', 'expected'),
    [
        ('ir', r'at most the ONNX IR version \d+ that onnxruntime [\d.]+ knows, got 99; install'),
        ('opset', r'at most opset \d+ of ai.onnx that onnxruntime [\d.]+ knows, got opset 99; '),
        ('domain', r'at most opset \d+ of ai.onnx.ml that .* knows, got opset 99; '),
        ('operator', r'operators that onnxruntime [\d.]+ knows, got \S*com.example:ReduceMean'),
    ],
)
def test_a_model_newer_than_onnxruntime_says_what_it_knows(tmp_path, change, expected):
    path = write_model(tmp_path / 'm.onnx')
    model = onnx.load(path)
    if change == 'ir':
        model.ir_version = 99
    elif change == 'opset':
        model.opset_import[0].version = 99
    elif change == 'domain':
        model.opset_import.append(onnx.helper.make_opsetid('ai.onnx.ml', 99))
    else:
        model.opset_import.append(onnx.helper.make_opsetid('com.example', 1))
        model.graph.node[0].domain = 'com.example'
    onnx.save(model, path)
    with pytest.raises(ModelFileError, match=expected) as caught:
        load_onnx_model(path)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 400 + len(str(path))


def test_card_overrides_fill_what_the_file_lacks(tmp_path):
    metadata = CARD.to_metadata()
    del metadata['valid_max_m']
    path = write_model(tmp_path / 'm.onnx', metadata=metadata)
    with pytest.raises(ModelCardError, match='valid_max_m'):
        load_onnx_model(path)
    assert load_onnx_model(path, card_overrides={'valid_max_m': '10'}).card == CARD


@pytest.mark.parametrize(
    ('changes', 'name'),
    [
        ({'input_width': 40}, 'input image'),
        ({'input_layout': 'NHWC'}, 'input image'),
        ({'input_name': 'picture'}, 'inputs'),
        ({'mounting_input': 'floor'}, 'inputs'),
        ({'output_name': 'distance'}, 'outputs'),
    ],
)
def test_a_card_that_contradicts_the_graph(tmp_path, changes, name):
    metadata = tiny_card(**changes).to_metadata()
    path = write_model(tmp_path / 'm.onnx', metadata=metadata)
    with pytest.raises(ModelCardError, match=name):
        load_onnx_model(path)


@pytest.mark.parametrize(
    'shape', [(1, 2, 24, 32), (2, 1, 24, 32), (1, 1, 32, 24), (1, 1, 1, 1), (1, 10), (24, 32)]
)
def test_outputs_that_are_no_map_of_the_picture(tmp_path, shape):
    path = write_model(tmp_path / 'm.onnx', output=np.ones(shape))
    with pytest.raises(ModelCardError, match='output depth'):
        load_onnx_model(path)
    dynamic = OnnxModel(FakeSession(np.ones(shape, np.float32)), CARD, path)
    with pytest.raises(InferenceError, match='one map'):
        dynamic.run(IMAGE)


def test_a_network_that_returns_nothing_finite(tmp_path):
    broken = np.full((1, 1, 24, 32), np.nan, np.float32)
    model = OnnxModel(FakeSession(broken), CARD, tmp_path)
    with pytest.raises(InferenceError, match='finite'):
        model.run(IMAGE)
    broken[0, 0, 0, 0] = 1.0
    assert np.isnan(model.run(IMAGE).depth).sum() == 24 * 32 - 1


def test_a_session_that_fails_on_a_frame(tmp_path):
    model = OnnxModel(FakeSession(RuntimeError('out of\nmemory')), CARD, tmp_path)
    with pytest.raises(InferenceError, match='out of memory'):
        model.run(IMAGE)


def test_half_precision_outputs_are_read(tmp_path):
    model = OnnxModel(FakeSession(np.ones((1, 1, 24, 32), np.float16)), CARD, tmp_path)
    assert model.run(IMAGE).depth.dtype == np.float32


def test_floor_and_confidence_beside_the_depth(tmp_path):
    floor = np.linspace(-0.01, 1.01, 768, dtype=np.float32).reshape(1, 1, 24, 32)
    floor[0, 0, 0, 5] = np.nan
    confidence = np.full((1, 12, 16), 0.25)
    path = write_model(tmp_path / 'm.onnx', BESIDE, floor=floor, confidence=confidence)
    maps = load_onnx_model(path).run(IMAGE)
    assert maps.depth == pytest.approx(2.0)
    assert maps.confidence.shape == (12, 16)
    assert (maps.confidence == 0.25).all()
    assert maps.floor is not None
    assert maps.floor.dtype == np.float32
    assert maps.floor[0, 5] == 0.0
    assert (maps.floor.min(), maps.floor.max()) == (0.0, 1.0)
    assert maps.floor[12, 7] == pytest.approx(floor[0, 0, 12, 7])


def test_a_network_may_have_one_of_them_or_none(tmp_path):
    card = tiny_card(confidence_output='sure')
    maps = load_onnx_model(write_model(tmp_path / 'm.onnx', card)).run(IMAGE)
    assert maps.floor is None
    assert maps.confidence == pytest.approx(1 - 200 / 255)
    # A card without the keys ignores what the file answers besides.
    path = write_model(tmp_path / 'm.onnx', BESIDE, metadata=CARD.to_metadata())
    maps = load_onnx_model(path).run(IMAGE)
    assert (maps.floor, maps.confidence) == (None, None)


@pytest.mark.parametrize('key', ['floor_output', 'confidence_output'])
@pytest.mark.parametrize('shape', [(1, 2, 24, 32), (1, 1, 32, 24), (1, 10)])
def test_outputs_beside_the_depth_that_are_no_map(tmp_path, key, shape):
    argument = {key.removesuffix('_output'): np.ones(shape)}
    path = write_model(tmp_path / 'm.onnx', BESIDE, **argument)
    with pytest.raises(ModelCardError, match=f'map.*correct {key}'):
        load_onnx_model(path)


@pytest.mark.parametrize('key', ['floor_output', 'confidence_output'])
def test_an_output_that_the_graph_has_not(tmp_path, key):
    path = write_model(tmp_path / 'm.onnx', metadata=tiny_card(**{key: 'absent'}).to_metadata())
    with pytest.raises(ModelCardError, match=f"'absent'.*correct {key}"):
        load_onnx_model(path)


@pytest.mark.parametrize('key', ['floor_output', 'confidence_output'])
@pytest.mark.parametrize(('value', 'is_share'), [(1.02, True), (1.03, False), (-0.03, False)])
def test_what_is_no_share_is_refused(tmp_path, key, value, is_share):
    values = np.full((1, 1, 24, 32), 0.5)
    values[0, 0, 2, 3] = value
    path = write_model(tmp_path / 'm.onnx', BESIDE, **{key.removesuffix('_output'): values})
    model = load_onnx_model(path)
    if is_share:
        assert model.run(IMAGE).depth == pytest.approx(2.0)
        return
    with pytest.raises(InferenceError, match=f'shares of 0..1.*{key}.*sigmoid'):
        model.run(IMAGE)


CPU, CUDA = 'CPUExecutionProvider', 'CUDAExecutionProvider'
TENSORRT = 'TensorrtExecutionProvider'


@pytest.mark.parametrize(
    ('requested', 'available', 'fallback', 'expected'),
    [
        ('CPU', [CPU], False, [CPU]),
        ('cuda', [CUDA, CPU], False, [CUDA]),
        (CUDA, [CUDA, CPU], False, [CUDA]),
        ('CUDA', [CPU], True, [CPU]),
        ('TensorRT', [TENSORRT, CUDA, CPU], False, [TENSORRT, CUDA]),
        ('TensorRT', [TENSORRT, CPU], False, [TENSORRT]),
    ],
)
def test_providers(requested, available, fallback, expected):
    assert resolve_providers(requested, available, fallback) == expected


@pytest.mark.parametrize(
    ('requested', 'fallback', 'expected'),
    [
        ('CUDA', False, "'CUDA'; install"),
        ('Cray', False, 'CUDA, TensorRT'),
        ('Cray', True, 'CUDA, TensorRT'),
        ('', True, 'must be one of'),
    ],
)
def test_providers_that_cannot_be(requested, fallback, expected):
    with pytest.raises(ProviderError, match=expected):
        resolve_providers(requested, [CPU], fallback)


def test_a_provider_that_onnxruntime_quietly_replaced_is_an_error(tmp_path, monkeypatch):
    # What onnxruntime does when the provider is built in and its libraries are not there.
    path = write_model(tmp_path / 'm.onnx')
    real = onnxruntime.InferenceSession

    def without_cuda(name, options, providers, **_):
        return real(name, options, providers=[CPU])

    monkeypatch.setattr(onnxruntime, 'InferenceSession', without_cuda)
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: [CUDA, CPU])
    with pytest.raises(ProviderError, match='CUDA as requested, got CPU'):
        load_onnx_model(path, SessionConfig(provider='CUDA'))
    allowed = SessionConfig(provider='CUDA', allow_provider_fallback=True)
    assert load_onnx_model(path, allowed).provider == 'CPU'


OPENVINO = 'OpenVINOExecutionProvider'


@pytest.mark.parametrize(
    ('nodes', 'expected'),
    [
        (None, 'OpenVINO'),
        ([], 'OpenVINO'),
        ([(OPENVINO, 5)], 'OpenVINO'),
        ([(OPENVINO, 3), (CPU, 1), (OPENVINO, 4), (CPU, 2)], 'OpenVINO (7 of 10 nodes)'),
        ([(CPU, 5)], 'CPU'),
    ],
)
def test_the_provider_is_what_runs_the_nodes(tmp_path, nodes, expected):
    session = FakeSession(None, [OPENVINO, CPU], nodes)
    assert OnnxModel(session, CARD, tmp_path).provider == expected


@pytest.mark.parametrize(
    ('threads', 'text', 'expected'),
    [
        (1, '', {'num_of_threads': '1'}),
        (0, '', {}),
        (2, '{"num_of_threads": 3, "a": "b"}', {'num_of_threads': '3', 'a': 'b'}),
    ],
)
def test_openvino_is_told_how_many_threads(tmp_path, monkeypatch, threads, text, expected):
    told = []

    def session(name, options, providers, provider_options, **_):
        told.append(provider_options)
        return FakeSession(None, [OPENVINO, CPU], nodes)

    nodes = [(OPENVINO, 1)]
    monkeypatch.setattr(onnxruntime, 'InferenceSession', session)
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: [OPENVINO, CPU])
    config = SessionConfig('openvino', provider_options=text, intra_op_threads=threads)
    path = write_model(tmp_path / 'm.onnx')
    assert load_onnx_model(path, config).provider == 'OpenVINO'
    assert told == [[expected]]
    nodes = [(CPU, 1)]
    with pytest.raises(ProviderError, match='got CPU: .* took no part of m.onnx'):
        load_onnx_model(path, config)


def test_threads_are_as_asked(tmp_path):
    path = write_model(tmp_path / 'm.onnx')
    for threads in (0, 1, 2):
        load_onnx_model(path, SessionConfig(intra_op_threads=threads, allow_spinning=True))
    with pytest.raises(ConfigurationError, match='intra_op_threads'):
        SessionConfig(intra_op_threads=-1)


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('', {}),
        ('  ', {}),
        ('{"device_type": "GPU", "num": 2}', {'device_type': 'GPU', 'num': '2'}),
        ('{"load_config": {"CPU": {"A": "bf16"}}}', {'load_config': '{"CPU": {"A": "bf16"}}'}),
    ],
)
def test_provider_options(text, expected):
    assert SessionConfig(provider_options=text).parsed_provider_options() == expected


@pytest.mark.parametrize('text', ['{', '[]', 'device_type=GPU'])
def test_provider_options_that_are_no_object(text):
    with pytest.raises(ConfigurationError, match='provider_options'):
        SessionConfig(provider_options=text)


def test_cpus_take_the_quantised_file():
    assert embedded_model_path().name == 'fcrn_lite_int8.onnx'
    assert embedded_model_path('OpenVINO').name == 'fcrn_lite_int8.onnx'
    assert embedded_model_path('cpu') == embedded_model_path('CPU')
    assert embedded_model_path('CUDA').name == 'fcrn_lite.onnx'


@pytest.mark.parametrize('exact', [False, True])
def test_eight_bit_products_saturate_unless_told_not_to(tmp_path, monkeypatch, exact):
    seen = []

    def open_session(path, options, **_):
        seen.append(options)
        raise RuntimeError('seen')

    path = write_model(tmp_path / 'm.onnx')
    monkeypatch.setattr(onnxruntime, 'InferenceSession', open_session)
    with pytest.raises(ModelFileError, match='seen'):
        load_onnx_model(path, SessionConfig(exact_int8=exact))
    if exact:
        assert seen[0].get_session_config_entry('session.x64quantprecision') == '1'
    else:
        with pytest.raises(RuntimeError):
            seen[0].get_session_config_entry('session.x64quantprecision')
