# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The command line: results of each command, and one line and exit code 2 for what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import cv2
from fcrn_depth_ros.__main__ import COMMANDS, main
from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
import numpy as np
import pytest
from tiny_dataset import blocks, CAMERA, write_scene
from tiny_models import tiny_card, write_model


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / 'tiny.onnx')


@pytest.fixture
def dataset(tmp_path):
    root = tmp_path / 'data'
    # The tiny network says mean / 100: right, 25 % too far, right.
    write_scene(root, 'good', [1.0, 0.8])
    write_scene(root, 'off', [1.2], picture_means=[150.0])
    return root


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / 'pictures'
    folder.mkdir()
    for index in range(12):
        cv2.imwrite(str(folder / f'{index:02d}.png'), blocks(60.0 + 10 * index))
    return folder


def run(*arguments):
    return main([str(argument) for argument in arguments])


def refused(capsys, *arguments):
    """Run a command that must fail; return the line it says."""
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err.count('\n') == 1
    return captured.err


def files_in(folder):
    return sorted(path.name for path in folder.rglob('*')) if folder.exists() else []


class TestEvaluate:
    def test_report_is_right_and_complete(self, tmp_path, model, dataset, capsys):
        report_file, sheet_file = tmp_path / 'out/report.json', tmp_path / 'out/sheet.png'
        assert run(
            'evaluate', '--model', model, '--dataset', dataset, '--json', report_file,
            '--sheet', sheet_file,
        ) == 0  # fmt: skip
        assert 'AbsRel' in capsys.readouterr().out
        report = json.loads(report_file.read_text())
        for correction in ('auto', 'off'):
            result = report['results'][correction]
            assert result['overall']['pictures'] == 3
            assert result['overall']['abs_rel'] == pytest.approx(0.25 / 3, abs=1e-3)
            assert result['scenes']['good']['abs_rel'] == pytest.approx(0.0, abs=1e-3)
            assert result['scenes']['off']['abs_rel'] == pytest.approx(0.25, abs=1e-3)
            assert len(report['pictures'][correction]) == 3
        near = report['results']['auto']['overall']['near']['1.5']
        assert near['recall'] == pytest.approx(2 / 3, abs=0.01)
        assert near['pixels'] == 3 * 48 * 64
        nearest = report['results']['auto']['scenes']['off']['nearest']
        assert nearest['mean_m'] == pytest.approx(0.3, abs=0.01)
        assert set(result['overall']) - {'pictures', 'with_mounting'} <= set(report['meanings'])
        assert report['model']['sha256'] and report['model']['name'] == 'tiny'
        sheet = cv2.imread(str(sheet_file))
        assert sheet.shape == (3 * (48 + 24), 3 * 64, 3)

    def test_focal_correction_counts(self, tmp_path, model):
        root = tmp_path / 'data'
        write_scene(root, 'tele', [2.0], picture_means=[100.0], fx=128.0, fy=128.0)
        report = tmp_path / 'report.json'
        assert run('evaluate', '--model', model, '--dataset', root, '--json', report) == 0
        results = json.loads(report.read_text())['results']
        assert results['auto']['overall']['abs_rel'] == pytest.approx(0.0, abs=1e-3)
        assert results['off']['overall']['abs_rel'] == pytest.approx(0.5, abs=1e-3)

    @pytest.mark.parametrize(('mounting', 'count'), [('none', 0), ('camera', 1), ('fitted', 0)])
    def test_mountings(self, tmp_path, mounting, count):
        model = write_model(tmp_path / 'tiny.onnx', tiny_card(mounting_input='floor'))
        root = tmp_path / 'data'
        write_scene(root, 'low', [1.0], height_m=0.5)
        write_scene(root, 'unknown', [1.0])
        report = tmp_path / 'report.json'
        assert run(
            'evaluate', '--model', model, '--dataset', root, '--json', report, '--mounting',
            mounting,
        ) == 0  # fmt: skip
        overall = json.loads(report.read_text())['results']['auto']['overall']
        assert overall['with_mounting'] == count
        # The tiny network adds the floor map, so a mounting shows in the depth.
        assert (overall['abs_rel'] > 0.05) == bool(count)

    def test_wrong_mountings(self, tmp_path):
        model = write_model(tmp_path / 'tiny.onnx', tiny_card(mounting_input='floor'))
        root = tmp_path / 'data'
        write_scene(root, 'low', [1.0], height_m=0.5, pitch_deg=2.0, roll_deg=1.0)
        report_file = tmp_path / 'report.json'
        assert run(
            'evaluate', '--model', model, '--dataset', root, '--json', report_file, '--mounting',
            'camera', '--height-error', '-0.1', '--pitch-error', '3',
        ) == 0  # fmt: skip
        report = json.loads(report_file.read_text())
        (picture,) = report['pictures']['auto']
        assert picture['mounting'] == pytest.approx(
            {'height_m': 0.45, 'pitch_deg': 5.0, 'roll_deg': 1.0}
        )
        assert report['mounting']['height_error'] == -0.1

    @pytest.mark.parametrize('mounting', ['camera', 'none'])
    def test_obstacles(self, tmp_path, capsys, mounting):
        """A box on the floor that depth paints into it, and that the floor output sees."""
        root = tmp_path / 'data'
        folder = write_scene(root, 'low', [1.0], height_m=0.25)
        inverse = inverse_floor_depth(
            CameraIntrinsics(64.0, 64.0, 31.5, 23.5, 64, 48), CameraMounting(0.25)
        )
        floor_m = np.minimum(1 / np.maximum(inverse, 1e-6), 4.0)
        true_m = floor_m.copy()
        base_row, box = 41, np.s_[30:42, 24:44]  # 0.16 m high
        true_m[box] = 1 / inverse[base_row, 24]
        depth_file = str(folder / 'depth' / '0000.png')
        cv2.imwrite(depth_file, np.round(1000 * true_m).astype(np.uint16))
        floor = np.where(inverse > 0.25, 0.95, 0.05)
        floor[box] = 0.05
        model = write_model(
            tmp_path / 'tiny.onnx',
            tiny_card(
                input_height=48, input_width=64, training_fx_px=64.0, training_width_px=64.0,
                floor_output='floor',
            ),
            output=floor_m[None, None],
            floor=floor[None, None],
        )  # fmt: skip
        report_file = tmp_path / 'report.json'
        command = [
            'evaluate', '--model', model, '--dataset', root, '--mounting', mounting,
            '--json', report_file, '--overwrite',
        ]  # fmt: skip
        assert run(*command) == 0
        told = json.loads(report_file.read_text())
        (picture,) = told['pictures']['auto']
        base_m = 1 / inverse[base_row, 24]
        assert picture['nearest_predicted_m'] == pytest.approx(base_m, rel=0.02)
        assert picture['nearest_true_m'] == pytest.approx(base_m, rel=0.02)
        assert picture['nearest_hidden_base'] is False
        obstacles = told['results']['auto']['overall']['obstacles']
        assert obstacles['found_share'] == 1.0 and obstacles['obstacle_pixels'] > 100
        assert obstacles['floor_lost_share'] == 0.0 and obstacles['floor_pixels'] > 500
        assert (obstacles['seen_pictures'], obstacles['missed_pictures']) == (1, 0)
        assert told['results']['auto']['overall']['nearest_seen_base']['pictures'] == 1
        assert told['model']['floor_output'] is True
        printed = capsys.readouterr().out
        assert 'its base in view' in printed and 'missed in 0 of 1 pictures' in printed

        assert run(*command, '--no-floor') == 0
        told = json.loads(report_file.read_text())
        (picture,) = told['pictures']['auto']
        obstacles = told['results']['auto']['overall']['obstacles']
        if mounting == 'camera':  # depth alone does not see the box, and its truth has no low ones
            assert picture['nearest_predicted_m'] > 3.0
            assert (obstacles['missed_pictures'], obstacles['found_share']) == (1, 0.0)
        else:  # everything counts as an obstacle
            assert (obstacles['found_share'], obstacles['floor_lost_share']) == (1.0, 1.0)
        assert picture['nearest_hidden_base'] is None
        assert told['model']['floor_output'] is False
        assert 'its base in view' not in capsys.readouterr().out

    def test_obstacles_of_a_floor_that_nobody_knows(self, tmp_path, model, dataset, capsys):
        report_file = tmp_path / 'report.json'
        assert run('evaluate', '--model', model, '--dataset', dataset, '--json', report_file) == 0
        overall = json.loads(report_file.read_text())['results']['auto']['overall']
        assert overall['obstacles']['pictures'] == 0
        assert 'obstacles' not in capsys.readouterr().out

    def test_unknown_predictions_are_scored_as_far(self, tmp_path, dataset):
        broken = np.full((1, 1, 24, 32), 1.0)
        broken[0, 0, :12] = -1.0
        model = write_model(tmp_path / 'tiny.onnx', output=broken)
        report = tmp_path / 'report.json'
        split = tmp_path / 'split.txt'
        split.write_text('good')
        assert run(
            'evaluate', '--model', model, '--dataset', dataset, '--split', split, '--json', report
        ) == 0  # fmt: skip
        overall = json.loads(report.read_text())['results']['auto']['overall']
        assert overall['unknown_share'] == pytest.approx(0.5, abs=0.03)
        assert overall['abs_rel'] > 3.0
        assert overall['near']['1.5']['recall'] == pytest.approx(0.5, abs=0.03)

    def test_bad_input(self, tmp_path, model, dataset, capsys):
        out = tmp_path / 'out'
        good = ['evaluate', '--model', model, '--dataset', dataset, '--json', out / 'r.json']
        empty = tmp_path / 'empty.txt'
        empty.write_text('')
        unmeasured = tmp_path / 'unmeasured'
        write_scene(unmeasured, 's', [0.0], picture_means=[100.0])
        relative = write_model(
            tmp_path / 'relative.onnx', tiny_card(output_kind='inverse_relative')
        )
        no_card = write_model(tmp_path / 'no_card.onnx', metadata={})
        for change, expected in (
            (['--dataset', tmp_path / 'none'], 'dataset must be'),
            (['--split', empty], 'split must name'),
            (['--model', tmp_path / 'none.onnx'], 'model file must exist'),
            (['--model', no_card], 'model card must have'),
            (['--model', relative], 'model must be metric'),
            (['--provider', 'Cray'], 'provider must be'),
            (['--provider-options', 'x'], 'provider_options must be'),
            (['--threads', '-1'], 'intra_op_threads'),
            (['--dataset', unmeasured], 'measured'),
            (['--json', model / 'r.json'], 'output must lie in a folder'),
            (['--sheet', tmp_path], 'output must be a file'),
        ):
            assert expected in refused(capsys, *good, *change)
        assert files_in(out) == []


