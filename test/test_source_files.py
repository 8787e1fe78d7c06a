# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Every source file names its authors and its licence."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ('fcrn_depth_ros', 'launch', 'scripts', 'benchmark', 'simulation', 'training', 'test')
HEADER = [
    '# Copyright 2026 the fcrn_depth_ros authors',
    '# SPDX-License-Identifier: Apache-2.0',
]


def is_source(path: Path) -> bool:
    """Tell whether a file is Python or a script."""
    if path.suffix in ('.py', '.sh'):
        return True
    return path.suffix == '' and path.is_file() and path.read_bytes()[:2] == b'#!'


SOURCES = [
    ROOT / 'setup.py',
    ROOT / '.ci' / 'run',
    *(path for name in FOLDERS for path in sorted((ROOT / name).rglob('*')) if is_source(path)),
]


@pytest.mark.parametrize('path', SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_starts_with_copyright_and_licence(path: Path) -> None:
    lines = path.read_text(encoding='utf-8').splitlines()
    assert lines[lines[0].startswith('#!') :][:2] == HEADER


def test_scripts_are_among_the_sources() -> None:
    names = {path.name for path in SOURCES}
    assert {'run', 'check', 'generate_parameter_files', 'environment.sh', 'conftest.py'} <= names
