# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A missing optional package skips its tests, and a skip without leave fails in CI."""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

HERE = Path(__file__).resolve().parent
# A package that conftest.py knows as optional, and that no machine has.
BLOCKED = "import sys\nsys.modules['torch'] = None\n"
TESTS = {
    'module': f'{BLOCKED}import torch\ndef test_it(): pass\n',
    'submodule': f'{BLOCKED}from torch.nn import Module\ndef test_it(): pass\n',
    'call': "import pytest\ndef test_it(): pytest.skip('no reason at all')\n",
    'mark': "import pytest\n@pytest.mark.skip(reason='not now')\ndef test_it(): pass\n",
    'level': "import pytest\npytest.skip('not here', allow_module_level=True)\n",
    'listed': "import pytest\ndef test_it(): pytest.skip('it is too dark here')\n",
    'unknown': 'import no_such_package\n',
    'name': 'from json import nothing\n',
    'xfail': 'import pytest\n@pytest.mark.xfail\ndef test_it(): raise RuntimeError\n',
}
SKIPS = ('module', 'submodule', 'call', 'mark', 'level')


@pytest.fixture(scope='module')
def summaries(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, str]:
    """Run TESTS under a copy of conftest.py, outside and inside continuous integration."""
    folder = tmp_path_factory.mktemp('tests')
    shutil.copy(HERE / 'conftest.py', folder)
    (folder / 'pytest.ini').write_text(
        '[pytest]\naddopts = -rA -q --import-mode=importlib --continue-on-collection-errors '
        '-p no:cacheprovider -p no:launch_testing -p no:launch_ros\n'
    )
    (folder / 'allowed_skips.yaml').write_text(
        '[{tests: test_listed.py, reason: too dark, because: nobody needs to see it}]'
    )
    for name, test in TESTS.items():
        (folder / f'test_{name}.py').write_text(test)
    return {
        is_ci: subprocess.run(
            [sys.executable, '-m', 'pytest'],
            cwd=folder,
            env=os.environ | {'CI': 'true' if is_ci else '', 'PYTEST_ADDOPTS': ''},
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        for is_ci in (False, True)
    }


def outcome(summary: str, name: str) -> str:
    """Return the word before the test in pytest's summary."""
    (line,) = (
        line for line in summary.splitlines() if f' test_{name}.py' in line and line[0].isupper()
    )
    return line.split()[0]


@pytest.mark.parametrize('name', SKIPS)
def test_a_skip_fails_in_continuous_integration_only(
    summaries: dict[bool, str], name: str
) -> None:
    assert outcome(summaries[False], name) == 'SKIPPED'
    assert outcome(summaries[True], name) in ('FAILED', 'ERROR')
    assert f'test_{name}.py' in summaries[True]
    assert 'must run in continuous integration, got a skip' in summaries[True]


def test_the_skip_of_a_missing_package_names_the_module_and_what_to_do(
    summaries: dict[bool, str],
) -> None:
    assert 'test_module.py:1: needs torch (scripts/test_training)' in summaries[False]
    assert 'test_submodule.py:1: needs torch' in summaries[False]


def test_a_listed_skip_passes(summaries: dict[bool, str]) -> None:
    assert outcome(summaries[True], 'listed') == 'SKIPPED'


@pytest.mark.parametrize('name', ['unknown', 'name'])
def test_a_wrong_import_is_an_error_everywhere(summaries: dict[bool, str], name: str) -> None:
    assert {outcome(summary, name) for summary in summaries.values()} == {'ERROR'}


def test_an_expected_failure_is_no_skip(summaries: dict[bool, str]) -> None:
    assert outcome(summaries[True], 'xfail') == 'XFAIL'