class TestImage:
    def test_files(self, tmp_path, model, pictures, capsys):
        out = tmp_path / 'out'
        assert run('image', pictures / '04.png', '--model', model, '--out', out) == 0
        assert files_in(out) == ['04.npy', '04_color.png', '04_depth.png']
        depth = np.load(out / '04.npy')
        assert (depth.dtype, depth.shape) == (np.float32, (48, 64))
        assert depth.mean() == pytest.approx(1.0, abs=0.01)
        millimetres = cv2.imread(str(out / '04_depth.png'), cv2.IMREAD_UNCHANGED)
        assert millimetres.dtype == np.uint16
        assert np.abs(millimetres / 1000.0 - depth).max() < 0.001
        assert cv2.imread(str(out / '04_color.png')).shape == (48, 64, 3)
        assert 'camera unknown, mounting unknown' in capsys.readouterr().out

    def test_floor_and_confidence_at_the_size_of_the_picture(self, tmp_path, pictures, capsys):
        card = tiny_card(floor_output='floor', confidence_output='sure')
        model = write_model(tmp_path / 'tiny.onnx', card)
        out = tmp_path / 'out'
        command = ['image', pictures / '04.png', '--model', model, '--out', out]
        assert run(*command) == 0
        picture = cv2.imread(str(pictures / '04.png'))
        floor, sure = (np.load(out / f'04_{name}.npy') for name in ('floor', 'confidence'))
        for shares in (floor, sure):
            assert (shares.dtype, shares.shape) == (np.float32, picture.shape[:2])
            assert shares.min() >= 0.0 and shares.max() <= 1.0
        assert floor.mean() == pytest.approx(picture.mean() / 255, abs=0.01)
        np.testing.assert_allclose(floor + sure, 1.0, atol=1e-5)
        # They are outputs like the others: what exists is kept, and nothing is half written.
        for name in ('.npy', '_depth.png', '_color.png'):
            (out / f'04{name}').unlink()
        capsys.readouterr()
        assert 'new file' in refused(capsys, *command)
        assert files_in(out) == ['04_confidence.npy', '04_floor.npy']
        assert run(*command, '--overwrite') == 0

    def test_the_networks_of_the_package_by_name(self, tmp_path, pictures):
        command = ['image', pictures / '04.png', '--threads', '1']
        assert run(*command, '--model', 'auto', '--out', tmp_path / 'auto') == 0
        assert run(*command, '--model', 'tiny', '--out', tmp_path / 'tiny') == 0
        names = ['04.npy', '04_color.png', '04_confidence.npy', '04_depth.png', '04_floor.npy']
        assert files_in(tmp_path / 'tiny') == names
        depths = [np.load(tmp_path / name / '04.npy') for name in ('auto', 'tiny')]
        assert not np.array_equal(*depths, equal_nan=True)

    def test_camera_and_mounting(self, tmp_path, pictures, capsys):
        model = write_model(tmp_path / 'tiny.onnx', tiny_card(mounting_input='floor'))
        camera = tmp_path / 'camera.json'
        # Calibrated at twice the size of the picture, with half the training focal length.
        camera.write_text(
            json.dumps({**CAMERA, 'width': 128, 'height': 96, 'cx': 63.5, 'cy': 47.5})
        )
        out = tmp_path / 'out'
        command = ['image', pictures / '04.png', '--model', model, '--out', out]
        assert run(*command, '--camera-file', camera) == 0
        assert np.load(out / '04.npy').mean() == pytest.approx(0.5, abs=0.01)
        command.append('--overwrite')
        assert run(*command, '--camera-height', '0.5', '--camera-pitch', '10') == 0
        depth = np.load(out / '04.npy')
        assert depth[47].mean() > depth[0].mean() + 0.5
        assert 'mounting used' in capsys.readouterr().out
        # The camera file may say the mounting as well; the command line wins.
        camera.write_text(json.dumps({**CAMERA, 'height_m': 0.5, 'pitch_deg': 10}))
        assert run(*command, '--camera-file', camera) == 0
        np.testing.assert_allclose(np.load(out / '04.npy'), depth, atol=0.05)
        assert run(*command, '--camera-file', camera, '--camera-height', '1.5') == 0
        assert np.load(out / '04.npy')[47].mean() < depth[47].mean() - 0.5

    def test_distortion_is_removed_and_said(self, tmp_path, pictures, model, capsys):
        camera = tmp_path / 'camera.json'
        out = tmp_path / 'out'
        command = ['image', pictures / '04.png', '--model', model, '--out', out, '--overwrite']
        for lens, removed in (({'k1': 0.0}, False), ({'k1': -0.4}, True)):
            camera.write_text(json.dumps({**CAMERA, **lens}))
            assert run(*command, '--camera-info', camera) == 0
            assert ('lens distortion removed' in capsys.readouterr().out) == removed
            assert (out / '04_rect.png').exists() == removed
        raw, rectified = (cv2.imread(str(f)) for f in (pictures / '04.png', out / '04_rect.png'))
        assert rectified.shape == raw.shape
        # A barrel lens draws its corners in: the rectified picture has pushed them out.
        assert (rectified != raw).any(axis=2).mean() > 0.05
        camera.write_text(json.dumps({**CAMERA, 'distortion_model': 'mei', 'k1': 0.1}))
        assert 'distortion_model' in refused(capsys, *command, '--camera-file', camera)

    def test_a_name_that_is_not_utf8(self, tmp_path, model, pictures):
        picture = os.fsdecode(os.fsencode(pictures) + b'/a\xff.png')
        os.rename(pictures / '04.png', picture)
        out = tmp_path / 'out'
        command = ['image', picture, '--model', str(model), '--out', str(out)]
        result = subprocess.run(
            [sys.executable, '-m', 'fcrn_depth_ros', *command],
            capture_output=True,
            env={**os.environ, 'PYTHONIOENCODING': 'utf-8:strict'},
            check=False,
        )
        assert (result.returncode, result.stderr) == (0, b'')
        assert b'a\\udcff.png: 0.60' in result.stdout
        assert len(files_in(out)) == 3

    def test_unknown_is_nan_and_zero(self, tmp_path, model, capsys):
        black = tmp_path / 'black.png'
        cv2.imwrite(str(black), np.zeros((48, 64, 3), np.uint8))
        out = tmp_path / 'out'
        assert run('image', black, '--model', model, '--out', out) == 0
        assert np.isnan(np.load(out / 'black.npy')).all()
        assert not cv2.imread(str(out / 'black_depth.png'), cv2.IMREAD_UNCHANGED).any()
        assert 'unknown, the picture is dark' in capsys.readouterr().out

    def test_bad_input_writes_nothing(self, tmp_path, model, pictures, capsys):
        out = tmp_path / 'out'
        text = tmp_path / 'text.jpg'
        text.write_text('no picture')
        wide = tmp_path / 'wide.json'
        wide.write_text(json.dumps({**CAMERA, 'width': 128}))
        relative = write_model(
            tmp_path / 'relative.onnx', tiny_card(output_kind='inverse_relative')
        )
        good = ['image', pictures / '04.png', '--model', model, '--out', out]
        twin = tmp_path / '04.png'
        for change, expected in (
            ([text], 'must be a picture'),
            ([tmp_path / 'none.jpg'], 'none.jpg'),
            ([pictures], 'readable'),
            ([twin], 'different names'),
            (['--camera-file', wide], 'shape 64x48, got 128x48'),
            (['--camera-info', text], 'camera file'),
            (['--camera-height', '0'], 'camera height'),
            (['--camera-pitch', '10'], 'camera height must be given'),
            (['--model', relative], 'must be metric'),
            (['--model', text], 'model file'),
        ):
            first = [] if str(change[0]).startswith('--') else change
            rest = change if not first else []
            line = refused(capsys, good[0], *first, *good[1:], *rest)
            assert expected in line
        assert files_in(out) == []
        assert 'output must lie' in refused(capsys, *good[:-1], text / 'out')


