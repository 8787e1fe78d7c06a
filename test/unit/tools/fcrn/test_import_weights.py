# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""From the authors' files to a model: formats, every kind of wrong weights, and exactness."""

from __future__ import annotations

from pathlib import Path
import pickle
import runpy
import sys
import zipfile

from benchmark.random_fcrn import random_weights
from fcrn_depth_ros.__main__ import main
from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.estimation.onnx_model import load_onnx_model
from fcrn_depth_ros.tools.fcrn.checkpoint import read_checkpoint
from fcrn_depth_ros.tools.fcrn.graph import build_fcrn
from fcrn_depth_ros.tools.fcrn.import_weights import fcrn_card, read_weights
from fcrn_depth_ros.tools.fcrn.weights import check_weights, fcrn_layout, read_npy_weights
import numpy as np
from plain_fcrn import plain_fcrn
import pytest

# Written by TensorFlow: the names of the published checkpoint, tiny shapes.
CHECKPOINT = Path(__file__).parent / 'tiny_checkpoint'
# The authors' own graph on random weights; not part of this repository.
REFERENCE = Path(__file__).parents[5] / 'shared/reference/fcrn'


def layout_of_zeros():
    return {
        layer: {key: np.zeros(shape, np.float32) for key, shape in keys.items()}
        for layer, keys in fcrn_layout().items()
    }


def save(path, content):
    np.save(path, content, allow_pickle=True)
    return path


