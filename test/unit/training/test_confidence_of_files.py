# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
from packed_frames import CAMERA, floor_frame, plain_frame
import pytest
import torch
from torch import nn
from training import confidence
from training.network import Prediction
from training.pack import read_pack, write_pack

CONFIG = {'input_width': 160, 'input_height': 120, 'training_fx_px': CAMERA.fx_px / 2}


class SureOfTheRight(nn.Module):
    """Says 2 m on the left and 3 m on the right, and expects errors by columns."""

    def forward(self, image: torch.Tensor, inverse_floor: torch.Tensor) -> Prediction:
        columns = torch.linspace(0, 1, image.shape[-1]).expand(len(image), 1, *image.shape[-2:])
        depth = torch.where(columns < 0.5, 2.0, 3.0)
        return Prediction(depth.log(), (0.1 + columns).log(), None)


def test_a_confidence_that_knows_the_errors(tmp_path: Path) -> None:
    write_pack(tmp_path / 'val.pack', [('wall', [plain_frame(2.0)])])
    frames = read_pack(tmp_path / 'val.pack')
    figures = confidence.measure(SureOfTheRight(), frames, CONFIG)
    assert figures.deciles[:4] == pytest.approx(0.0, abs=0.01)
    assert figures.deciles[6:] == pytest.approx(np.log(1.5), abs=0.01)
    assert figures.ause.value == pytest.approx(0.0, abs=0.01)
    # Mirrored, the network says 3 m where it said 2 m: the same difference everywhere.
    assert figures.ause_flip.value > 0.1
    text = confidence.table({'wall': figures})
    assert text.splitlines()[2].startswith('| wall | 0.00')
    picture = confidence.draw({'wall': figures, 'again': figures})
    assert picture.shape == (240, 480, 3) and picture.min() < 100


def test_a_mirror_turns_camera_and_floor(tmp_path: Path) -> None:
    write_pack(tmp_path / 'val.pack', [('floor', [floor_frame()])])
    frames = read_pack(tmp_path / 'val.pack')
    there = confidence.mirrored(frames)
    assert there.cameras[0, 2] == pytest.approx(319 - frames.cameras[0, 2])
    assert there.planes[0] == pytest.approx(frames.planes[0] * (-1, 1, 1))
    assert (there.images[0, :, :, 0] == frames.images[0, :, :, -1]).all()
    back = confidence.mirrored(there)
    assert (back.cameras == frames.cameras).all() and (back.images == frames.images).all()


def test_a_network_without_expected_error_is_refused(tmp_path: Path) -> None:
    class Silent(SureOfTheRight):
        def forward(self, image: torch.Tensor, inverse_floor: torch.Tensor) -> Prediction:
            return super().forward(image, inverse_floor)._replace(log_error=None)

    write_pack(tmp_path / 'val.pack', [('wall', [plain_frame(2.0)])])
    with pytest.raises(ValueError, match='must predict an error'):
        confidence.measure(Silent(), read_pack(tmp_path / 'val.pack'), CONFIG)