class TestNoFileIsLost:
    """Outputs replace neither inputs nor, without a word, anything that exists."""

    def test_image_beside_its_pictures(self, tmp_path, model, capsys, monkeypatch):
        monkeypatch.chdir(tmp_path)
        names = ('0001.png', '0001_depth.png', '0001_color.png')
        for name in names:
            cv2.imwrite(name, blocks(100.0))
        before = {name: (tmp_path / name).read_bytes() for name in names}
        command = ['image', '0001.png', '--model', model, '--out', '.']
        assert '0001_depth.png and 1 more, which exist' in refused(capsys, *command)
        both = [*command[:2], '0001_color.png', *command[2:]]
        for options in ([], ['--overwrite']):
            assert 'must not replace an input, got 0001_color.png' in refused(
                capsys, *both, *options
            )
        assert before == {name: (tmp_path / name).read_bytes() for name in names}
        assert not (tmp_path / '0001.npy').exists()
        assert run(*command, '--overwrite') == 0
        assert (tmp_path / '0001.png').read_bytes() == before['0001.png']
        assert (tmp_path / '0001_color.png').read_bytes() != before['0001_color.png']

    def test_a_second_run_into_the_same_folder(self, tmp_path, model, pictures, capsys):
        command = ['image', pictures / '04.png', '--model', model, '--out', tmp_path / 'out']
        assert run(*command) == 0
        capsys.readouterr()
        assert '--overwrite' in refused(capsys, *command)
        assert run(*command, '--overwrite') == 0

    def test_evaluate(self, tmp_path, model, dataset, capsys):
        command = ['evaluate', '--model', model, '--dataset', dataset]
        camera = dataset / 'good/camera.json'
        before = camera.read_bytes()
        for option in ('--json', '--sheet'):
            for target in (camera, model):
                line = refused(capsys, *command, option, target, '--overwrite')
                assert 'must not replace an input' in line
        report = tmp_path / 'report.json'
        report.write_text('{}')
        assert 'which exists' in refused(capsys, *command, '--json', report)
        assert 'different files' in refused(
            capsys, *command, '--json', report, '--sheet', report, '--overwrite'
        )
        assert report.read_text() == '{}'
        assert camera.read_bytes() == before
        assert run(*command, '--json', report, '--overwrite') == 0

    def test_quantize(self, tmp_path, pictures, capsys):
        model = write_convolutions(tmp_path / 'float.onnx')
        command = ['quantize', '--model', model, '--images', pictures, '--overwrite']
        for target in (model, pictures / '04.png'):
            assert 'must not replace an input' in refused(capsys, *command, '--out', target)


