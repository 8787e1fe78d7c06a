# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Folders of a training's run that no training made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml


def write_run(folder: Path, config: Mapping[str, Any], network: torch.nn.Module) -> str:
    """Write what `training.export` and `training.check` read of a run, and return its path."""
    folder.mkdir()
    (folder / 'config.yaml').write_text(yaml.safe_dump(dict(config)))
    torch.save({'average': network.state_dict()}, folder / 'checkpoint.pt')
    return str(folder)
