# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Find the package's launch, config and rviz files, with ROS and without."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from ..errors import ToolInputError

PACKAGE_NAME = 'fcrn_depth_ros'


def share_directory() -> Path:
    """
    Find the directory that holds ``launch/``, ``config/`` and ``rviz/``.

    Returns
    -------
    Path
        From the ament index where this package is registered in one, else from the files that
        pip installed, else the checkout that the code is imported from.

    Raises
    ------
    ToolInputError
        If the package is in none of these places.

    """
    for find in (_ament_share, _installed_share, _checkout):
        directory = find()
        if directory is not None:
            return directory
    raise ToolInputError(
        f'{PACKAGE_NAME} must be installed with its share files, got only the modules in '
        f'{Path(__file__).parent.parent}; run `pip install .` or `colcon build` in the checkout'
    )


def _ament_share() -> Path | None:
    try:
        from ament_index_python.packages import get_package_share_directory, PackageNotFoundError
    except ImportError:
        return None
    try:
        return Path(get_package_share_directory(PACKAGE_NAME))
    except (PackageNotFoundError, OSError):  # OSError: AMENT_PREFIX_PATH is not set
        return None


def _installed_share() -> Path | None:
    try:
        files = importlib.metadata.files(PACKAGE_NAME) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    # The recorded paths are right for every install scheme: prefix, --user, --target.
    for file in files:
        if file.parts[-3:] == ('share', PACKAGE_NAME, 'package.xml'):
            return Path(str(file.locate())).resolve().parent
    return None


def _checkout() -> Path | None:
    root = Path(__file__).resolve().parents[2]
    return root if (root / 'package.xml').is_file() else None