class TestQuantize:
    @pytest.fixture
    def float_model(self, tmp_path):
        return write_convolutions(tmp_path / 'float.onnx')

    def test_file_and_report(self, tmp_path, float_model, pictures, dataset, capsys):
        out, report_file = tmp_path / 'out/int8.onnx', tmp_path / 'out/report.json'
        assert run(
            'quantize', '--model', float_model, '--images', pictures, '--out', out,
            '--dataset', dataset, '--json', report_file,
        ) == 0  # fmt: skip
        assert 'AbsRel' in capsys.readouterr().out
        assert files_in(out.parent) == ['int8.onnx', 'report.json']
        report = json.loads(report_file.read_text())
        assert report['pictures'] == {'calibration': 9, 'held_out': 3}
        assert 0.0 < report['difference']['mean'] < 0.05
        lost = report['dataset']['int8']['abs_rel'] - report['dataset']['float']['abs_rel']
        assert abs(lost) < 0.05
        # The INT8 file is a model of the contract that cannot be quantised twice.
        command = ['quantize', '--model', out, '--images', pictures, '--out', tmp_path / 'x.onnx']
        assert 'must be a float one' in refused(capsys, *command)

    def test_bad_input_writes_nothing(self, tmp_path, float_model, pictures, capsys):
        out = tmp_path / 'out'
        few = tmp_path / 'few'
        few.mkdir()
        cv2.imwrite(str(few / 'a.png'), blocks(100.0))
        bag = tmp_path / 'broken.bag'
        bag.write_text('no bag')
        good = ['quantize', '--model', float_model, '--images', pictures, '--out', out / 'm.onnx']
        for change, expected in (
            (['--images', tmp_path / 'none'], 'folder of pictures must be a folder'),
            (['--images', tmp_path / 'out'], 'got none'),
            (['--images', few], 'at least 10'),
            (['--images', bag], 'bag'),
            (['--limit', '9'], 'limit'),
            (['--split', few], '--dataset'),
            (['--dataset', tmp_path / 'none'], 'dataset must be'),
            (['--model', bag], 'model file'),
        ):
            assert expected in refused(capsys, *good, *change)
        assert files_in(out) == []

    def test_a_ros2_bag(self, tmp_path, float_model):
        rosbag2 = pytest.importorskip('rosbags.rosbag2')
        from rosbags.typesys import get_typestore, Stores

        store = get_typestore(Stores.LATEST)
        header = store.types['std_msgs/msg/Header'](
            stamp=store.types['builtin_interfaces/msg/Time'](sec=1, nanosec=0), frame_id=''
        )
        bag = tmp_path / 'bag'
        with rosbag2.Writer(bag, version=9) as writer:
            kind = 'sensor_msgs/msg/Image'
            connection = writer.add_connection('/image', kind, typestore=store)
            for index in range(12):
                # Rows padded by 5 bytes.
                rows = np.pad(blocks(60.0 + 10 * index).reshape(48, 192), ((0, 0), (0, 5)))
                message = store.types[kind](
                    header=header, height=48, width=64, encoding='bgr8', is_bigendian=0,
                    step=197, data=rows.ravel(),
                )  # fmt: skip
                writer.write(connection, index, store.serialize_cdr(message, kind))
        out = tmp_path / 'int8.onnx'
        command = ['quantize', '--model', float_model, '--images', bag, '--out', out]
        assert run(*command) == 0
        assert out.is_file()
        other = tmp_path / 'other.onnx'
        assert run(*command[:-1], other, '--topic', '/depth') == 2
        assert not other.exists()


