# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The files that describe the package say the same."""

from __future__ import annotations

import ast
import configparser
from email.parser import Parser
from pathlib import Path
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile

import fcrn_depth_ros
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE_XML = ElementTree.parse(ROOT / 'package.xml').getroot()
EXECUTABLES = (
    'depth_node',
    'alert_node',
    'bringup',
    'image_source',
    'demo_recorder',
    'dashboard',
)
MODELS = [
    f'fcrn_depth_ros/models/{name}.onnx'
    for name in ('fcrn_lite', 'fcrn_lite_int8', 'fcrn_lite_tiny_int8')
]

# rosdep keys of what our code imports under another name, or only where it is installed.
ROSDEP_KEYS = {
    'aiohttp': 'python3-aiohttp',
    'cv2': 'python3-opencv',
    'numpy': 'python3-numpy',
    'onnxruntime': 'python3-onnxruntime-pip',
    'yaml': 'python3-yaml',
}
OPTIONAL = {
    # google.protobuf comes with coremltools.
    'coremltools',
    'cryptography',
    'foxglove',
    'fsspec',
    'google',
    'gpiozero',
    'h5py',
    'mcap',
    'irobot_create_msgs',
    'onnx',
    'pooch',
    'pyarrow',
    'ray',
    'requests',
    'rosbags',
    'segno',
    'tqdm',
    'turtlebot3_msgs',
}
# ros2launch gives the command `ros2 launch`; tf2_ros listens to the messages of tf2_msgs.
NOT_IMPORTED_BY_NAME = {'ros2launch', 'tf2_msgs'}


def test_the_version_is_the_same_everywhere() -> None:
    assert PACKAGE_XML.findtext('version') == fcrn_depth_ros.__version__
    changelog = (ROOT / 'CHANGELOG.rst').read_text()
    assert 'Forthcoming' in changelog or fcrn_depth_ros.__version__ in changelog


@pytest.mark.parametrize('name', EXECUTABLES)
def test_every_executable_has_a_main(name: str) -> None:
    module = ast.parse((ROOT / 'fcrn_depth_ros' / 'nodes' / f'{name}.py').read_text())
    assert 'main' in {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    assert f"'{name}'" in (ROOT / 'setup.py').read_text()


def test_package_xml_names_every_dependency() -> None:
    depends = {element.text for element in PACKAGE_XML if element.tag == 'exec_depend'}
    imported = set()
    for module in [*(ROOT / 'fcrn_depth_ros').rglob('*.py'), *(ROOT / 'launch').glob('*.py')]:
        for node in ast.walk(ast.parse(module.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                imported.add(node.module.split('.')[0])
    standard = {'__future__', 'fcrn_depth_ros', *sys.stdlib_module_names}
    needed = {ROSDEP_KEYS.get(name, name) for name in imported - standard - OPTIONAL}
    assert depends == needed | NOT_IMPORTED_BY_NAME


def test_the_hooks_run_the_tools_that_the_checks_run() -> None:
    hooks = (ROOT / '.pre-commit-config.yaml').read_text()
    pinned = dict(
        re.findall(
            r'^(ruff|codespell)==(\S+)$',
            (ROOT / 'requirements' / 'dev.txt').read_text(),
            re.MULTILINE,
        )
    )
    assert re.findall(r'rev: v(\S+)', hooks) == [pinned['ruff'], pinned['codespell']]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build the wheel that `pip install .` would install, with models of no bytes."""
    pytest.importorskip('setuptools.command.bdist_wheel', reason='needs setuptools 70.1 or newer')
    folder = tmp_path_factory.mktemp('wheel')
    source = folder / 'source'
    source.mkdir()
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, source)
    for name in ('fcrn_depth_ros', 'launch', 'config', 'rviz', 'resource', 'requirements'):
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns('*.onnx', '__pycache__')
        )
    for model in MODELS:
        (source / model).touch()
    command = [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation']
    result = subprocess.run(
        [*command, '--no-index', '--wheel-dir', folder, source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return zipfile.ZipFile(next(folder.glob('*.whl')))


def test_the_wheel_contains_every_file_that_is_used_at_run_time(wheel: zipfile.ZipFile) -> None:
    files = set(wheel.namelist())
    expected = {'fcrn_depth_ros/py.typed', *MODELS}
    for pattern in ('*.py', 'models/*', 'demo_clip/*', 'dashboard/web/**/*'):
        expected |= {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / 'fcrn_depth_ros').rglob(pattern)
            if path.is_file()
        }
    share = f'fcrn_depth_ros-{fcrn_depth_ros.__version__}.data/data/share'
    expected.add(f'{share}/ament_index/resource_index/packages/fcrn_depth_ros')
    expected.add(f'{share}/fcrn_depth_ros/package.xml')
    for folder in ('launch', 'config', 'rviz'):
        expected |= {
            f'{share}/fcrn_depth_ros/{path.relative_to(ROOT).as_posix()}'
            for path in (ROOT / folder).rglob('*')
            if path.is_file() and '__pycache__' not in path.parts
        }
    assert expected <= files
    strangers = {name for name in files - expected if '.dist-info/' not in name}
    assert not strangers


def test_the_networks_of_the_package_stay_small() -> None:
    found = list((ROOT / 'fcrn_depth_ros' / 'models').glob('*.onnx'))
    assert {path.relative_to(ROOT).as_posix() for path in found} == set(MODELS)
    assert sum(path.stat().st_size for path in found) <= 30e6


def test_the_wheel_describes_the_package(wheel: zipfile.ZipFile) -> None:
    folder = f'fcrn_depth_ros-{fcrn_depth_ros.__version__}.dist-info'
    metadata = Parser().parsestr(wheel.read(f'{folder}/METADATA').decode())
    assert metadata['Author'] == PACKAGE_XML.findtext('author') == 'fcrn_depth_ros authors'
    assert metadata['Requires-Python'] == '>=3.10'
    assert 'Typing :: Typed' in metadata.get_all('Classifier', [])
    assert str(metadata.get_payload()).lstrip().startswith('# fcrn_depth_ros')
    entry_points = wheel.read(f'{folder}/entry_points.txt').decode()
    assert 'fcrn-depth = fcrn_depth_ros.__main__:main' in entry_points


def test_executables_that_colcon_installs_take_the_python_of_an_active_environment() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg', encoding='utf-8')
    assert config['build_scripts']['executable'] == '/usr/bin/env python3'
