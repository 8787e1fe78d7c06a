# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The files that describe the package say the same."""

from __future__ import annotations

import ast
from pathlib import Path
import re
import sys
import xml.etree.ElementTree as ElementTree

import fcrn_depth_ros
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE_XML = ElementTree.parse(ROOT / 'package.xml').getroot()
EXECUTABLES = ('depth_node', 'alert_node', 'bringup', 'image_source', 'demo_recorder')

# rosdep keys of what our code imports under another name, or only where it is installed.
ROSDEP_KEYS = {
    'cv2': 'python3-opencv',
    'numpy': 'python3-numpy',
    'onnxruntime': 'python3-onnxruntime-pip',
    'yaml': 'python3-yaml',
}
OPTIONAL = {
    # google.protobuf comes with coremltools.
    'coremltools',
    'google',
    'gpiozero',
    'h5py',
    'irobot_create_msgs',
    'onnx',
    'rosbags',
    'turtlebot3_msgs',
}


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
    # ros2launch gives the command `ros2 launch`; nothing imports it.
    assert depends == needed | {'ros2launch'}


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