def write_convolutions(path):
    """Write a contract model with convolutions, which quantisation has something to do with."""
    onnx = pytest.importorskip('onnx')
    from onnx import helper, numpy_helper, TensorProto

    card = tiny_card(input_scale=(0.01, 0.01, 0.01))
    random = np.random.default_rng(0)
    nodes, weights, source, channels = [], [], 'image', 3
    for index, width in enumerate((8, 8, 1)):
        kernel = np.abs(random.normal(0.0, 1.0, (width, channels, 3, 3)))
        kernel /= kernel.sum((1, 2, 3), keepdims=True)
        weights.append(numpy_helper.from_array(kernel.astype(np.float32), f'w{index}'))
        target = card.output_name if index == 2 else f'x{index}'
        nodes.append(
            helper.make_node(
                'Conv', [source, f'w{index}'], [target], f'conv{index}', pads=[1, 1, 1, 1]
            )
        )
        source, channels = target, width
    graph = helper.make_graph(
        nodes,
        'tiny',
        [helper.make_tensor_value_info('image', TensorProto.FLOAT, [1, 3, 24, 32])],
        [helper.make_tensor_value_info(card.output_name, TensorProto.FLOAT, [1, 1, 24, 32])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    helper.set_model_props(model, card.to_metadata())
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(
    ('argv0', 'program'),
    [
        ('/x/fcrn_depth_ros/__main__.py', 'python -m fcrn_depth_ros'),
        ('/x/fcrn-depth', 'fcrn-depth'),
    ],
)
def test_errors_name_the_program_as_it_was_called(tmp_path, capsys, monkeypatch, argv0, program):
    monkeypatch.setattr(sys, 'argv', [argv0])
    line = refused(capsys, 'image', tmp_path / 'none.png', '--out', tmp_path)
    assert line.startswith(f'{program} image: error: ')
    with pytest.raises(SystemExit):
        main(['image'])
    assert f'usage: {program} image' in capsys.readouterr().err


def test_image_needs_no_package_of_the_tools():
    blocked = ('tqdm', 'pooch', 'matplotlib', 'onnx', 'h5py', 'rosbags', 'requests')
    script = (
        f'import sys; sys.modules.update(dict.fromkeys({blocked}))\n'
        'from fcrn_depth_ros.__main__ import main\n'
        "sys.exit(main(['image', '--help']))"
    )
    result = subprocess.run([sys.executable, '-c', script], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_command_shows_its_help():
    for command in COMMANDS:
        result = subprocess.run(
            [sys.executable, '-m', 'fcrn_depth_ros', command, '--help'],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        assert 'usage: python -m fcrn_depth_ros' in result.stdout


def test_the_console_script_goes_by_its_own_name(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['/usr/local/bin/fcrn-depth', 'image', '--help'])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith('usage: fcrn-depth image ')


@pytest.mark.parametrize('arguments', [[], ['paint'], ['image'], ['evaluate', '--dataset']])
def test_unknown_commands_and_missing_options_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert 'usage' in capsys.readouterr().err


def test_a_missing_package_is_named(monkeypatch, capsys):
    for name in [
        name for name in sys.modules if name.startswith('fcrn_depth_ros.tools.measure.quantiz')
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'onnx', None)
    assert main(['quantize', '--help']) == 2
    assert 'onnx' in capsys.readouterr().err
