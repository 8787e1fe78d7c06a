# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The boundary to onnxruntime: a model file in, a checked session out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import hashlib
import json
from pathlib import Path
import re
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
import onnxruntime

from .model_card import ModelCard
from .trained_range import load_trained_range, TrainedRange
from ..errors import (
    ConfigurationError,
    InferenceError,
    ModelCardError,
    ModelFileError,
    ProviderError,
)
from ..settings import setting, Settings

PROVIDERS = {
    'CPU': 'CPUExecutionProvider',
    'CUDA': 'CUDAExecutionProvider',
    'TensorRT': 'TensorrtExecutionProvider',
    'OpenVINO': 'OpenVINOExecutionProvider',
    'CoreML': 'CoreMLExecutionProvider',
    'XNNPACK': 'XnnpackExecutionProvider',
    'DirectML': 'DmlExecutionProvider',
    'ROCm': 'ROCMExecutionProvider',
    'MIGraphX': 'MIGraphXExecutionProvider',
    'ACL': 'ACLExecutionProvider',
    'ArmNN': 'ArmNNExecutionProvider',
    'QNN': 'QNNExecutionProvider',
    'CANN': 'CANNExecutionProvider',
    'RKNPU': 'RknpuExecutionProvider',
    'VitisAI': 'VitisAIExecutionProvider',
    'WebGPU': 'WebGpuExecutionProvider',
}
# Interpolation and quantisation leave 0..1 by a little; logits and percentages by far.
_SHARE_TOLERANCE = 0.02
# Output maps are a little off the input's aspect where strides do not divide it (FCRN: 304x228
# in, 160x128 out); more is another picture than the one that was put in.
_ASPECT_TOLERANCE = 0.1
_INT8_PROVIDERS = ('CPU', 'OpenVINO')
# How onnxruntime words it, somewhere in several hundred characters.
_UNKNOWN_IR = re.compile(r'model IR version: (\d+), max supported IR version: (\d+)')
_UNKNOWN_OPSET = re.compile(
    r'Opset (\d+) is under development.*support for domain (\S+) is till opset (\d+)', re.DOTALL
)
_UNKNOWN_OPERATOR = re.compile(r'(\S+) is not a registered function/op')
MODELS = Path(__file__).parent.parent / 'models'


class InferenceSession(Protocol):
    """The part of onnxruntime.InferenceSession that is used here."""

    def get_inputs(self) -> Sequence[Any]:
        """Return the inputs, each with name, shape and type."""

    def get_outputs(self) -> Sequence[Any]:
        """Return the outputs, each with name, shape and type."""

    def get_modelmeta(self) -> Any:
        """Return the metadata; ``custom_metadata_map`` holds metadata_props."""

    def get_providers(self) -> list[str]:
        """Return the execution providers in use, the first one first."""

    def run(self, output_names: list[str], input_feed: dict[str, NDArray[Any]]) -> list[Any]:
        """Return the named outputs."""


