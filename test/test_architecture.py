# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The layers of the package: who may import whom, and that ROS stays in one of them."""

from __future__ import annotations

import ast
from collections.abc import Container
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
import re
import subprocess
import sys

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / 'fcrn_depth_ros'
MODULES = sorted(PACKAGE.rglob('*.py'))

# A layer is a folder or a module of the package. The figure has an arrow from each layer to those
# that may import it, and through them to the next.
FIGURE = (PACKAGE.parent / 'docs' / 'architecture.md').read_text(encoding='utf-8')
ARROWS = {
    (right, left) for left, right in re.findall(r'^ +(\w+) --> (\w+)$', FIGURE, re.MULTILINE)
}


def reachable(layer: str) -> set[str]:
    """List the layers that a layer may import."""
    found: set[str] = set()
    for importer, imported in ARROWS:
        if importer == layer:
            found |= {imported} | reachable(imported)
    return found


LAYERS = {path.relative_to(PACKAGE).with_suffix('').parts[0] for path in MODULES}
ALLOWED_IMPORTS = {layer: reachable(layer) for layer in LAYERS}
ROS_LAYERS = ('ros', 'dashboard', 'nodes')

ROS_PACKAGES = {
    'ament_index_python',
    'builtin_interfaces',
    'cv_bridge',
    'launch',
    'launch_ros',
    'rclpy',
    'tf2_ros',
}
ONNXRUNTIME_MODULES = {
    'estimation/onnx_model.py',
    'tools/measure/activations.py',
    'tools/measure/quantization.py',
}
VAGUE_NAMES = {'base', 'common', 'core', 'helper', 'helpers', 'manager', 'misc', 'util', 'utils'}


def layer_of(module: Path) -> str:
    return module.relative_to(PACKAGE).with_suffix('').parts[0]


def imported_names(module: Path) -> set[str]:
    """List what a module imports, with relative imports made absolute."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = [node.module] if node.module else []
            if node.level:
                folder = module.parent
                for _ in range(node.level - 1):
                    folder = folder.parent
                origin = [*folder.relative_to(PACKAGE.parent).parts, *origin]
            base = '.'.join(origin)
            names |= {f'{base}.{alias.name}' for alias in node.names}
    return names


def test_the_import_reader_resolves_relative_imports(tmp_path: Path) -> None:
    module = PACKAGE / 'camera' / 'intrinsics.py'
    assert 'fcrn_depth_ros.errors.CameraInfoError' in imported_names(module)


@pytest.mark.parametrize('module', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(module: Path) -> None:
    layer = layer_of(module)
    assert imported_layers(module) - {layer} <= ALLOWED_IMPORTS[layer]


def imported_layers(module: Path) -> set[str]:
    imported = {
        name.split('.')[1] for name in imported_names(module) if name.startswith('fcrn_depth_ros.')
    }
    # `from . import __version__` and the like name an attribute, not a layer.
    return imported & LAYERS


def test_the_figure_shows_every_layer_and_no_arrow_without_an_import() -> None:
    assert {layer for arrow in ARROWS for layer in arrow} == LAYERS - {'__init__'}
    used = {
        (layer_of(module), imported) for module in MODULES for imported in imported_layers(module)
    }
    assert ARROWS - used == {('__main__', 'tools')}  # which imports the command that is asked for


@pytest.mark.parametrize('module', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_within_the_package_are_relative(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding='utf-8'))
    absolute = [
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.level == 0
        and (node.module or '').split('.')[0] == 'fcrn_depth_ros'
    ]
    assert not absolute


@pytest.mark.parametrize('module', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_ros_is_imported_in_its_layers_only(module: Path) -> None:
    if layer_of(module) in ROS_LAYERS:
        return
    roots = {name.split('.')[0] for name in imported_names(module)}
    assert not roots & ROS_PACKAGES
    assert not {root for root in roots if root.endswith('_msgs')}


@pytest.mark.parametrize('module', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_onnxruntime_is_imported_in_one_module_of_the_domain(module: Path) -> None:
    roots = {name.split('.')[0] for name in imported_names(module)}
    if 'onnxruntime' in roots:
        assert module.relative_to(PACKAGE).as_posix() in ONNXRUNTIME_MODULES


@pytest.mark.parametrize('module', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_is_named_for_what_it_does(module: Path) -> None:
    assert not set(module.relative_to(PACKAGE).with_suffix('').parts) & VAGUE_NAMES


def test_no_modules_import_each_other_in_a_circle() -> None:
    root = PACKAGE.parent
    folders = ('fcrn_depth_ros', 'simulation', 'training', 'benchmark')
    modules = {
        '.'.join(path.relative_to(root).with_suffix('').parts).removesuffix('.__init__'): path
        for folder in folders
        for path in (root / folder).rglob('*.py')
    }
    imports = {
        module: {known for name in imported_names(path) if (known := _module_of(name, modules))}
        - {module}
        for module, path in modules.items()
    }
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail('imports must not form a circle, got ' + ' <- '.join(error.args[1]))


def _module_of(name: str, modules: Container[str]) -> str:
    """Name the module that an imported name is, or is an attribute of; empty for others."""
    return next((n for n in (name, name.rpartition('.')[0]) if n in modules), '')


IMPORT_WITHOUT_ROS = """
import importlib, importlib.abc, sys

class BlockRos(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        root = name.split('.')[0]
        if root in {blocked} or root.endswith('_msgs') or root.startswith('rosidl'):
            raise ModuleNotFoundError('blocked: ' + name, name=name)

sys.meta_path.insert(0, BlockRos())
try:
    import rclpy
except ModuleNotFoundError:
    pass
else:
    sys.exit('rclpy was not blocked')
for module in {modules}:
    importlib.import_module(module)
"""


def test_everything_but_the_ros_layers_imports_without_ros() -> None:
    pytest.importorskip('onnx', reason='needs onnx, which some of the tools import')
    modules = [
        '.'.join(path.relative_to(PACKAGE.parent).with_suffix('').parts)
        for path in MODULES
        if layer_of(path) not in (*ROS_LAYERS, '__main__')
    ]
    # The launch file's plan and the documentation are made without ROS too.
    modules += ['fcrn_depth_ros.ros.node_settings', 'fcrn_depth_ros.ros.launch_plan']
    script = IMPORT_WITHOUT_ROS.format(blocked=sorted(ROS_PACKAGES), modules=modules)
    result = subprocess.run(
        [sys.executable, '-W', 'error', '-c', script],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
