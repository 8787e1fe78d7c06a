# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The share directory: the ament index, then pip's files, then the checkout."""

from __future__ import annotations

import contextlib
from pathlib import Path
import sys

from fcrn_depth_ros.errors import ToolInputError
from fcrn_depth_ros.ros import package_share
import pytest

with contextlib.suppress(ImportError):
    import ament_index_python.packages  # noqa: F401  (imported before sys.path is emptied)

CHECKOUT = Path(__file__).resolve().parents[3]


def make_ament_prefix(prefix: Path) -> Path:
    marker = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages' / 'fcrn_depth_ros'
    marker.parent.mkdir(parents=True)
    marker.touch()
    share = prefix / 'share' / 'fcrn_depth_ros'
    share.mkdir()
    return share


def make_pip_install(site_packages: Path) -> Path:
    """Lay out what pip leaves in an environment: a record that names the share files."""
    information = site_packages / 'fcrn_depth_ros-0.1.0.dist-info'
    information.mkdir(parents=True)
    (information / 'METADATA').write_text('Metadata-Version: 2.1\nName: fcrn_depth_ros\n')
    (information / 'RECORD').write_text(
        'fcrn_depth_ros/__init__.py,,\n../share/fcrn_depth_ros/package.xml,,\n'
    )
    share = site_packages.parent / 'share' / 'fcrn_depth_ros'
    share.mkdir(parents=True)
    (share / 'package.xml').touch()
    return share


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give an interpreter in which the package is neither registered nor installed."""
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)
    monkeypatch.setattr(sys, 'path', [str(tmp_path / 'site-packages')])
    return tmp_path


def test_the_ament_index_comes_first(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if 'ament_index_python' not in sys.modules:
        pytest.skip('ament_index_python is not installed')
    make_pip_install(outside / 'site-packages')
    share = make_ament_prefix(outside / 'prefix')
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(outside / 'prefix'))
    assert package_share.share_directory() == share


def test_an_index_without_the_package_is_passed_over(
    outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(outside))
    assert package_share.share_directory() == CHECKOUT


def test_pip_files_come_before_the_checkout(outside: Path) -> None:
    share = make_pip_install(outside / 'site-packages')
    assert package_share.share_directory() == share


def test_the_checkout_serves_what_is_not_installed(outside: Path) -> None:
    share = package_share.share_directory()
    assert share == CHECKOUT
    assert (share / 'launch' / 'depth.launch.py').is_file()


def test_modules_without_share_files_are_an_error_that_says_what_to_do(
    outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_share, '__file__', str(outside / 'a' / 'package_share.py'))
    with pytest.raises(ToolInputError, match=r'must be installed .* got .*; run `pip install'):
        package_share.share_directory()


@pytest.mark.parametrize(
    'path',
    [
        'config/depth_node.yaml',
        'config/alert_node.yaml',
        'launch/depth.launch.py',
        'rviz/depth.rviz',
        'package.xml',
    ],
)
def test_the_checkout_holds_every_share_file(path: str) -> None:
    assert (CHECKOUT / path).is_file()
