# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import pytest
from simulation.simulate import parse_command_line


def test_figures_replace_neither_the_model_nor_an_old_file_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures, model = tmp_path / 'figures.json', tmp_path / 'model.onnx'
    assert parse_command_line(['--json', str(figures)]).json == figures
    figures.write_text('{}')
    model.write_text('network')
    for words, expected in (
        (['--json', str(figures)], 'which exists'),
        (['--json', str(model), '--model', str(model), '--overwrite'], 'replace an input'),
    ):
        with pytest.raises(SystemExit) as ended:
            parse_command_line(words)
        assert ended.value.code == 2
        assert expected in capsys.readouterr().err
    assert parse_command_line(['--json', str(figures), '--overwrite']).json == figures
