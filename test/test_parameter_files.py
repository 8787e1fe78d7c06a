# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""config/*_node.yaml, docs/parameters.md and README.md say what the code says."""

from __future__ import annotations

from pathlib import Path
import shutil
import subprocess
import sys

from fcrn_depth_ros.ros.node_settings import NODE_SETTINGS
from fcrn_depth_ros.settings import describe_settings
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
YAML_NODES = ('depth_node', 'alert_node')
GENERATED = ('config/depth_node.yaml', 'config/alert_node.yaml', 'docs/parameters.md')


def run_generator(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / 'scripts' / 'generate_parameter_files'), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_committed_files_are_up_to_date() -> None:
    result = run_generator(ROOT, '--check')
    assert result.returncode == 0, result.stdout + result.stderr


def copy_project(root: Path) -> None:
    for part in ('scripts', 'config', 'docs'):
        shutil.copytree(ROOT / part, root / part)
    shutil.copy(ROOT / 'README.md', root)
    (root / 'fcrn_depth_ros').symlink_to(ROOT / 'fcrn_depth_ros')


@pytest.mark.parametrize('outdated', GENERATED)
def test_a_changed_file_is_reported_and_rewritten(tmp_path: Path, outdated: str) -> None:
    copy_project(tmp_path)
    run_generator(tmp_path)
    path = tmp_path / outdated
    generated = path.read_text()
    path.write_text(generated + 'a line that no setting explains\n')
    check = run_generator(tmp_path, '--check')
    assert check.returncode == 1
    assert check.stdout == f'{outdated} is out of date\n'
    assert run_generator(tmp_path).stdout == f'{outdated} written\n'
    assert path.read_text() == generated


def test_a_wrong_default_in_the_readme_is_reported_and_mended(tmp_path: Path) -> None:
    copy_project(tmp_path)
    readme = tmp_path / 'README.md'
    right = readme.read_text()
    row = '| `near_distance_m` | `1.0` |'
    readme.write_text(right.replace(row, row.replace('1.0', '7')))
    assert readme.read_text() != right
    assert run_generator(tmp_path, '--check').stdout == 'README.md is out of date\n'
    run_generator(tmp_path)
    assert readme.read_text() == right


@pytest.mark.parametrize('node', YAML_NODES)
def test_the_yaml_file_holds_the_defaults_of_the_code(node: str) -> None:
    parameters = yaml.safe_load((ROOT / 'config' / f'{node}.yaml').read_text())
    assert list(parameters) == ['/**']
    values = parameters['/**']['ros__parameters']
    declared = set()
    for config_class in NODE_SETTINGS[node]:
        settings = describe_settings(config_class)
        declared |= set(settings)
        for name, (default, _) in settings.items():
            expected = [*default] or [''] if isinstance(default, tuple) else default
            assert (name, values[name], type(values[name])) == (name, expected, type(expected))
    assert set(values) == declared


@pytest.mark.parametrize('node', NODE_SETTINGS)
def test_no_two_settings_of_a_node_share_a_name(node: str) -> None:
    names = [
        name for config_class in NODE_SETTINGS[node] for name in describe_settings(config_class)
    ]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize('node', NODE_SETTINGS)
def test_the_page_has_a_row_for_every_parameter(node: str) -> None:
    page = (ROOT / 'docs' / 'parameters.md').read_text()
    section = page.split(f'\n## {node}\n')[1].split('\n## ')[0]
    rows = [line.split('`')[1] for line in section.splitlines() if line.startswith('| `')]
    assert rows == [
        name for config_class in NODE_SETTINGS[node] for name in describe_settings(config_class)
    ]