def refused(capsys, *arguments):
    assert main(['import-weights', *map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    return error


class TestLayout:
    def test_size(self):
        shapes = [shape for keys in fcrn_layout().values() for shape in keys.values()]
        assert len(fcrn_layout()) == 157
        assert sum(int(np.prod(shape)) for shape in shapes) == 63_633_665

    def test_right_weights_pass(self):
        check_weights(layout_of_zeros(), 'file')

    def test_every_wrong_tensor_is_named(self):
        weights = layout_of_zeros()
        weights['conv1']['weights'][0, 0, 0, :2] = np.nan, np.inf
        weights['bn_conv1']['variance'][3] = -1.0
        weights['layer1']['biases'] = np.zeros(7, np.float32)
        del weights['ConvPred']['biases']
        weights['layer2x_branch1_ConvA'] = weights.pop('layer2x_br1_ConvA')
        with pytest.raises(ToolInputError) as caught:
            check_weights(weights, 'file')
        text = str(caught.value)
        for expected in (
            'got 8 problems',
            'conv1/weights has 2 values that are not finite',
            'bn_conv1/variance has a value below zero',
            'layer1/biases has shape (7,), expected (1024,)',
            'ConvPred/biases is missing',
            'layer2x_br1_ConvA/weights is missing (renamed to layer2x_branch1_ConvA/weights?)',
            'layer2x_branch1_ConvA/biases is not a tensor of FCRN',
        ):
            assert expected in text

    def test_many_problems_are_counted(self):
        with pytest.raises(ToolInputError, match=r'and \d+ more'):
            check_weights({}, 'file')


class TestNpy:
    TREE = {'conv1': {'weights': np.arange(6, dtype=np.float32).reshape(1, 2, 3)}}

    @pytest.mark.parametrize('protocol', [2, 3, 4, 5])
    def test_every_protocol_and_type(self, tmp_path, protocol):
        path = tmp_path / 'weights.npy'
        array = self.TREE['conv1']['weights']
        tree = {
            'conv1': {'weights': array, 'biases': array.astype('>f8')},
            'turned': {'weights': np.asfortranarray(array)},
        }
        with path.open('wb') as file:
            np.lib.format.write_array_header_1_0(
                file, {'descr': '|O', 'fortran_order': False, 'shape': ()}
            )
            pickle.dump(np.array(tree, object), file, protocol=protocol)
        weights = read_npy_weights(path)
        for layer, keys in tree.items():
            for key, expected in keys.items():
                actual = weights[layer][key]
                assert actual.dtype == np.float32
                np.testing.assert_array_equal(actual, expected)

    def test_nothing_is_executed(self, tmp_path):
        class Harmful:
            def __reduce__(self):
                return (Path.touch, (tmp_path / 'executed',))

        for tree in ({'conv1': Harmful()}, Harmful(), {'conv1': {'weights': Harmful()}}):
            path = save(tmp_path / 'weights.npy', tree)
            with pytest.raises(ToolInputError, match='it may be harmful'):
                read_npy_weights(path)
        assert not (tmp_path / 'executed').exists()

    @pytest.mark.parametrize(
        'content',
        [
            np.zeros(3),
            np.array([{}, {}], object),
            {'conv1': 3},
            {3: {}},
            {'conv1': {'weights': 'text'}},
            {'conv1': {'weights': np.zeros(2, np.int64)}},
            {'conv1': {'weights': np.array([None])}},
        ],
    )
    def test_other_content(self, tmp_path, content):
        with pytest.raises(ToolInputError, match='must (hold one pickled dict|be a pickle)'):
            read_npy_weights(save(tmp_path / 'weights.npy', content))

    def test_every_truncation_is_an_error(self, tmp_path):
        path = save(tmp_path / 'weights.npy', self.TREE)
        content = path.read_bytes()
        for size in range(len(content)):
            path.write_bytes(content[:size])
            with pytest.raises(ToolInputError):
                read_npy_weights(path)


class TestCheckpoint:
    @pytest.fixture
    def expected(self):
        # What was given to TensorFlow: axis n of a tensor has 1 + n % 3 entries.
        values = np.load(CHECKPOINT / 'expected.npy')
        arrays = {}
        ranks = {f'{i}/{k}': len(s) for i, keys in fcrn_layout().items() for k, s in keys.items()}
        for name in sorted(ranks):
            shape = [1 + axis % 3 for axis in range(ranks[name])]
            count = int(np.prod(shape))
            arrays[name], values = values[:count].reshape(shape), values[count:]
        assert values.size == 0
        return arrays

    def check(self, weights, expected):
        actual = {
            f'{layer}/{key}': a for layer, keys in weights.items() for key, a in keys.items()
        }
        assert set(actual) == set(expected)
        for name, array in expected.items():
            np.testing.assert_array_equal(actual[name], array)

    @pytest.mark.parametrize('name', ['', 'tiny.ckpt', 'tiny.ckpt.index', 'tiny.ckpt.meta'])
    def test_folder_prefix_and_files(self, expected, name):
        self.check(read_checkpoint(CHECKPOINT / name), expected)

    @pytest.mark.parametrize('folder', ['', 'NYU_FCRN-checkpoint/'])
    def test_zip(self, tmp_path, expected, folder):
        path = tmp_path / 'checkpoint.zip'
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
            for file in CHECKPOINT.glob('tiny.ckpt.*'):
                archive.write(file, f'{folder}{file.name}')
        self.check(read_checkpoint(path), expected)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
        with pytest.raises(ToolInputError, match='must hold a complete TensorFlow checkpoint'):
            read_checkpoint(path)

    def test_damage_is_an_error(self, tmp_path, expected):
        for file in CHECKPOINT.glob('tiny.ckpt.*'):
            (tmp_path / file.name).write_bytes(file.read_bytes())
        index, data = (next(tmp_path.glob(f'*.{kind}*')) for kind in ('index', 'data-'))
        content = index.read_bytes()
        for size in range(0, len(content), 97):
            index.write_bytes(content[:size])
            with pytest.raises(ToolInputError):
                read_checkpoint(tmp_path)
        random = np.random.default_rng(0)
        for _ in range(100):
            damaged = bytearray(content)
            damaged[random.integers(len(damaged))] ^= 1 << random.integers(8)
            index.write_bytes(damaged)
            try:
                read_checkpoint(tmp_path)  # other names or values are found out by their layout
            except ToolInputError:
                pass
        index.write_bytes(content)
        self.check(read_checkpoint(tmp_path), expected)
        data.write_bytes(data.read_bytes()[:-1])
        with pytest.raises(ToolInputError, match='of shape'):
            read_checkpoint(tmp_path)
        data.unlink()
        with pytest.raises(ToolInputError, match='no file tiny.ckpt.data-00000-of-00001'):
            read_checkpoint(tmp_path)
        (tmp_path / 'other.index').write_bytes(content)
        with pytest.raises(ToolInputError, match='must hold one .* other.index, tiny.ckpt.index'):
            read_checkpoint(tmp_path)


class TestCommand:
    def test_bad_input_writes_nothing(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setitem(sys.modules, 'coremltools', None)
        out = tmp_path / 'out/fcrn.onnx'
        text = tmp_path / 'text.npy'
        text.write_text('hello')
        model = tmp_path / 'FCRN.mlmodel'
        model.write_bytes(b'')
        small = save(tmp_path / 'small.npy', {'conv1': {'weights': np.zeros(3, np.float32)}})
        pictures = tmp_path / 'pictures'
        pictures.mkdir()
        for arguments, expected in (
            ([tmp_path / 'none.npy'], 'source must exist'),
            ([text], 'complete .npy file'),
            ([model], 'coremltools must be installed'),
            ([pictures], 'got none'),
            ([small], 'ConvPred/biases is missing'),
            ([CHECKPOINT], 'tensors of FCRN'),
            ([small, '--precision', 'int8'], 'calibration must be given'),
            ([small, '--calibration', pictures], 'calibration must be given for int8 and'),
            ([small, '--precision', 'int8', '--calibration', pictures], 'pictures'),
        ):
            assert expected in refused(capsys, *arguments, '--out', out)
        assert 'add a file name' in refused(capsys, small, '--out', tmp_path)
        assert list(out.parent.iterdir()) == []

    def test_card(self, tmp_path):
        (tmp_path / 'weights.npy').write_bytes(b'abc')
        card = fcrn_card(tmp_path / 'weights.npy', 'fp32')
        assert (card.input_width, card.input_height, card.resize) == (304, 228, 'stretch')
        assert (card.color_order, card.output_kind) == ('RGB', 'depth_m')
        assert card.network_fx_px == pytest.approx(518.86 * 304 / 640)
        assert card.source.startswith('weights.npy, SHA-256 ba7816bf')


@pytest.mark.parametrize('source', ['weights.npy', 'tiny.ckpt', '.'])
def test_no_source_and_no_file_is_replaced_unasked(tmp_path, capsys, source):
    for name in ('weights.npy', 'tiny.ckpt.index', 'other.onnx'):
        (tmp_path / name).write_text('precious')
    read = tmp_path / ('weights.npy' if source == 'weights.npy' else 'tiny.ckpt.index')
    line = refused(capsys, tmp_path / source, '--out', read, '--overwrite')
    assert 'must not replace an input' in line
    if source != '.':
        line = refused(capsys, tmp_path / source, '--out', tmp_path / 'other.onnx')
        assert 'which exists; choose another place, or replace with --overwrite' in line
    assert all(path.read_text() == 'precious' for path in tmp_path.iterdir())


def test_nothing_is_computed_to_be_left_out():
    convolutions = [n for n in build_fcrn(layout_of_zeros()).graph.node if n.op_type == 'Conv']
    attributes = [{a.name: list(a.ints) for a in node.attribute} for node in convolutions]
    strided = [a['kernel_shape'] for a in attributes if a['strides'] != [1, 1]]
    assert strided == [[7, 7], [3, 3], [3, 3], [3, 3]]


def depth_by_command(tmp_path, weights, picture):
    source, out = save(tmp_path / 'weights.npy', weights), tmp_path / 'fcrn.onnx'
    assert main(['import-weights', str(source), '--out', str(out)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ['fcrn.onnx', 'weights.npy']
    return load_onnx_model(out).run(picture.astype(np.float32).transpose(2, 0, 1)[None]).depth


def check_equal(depth, expected):
    assert np.abs(depth - expected).max() <= 1e-4 * expected.max()
    assert np.corrcoef(depth.ravel(), expected.ravel())[0, 1] > 0.99999


@pytest.mark.slow
@pytest.mark.parametrize('seed', [2, 3])
def test_the_same_depth_as_the_plain_network(tmp_path, capsys, seed):
    weights = random_weights(seed)
    picture = np.random.default_rng(seed).integers(0, 256, (228, 304, 3)).astype(np.uint8)
    check_equal(depth_by_command(tmp_path, weights, picture), plain_fcrn(weights, picture))
    assert 'fp32, 254.2 MB' in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(not REFERENCE.is_dir(), reason=f'no reference output in {REFERENCE}')
def test_the_same_depth_as_the_graph_of_the_authors(tmp_path):
    weights = runpy.run_path(str(REFERENCE / 'make_weights.py'))['make'](1)
    with np.load(REFERENCE / 'expected_seed1.npz') as reference:
        picture, expected = reference['image_rgb_u8'], reference['depth_nhwc_f32'][0, :, :, 0]
    check_equal(plain_fcrn(weights, picture), expected)
    check_equal(depth_by_command(tmp_path, weights, picture), expected)


def test_weights_are_read_whole(tmp_path):
    weights = read_weights(save(tmp_path / 'weights.npy', layout_of_zeros()))
    assert len(weights) == 157