@dataclass(frozen=True)
class SessionConfig(Settings):
    """Execution of the network."""

    provider: str = setting(
        'CPU',
        f'Execution provider of onnxruntime: one of {", ".join(PROVIDERS)}. The installed '
        'onnxruntime must have it.',
        read_only=True,
    )
    provider_options: str = setting(
        '',
        'Options of the provider as a JSON object, for example {"device_type": "GPU"}. Empty '
        'means none.',
        read_only=True,
    )
    allow_provider_fallback: bool = setting(
        False,
        'Run on the CPU when the provider is not available. With false, the node refuses to '
        'configure.',
        read_only=True,
    )
    intra_op_threads: int = setting(
        1,
        'Threads of one inference. 0 means one per core. More than one is faster only on idle '
        'cores.',
        minimum=0,
        maximum=256,
        read_only=True,
    )
    allow_spinning: bool = setting(
        False,
        'Let idle inference threads spin. Inference is a little faster, but other processes get '
        'less CPU time.',
        read_only=True,
    )

    exact_int8: bool = setting(
        False,
        'Add 8-bit products without saturation on x86 processors that have no VNNI, as all others '
        'do: for INT8 files with weights of 8 bits, at about a third more time. The files of this '
        'package, and those that `quantize` writes, have weights of 7 bits and never saturate.',
        read_only=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.parsed_provider_options()

    def parsed_provider_options(self) -> dict[str, str]:
        """Return the provider options as texts; nested objects stay JSON."""
        if not self.provider_options.strip():
            return {}
        try:
            options = json.loads(self.provider_options)
        except ValueError as err:
            raise ConfigurationError(
                f'provider_options must be a JSON object, got {self.provider_options!r}: {err}; '
                'write for example {"device_type": "GPU"}'
            ) from err
        if not isinstance(options, dict):
            raise ConfigurationError(
                f'provider_options must be a JSON object, got {self.provider_options!r}; '
                'write for example {"device_type": "GPU"}'
            )
        return {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in options.items()
        }


@dataclass(frozen=True)
class NetworkMaps:
    """
    What the network answers to one picture.

    Attributes
    ----------
    depth : ndarray of float32, shape (h, w)
        In the unit of the card's ``output_kind``; single pixels may be non-finite.
    floor : ndarray of float32, or None
        Probability 0..1 that a pixel shows free floor; 0 where the network gave no number. None
        where the network has no such output.
    confidence : ndarray of float32, or None
        How sure the depth is, 0..1; 0 where the network gave no number. None where the network
        has no such output.

    """

    depth: NDArray[np.float32]
    floor: NDArray[np.float32] | None = None
    confidence: NDArray[np.float32] | None = None


class OnnxModel:
    """
    A depth network behind its contract.

    Parameters
    ----------
    session : InferenceSession
        Open session; its inputs and outputs are checked against the card.
    card : ModelCard
        What the network expects and returns.
    path : Path
        Where it came from, for messages.
    trained_range : TrainedRange or None
        Mountings and fields of view it was trained with; None where nothing is stated.

    Raises
    ------
    ModelCardError
        The card contradicts the inputs or outputs of the session.

    """

    def __init__(
        self,
        session: InferenceSession,
        card: ModelCard,
        path: Path,
        trained_range: TrainedRange | None = None,
    ) -> None:
        _check_graph(session, card)
        self.card = card
        self.trained_range = trained_range
        self.path = path
        self.provider = _describe_provider(session)
        self._session = session
        mounting_shape = (1, 1, card.input_height, card.input_width)
        self._unknown_mounting = np.zeros(mounting_shape, np.float32)
        size = _map_size(
            next(o for o in session.get_outputs() if o.name == card.output_name).shape
        )
        is_static = size is not None and all(isinstance(side, int) for side in size)
        # A dynamic output is as large as the input until a run shows its size.
        self._output_size_hw = size if is_static else (card.input_height, card.input_width)

    @property
    def output_size_hw(self) -> tuple[int, int]:
        """Height and width of the network's output map in px."""
        assert self._output_size_hw is not None
        return self._output_size_hw

    def run(
        self, image: NDArray[np.float32], inverse_floor_depth: NDArray[np.float32] | None = None
    ) -> NetworkMaps:
        """
        Run the network on one picture.

        Parameters
        ----------
        image : ndarray of float32
            As :func:`~fcrn_depth_ros.estimation.preprocessing.prepare_image` returns it.
        inverse_floor_depth : ndarray of float32, shape (input_height, input_width), optional
            For networks with a mounting input, in 1/m of the training camera; None is unknown.

        Returns
        -------
        NetworkMaps
            Each map in its own resolution.

        Raises
        ------
        InferenceError
            The session failed, or returned something that is not a map of the picture, or a
            floor or confidence that is no share.

        """
        feed = {self.card.input_name: image}
        if self.card.mounting_input:
            feed[self.card.mounting_input] = (
                self._unknown_mounting
                if inverse_floor_depth is None
                else inverse_floor_depth.reshape(self._unknown_mounting.shape)
            )
        elif inverse_floor_depth is not None:
            raise InferenceError(
                f'inverse_floor_depth must be None for {self.card.name}, got a map; '
                'the network has no mounting input'
            )
        names = {key: name for key, name in self.card.output_names.items() if name}
        try:
            outputs = self._session.run(list(names.values()), feed)
        except Exception as err:
            # onnxruntime raises types of its own that share no base but Exception.
            raise InferenceError(
                f'inference must return a depth map, got {_one_line(err)}; '
                f'check that {self.path} runs on provider {self.provider}'
            ) from err
        maps = {
            key: _as_map(np.asarray(output), self.card, key)
            for key, output in zip(names, outputs, strict=True)
        }
        depth = maps['output_name']
        self._output_size_hw = depth.shape
        if not np.isfinite(depth).any():
            raise InferenceError(
                'network output must hold finite values, got none in '
                f'{depth.shape[1]}x{depth.shape[0]} px; check that {self.path} is intact'
            )
        shares = {
            key.removesuffix('_output'): _as_share(values, names[key], key)
            for key, values in maps.items()
            if key != 'output_name'
        }
        return NetworkMaps(depth, **shares)


def embedded_model_path(provider: str = 'CPU', network: str = 'fcrn_lite') -> Path:
    """
    Return the model file in the package that suits a provider.

    Parameters
    ----------
    provider : str
        Most CPUs are fastest with INT8; GPUs and others take the float file.
    network : str
        Name of the network, by which its files are called.

    Returns
    -------
    Path
        Inside the installed package.

    """
    on_cpu = provider.lower() in {name.lower() for name in _INT8_PROVIDERS}
    return MODELS / (f'{network}_int8.onnx' if on_cpu else f'{network}.onnx')


def resolve_providers(
    requested: str, available: Sequence[str], allow_fallback: bool = False
) -> list[str]:
    """
    Find the onnxruntime providers for the name a user gave.

    Parameters
    ----------
    requested : str
        A key of ``PROVIDERS`` in any case, or a name as onnxruntime spells it.
    available : sequence of str
        What the installed onnxruntime has, in its spelling.
    allow_fallback : bool
        Take the CPU where the requested one is not available.

    Returns
    -------
    list of str
        In order of preference; the first is the one that was asked for.

    Raises
    ------
    ProviderError
        The name is unknown, or not available and no fallback is allowed.

    """
    names = {name.lower(): provider for name, provider in PROVIDERS.items()}
    names.update({provider.lower(): provider for provider in PROVIDERS.values()})
    provider = names.get(requested.lower())
    usable = ', '.join(_user_name(name) for name in available)
    if provider is None:
        raise ProviderError(
            f'provider must be one of {", ".join(PROVIDERS)}, got {requested!r}; '
            f'this onnxruntime has {usable}'
        )
    if provider in available:
        if requested.lower() in ('tensorrt', PROVIDERS['TensorRT'].lower()):
            # What TensorRT cannot take should stay on the GPU.
            return [provider] + [name for name in [PROVIDERS['CUDA']] if name in available]
        return [provider]
    if allow_fallback:
        return [PROVIDERS['CPU']]
    raise ProviderError(
        f'provider must be one that this onnxruntime has ({usable}), got {requested!r}; install '
        'the onnxruntime build for it or set allow_provider_fallback'
    )


def providers_of(config: SessionConfig) -> list[str]:
    """Return :func:`resolve_providers` of the installed onnxruntime."""
    return resolve_providers(
        config.provider, onnxruntime.get_available_providers(), config.allow_provider_fallback
    )


def load_onnx_model(
    path: Path,
    session: SessionConfig | None = None,
    card_overrides: Mapping[str, str] | None = None,
) -> OnnxModel:
    """
    Open a model file of the model contract.

    Parameters
    ----------
    path : Path
        ONNX file. Where a ``SHA256SUMS`` beside it lists it, its content must match.
    session : SessionConfig, optional
        How to execute it; one CPU thread by default.
    card_overrides : mapping of str to str, optional
        Card keys that the file lacks.

    Returns
    -------
    OnnxModel
        Ready to run.

    Raises
    ------
    ModelFileError
        Missing, empty, truncated, not ONNX, or not the file its checksum names.
    ModelCardError
        The card is incomplete or contradicts the graph.
    ProviderError
        The provider is unknown, not available, or did not take the model.

    """
    config = session or SessionConfig()
    path = Path(path)
    _check_file(path)
    providers = providers_of(config)
    opened = _open_session(path, config, providers)
    actual = _provider_in_use(opened)
    if actual != providers[0] and not config.allow_provider_fallback:
        raise ProviderError(
            f'provider must be {config.provider} as requested, got {_user_name(actual)}: '
            'onnxruntime could not start the requested one, or that one took no part of '
            f'{path.name}; check provider_options, its drivers and libraries, or set '
            'allow_provider_fallback'
        )
    try:
        metadata = opened.get_modelmeta().custom_metadata_map
        card = ModelCard.from_metadata(metadata, card_overrides)
        return OnnxModel(opened, card, path, load_trained_range(path, metadata))
    except UnicodeDecodeError as err:
        raise ModelFileError(
            f'model file must hold UTF-8 names, got {path}: {_one_line(err)}; get it again'
        ) from err


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise ModelFileError(f'model file must exist, got {path}; give the path of an ONNX file')
    if path.stat().st_size == 0:
        raise ModelFileError(f'model file must be ONNX, got the empty file {path}; get it again')
    expected = _listed_checksum(path)
    if expected is None:
        return
    digest = hashlib.sha256()
    try:
        with path.open('rb') as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as err:
        raise ModelFileError(
            f'model file must be readable, got {path}: {err}; check its permissions'
        ) from err
    if digest.hexdigest() != expected:
        raise ModelFileError(
            f'model file {path} must have the SHA-256 {expected} of SHA256SUMS, got '
            f'{digest.hexdigest()}; get the file again'
        )


def _listed_checksum(path: Path) -> str | None:
    sums = path.parent / 'SHA256SUMS'
    if not sums.is_file():
        return None
    try:
        text = sums.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as err:
        raise ModelFileError(
            f'{sums} must be a readable text file in UTF-8, got {_one_line(err)}; correct or '
            'delete it'
        ) from err
    for line in text.splitlines():
        digest, _, name = line.strip().partition(' ')
        if name.strip().removeprefix('*') == path.name:
            return digest.lower()
    return None


def _open_session(
    path: Path, config: SessionConfig, providers: list[str]
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = config.intra_op_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    spinning = '1' if config.allow_spinning else '0'
    options.add_session_config_entry('session.intra_op.allow_spinning', spinning)
    options.add_session_config_entry('session.inter_op.allow_spinning', spinning)
    if config.exact_int8:
        # Only effective where the fast instruction (VPMADDUBSW) saturates at 16 bits.
        options.add_session_config_entry('session.x64quantprecision', '1')
    options.add_session_config_entry('session.record_ep_graph_assignment_info', '1')
    provider_options = config.parsed_provider_options()
    if providers[0] == PROVIDERS['OpenVINO'] and config.intra_op_threads:
        # It has threads of its own, as many as there are cores.
        provider_options.setdefault('num_of_threads', str(config.intra_op_threads))
    try:
        session = onnxruntime.InferenceSession(
            str(path),
            options,
            providers=providers,
            provider_options=[provider_options] + [{}] * (len(providers) - 1),
            # Otherwise an error of the provider is printed, and the CPU taken instead.
            enable_fallback=int(config.allow_provider_fallback),
        )
    except Exception as err:
        # onnxruntime raises types of its own that share no base but Exception.
        message = _one_line(err)
        if newer := _newer_than_onnxruntime(str(err)):
            raise ModelFileError(
                f'model file {path} must use {newer}; install a newer onnxruntime, or export the '
                'model again for an older one'
            ) from err
        if providers[0] != PROVIDERS['CPU'] and 'protobuf' not in message.lower():
            raise ProviderError(
                f'provider {config.provider} must be able to open {path}, got {message}; '
                'try provider CPU'
            ) from err
        raise ModelFileError(
            f'model file must be a complete ONNX file, got {path}: {message}; get it again'
        ) from err
    # A later failure of the provider must be an error, not a quiet change to the CPU.
    session.disable_fallback()
    return session


def _check_graph(session: InferenceSession, card: ModelCard) -> None:
    height, width = card.input_height, card.input_width
    nchw = card.input_layout == 'NCHW'
    expected = {card.input_name: (1, 3, height, width) if nchw else (1, height, width, 3)}
    if card.mounting_input:
        expected[card.mounting_input] = (1, 1, height, width)
    inputs = {node.name: node for node in session.get_inputs()}
    if set(inputs) != set(expected):
        raise ModelCardError(
            f'network inputs must be {sorted(expected)} as the card says, got {sorted(inputs)}; '
            'correct input_name and mounting_input'
        )
    for name, shape in expected.items():
        node = inputs[name]
        if node.type != 'tensor(float)' or not _agrees(node.shape, shape):
            raise ModelCardError(
                f'network input {name} must be float32 {list(shape)} as the card says, got '
                f'{node.type} {node.shape}; correct input_layout, input_height and input_width'
            )
    outputs = {node.name: node for node in session.get_outputs()}
    for key, name in card.output_names.items():
        if name:
            _check_output(outputs, card, key, name)


def _check_output(outputs: Mapping[str, Any], card: ModelCard, key: str, name: str) -> None:
    if name not in outputs:
        raise ModelCardError(
            f'network outputs must contain {name!r} as the card says, got '
            f'{sorted(outputs)}; correct {key}'
        )
    output = outputs[name]
    size = _map_size(output.shape)
    if output.type not in ('tensor(float)', 'tensor(float16)') or (
        output.shape and (size is None or not _same_aspect(size, card))
    ):
        raise ModelCardError(
            f'network output {name} must be a float map [1, 1, h, w], [1, h, w, 1] '
            f"or [1, h, w] of the input's aspect, got {output.type} {output.shape}; "
            f'correct {key}'
        )


def _agrees(actual: Sequence[Any], expected: Sequence[int]) -> bool:
    """Compare shapes; a dynamic dimension (a name or None) agrees with every size."""
    return len(actual) == len(expected) and all(
        not isinstance(have, int) or have == want
        for have, want in zip(actual, expected, strict=True)
    )


def _map_size(shape: Sequence[Any]) -> tuple[Any, Any] | None:
    """Return height and width of an output shape, or None where it is not one map."""
    if len(shape) not in (3, 4) or isinstance(shape[0], int) and shape[0] != 1:
        return None
    if len(shape) == 3:
        return shape[1], shape[2]
    if shape[1] == 1 or not isinstance(shape[1], int) and shape[3] != 1:
        return shape[2], shape[3]
    return (shape[1], shape[2]) if shape[3] == 1 or not isinstance(shape[3], int) else None


def _same_aspect(size: tuple[Any, Any], card: ModelCard) -> bool:
    height, width = size
    if not isinstance(height, int) or not isinstance(width, int):
        return True
    if height < 2 or width < 2:
        return False
    ratio = (width * card.input_height) / (height * card.input_width)
    return abs(ratio - 1.0) <= _ASPECT_TOLERANCE


def _as_map(output: NDArray[Any], card: ModelCard, key: str) -> NDArray[np.float32]:
    size = _map_size(output.shape)
    if size is None or not _same_aspect(size, card):
        raise InferenceError(
            f"network output must be one map of the input's aspect, got shape {output.shape}; "
            f'check {key} in the model card'
        )
    return np.ascontiguousarray(output.reshape(size), dtype=np.float32)


def _as_share(values: NDArray[np.float32], name: str, key: str) -> NDArray[np.float32]:
    shares = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(shares.min()), float(shares.max())
    if low < -_SHARE_TOLERANCE or high > 1.0 + _SHARE_TOLERANCE:
        raise InferenceError(
            f'network output {name} must hold shares of 0..1, got {low:.3g}..{high:.3g}; check '
            f'{key} in the model card, and that the network ends with a sigmoid'
        )
    return np.clip(shares, 0.0, 1.0)


def _node_counts(session: InferenceSession) -> Counter[str]:
    # onnxruntime before 1.24 cannot tell.
    assignment: Sequence[Any] = getattr(session, 'get_provider_graph_assignment_info', tuple)()
    return Counter(part.ep_name for part in assignment for _ in part.get_nodes())


def _provider_in_use(session: InferenceSession) -> str:
    # A provider can be listed without having taken a single node.
    first, counts = session.get_providers()[0], _node_counts(session)
    return first if first in counts or not counts else counts.most_common(1)[0][0]


def _describe_provider(session: InferenceSession) -> str:
    provider, counts = _provider_in_use(session), _node_counts(session)
    name = _user_name(provider)
    if counts[provider] == counts.total():
        return name
    return f'{name} ({counts[provider]} of {counts.total()} nodes)'


def _user_name(provider: str) -> str:
    return {value: key for key, value in PROVIDERS.items()}.get(
        provider, provider.removesuffix('ExecutionProvider')
    )


def _newer_than_onnxruntime(message: str) -> str:
    """Return which version the installed onnxruntime knows; empty for any other failure."""
    known = f'that onnxruntime {onnxruntime.__version__} knows'
    if match := _UNKNOWN_IR.search(message):
        return f'at most the ONNX IR version {match[2]} {known}, got {match[1]}'
    if match := _UNKNOWN_OPSET.search(message):
        return f'at most opset {match[3]} of {match[2]} {known}, got opset {match[1]}'
    if match := _UNKNOWN_OPERATOR.search(message):
        return f'operators {known}, got {match[1]}'
    return ''


def _one_line(err: Exception) -> str:
    text = ' '.join(str(err).split()) or type(err).__name__
    # What is wrong stands at the end, after the C++ function that found it.
    return text if len(text) <= 300 else f'{text[:80]} ... {text[-215:]}'
