# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a model file says about itself: the metadata of docs/model_contract.md."""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass
import math
from typing import Any

from ..errors import ModelCardError

CONTRACT_VERSION = '1'
_CHOICES = {
    'contract_version': (CONTRACT_VERSION,),
    'input_layout': ('NCHW', 'NHWC'),
    'color_order': ('RGB', 'BGR'),
    'resize': ('stretch', 'letterbox'),
    'output_kind': ('depth_m', 'log_depth', 'inverse_relative'),
}
_OUTPUT_KEYS = ('output_name', 'floor_output', 'confidence_output')
_METRIC_ONLY = ('training_fx_px', 'training_width_px', 'valid_min_m', 'valid_max_m')
_MAX_INPUT_PX = 8192


@dataclass(frozen=True)
class ModelCard:
    """
    How to feed a depth network and how to read what it returns.

    Attributes
    ----------
    contract_version, name, version, license, training_data : str
        Identity; ``contract_version`` is '1'.
    input_name, input_layout, color_order, resize : str
        The picture's input: NCHW or NHWC, RGB or BGR, stretch or letterbox.
    input_height, input_width : int
        Size of the network's input in px.
    input_mean, input_scale : tuple of 3 float
        x = (pixel - mean) * scale for pixels 0..255, in the network's colour order.
    output_name, output_kind : str
        depth_m (metres), log_depth (natural logarithm of metres) or inverse_relative (no unit,
        larger is nearer).
    training_fx_px, training_width_px : float
        Focal length of the training camera at that image width; 0 for relative models.
    valid_min_m, valid_max_m : float
        Range in which the output can be believed; 0 for relative models.
    mounting_input : str
        Name of the input for the inverse floor depth; empty where the network has none.
    floor_output, confidence_output : str
        Names of the outputs for the probability of free floor and for how sure the depth is,
        both 0..1; empty where the network has none.
    metrics, source, precision : str
        Free text.

    """

    name: str
    version: str
    license: str  # noqa: A003
    training_data: str
    input_name: str
    input_height: int
    input_width: int
    input_layout: str
    color_order: str
    input_mean: tuple[float, float, float]
    input_scale: tuple[float, float, float]
    resize: str
    output_name: str
    output_kind: str
    training_fx_px: float = 0.0
    training_width_px: float = 0.0
    valid_min_m: float = 0.0
    valid_max_m: float = 0.0
    mounting_input: str = ''
    floor_output: str = ''
    confidence_output: str = ''
    metrics: str = ''
    source: str = ''
    precision: str = ''
    contract_version: str = CONTRACT_VERSION

    def __post_init__(self) -> None:
        for key, choices in _CHOICES.items():
            if getattr(self, key) not in choices:
                raise _card_error(key, f'one of {", ".join(choices)}', getattr(self, key))
        for key in ('name', 'input_name', 'output_name'):
            if not getattr(self, key):
                raise _card_error(key, 'a name', '')
        outputs = [name for name in self.output_names.values() if name]
        for key, name in self.output_names.items():
            if outputs.count(name) > 1:
                raise _card_error(key, 'an output of its own', name)
        for key in ('input_height', 'input_width'):
            if not 8 <= getattr(self, key) <= _MAX_INPUT_PX:
                raise _card_error(key, f'8..{_MAX_INPUT_PX} px', getattr(self, key))
        for key in ('input_mean', 'input_scale'):
            values = getattr(self, key)
            if len(values) != 3 or not all(map(math.isfinite, values)):
                raise _card_error(key, 'three finite numbers', values)
        if 0.0 in self.input_scale:
            raise _card_error('input_scale', 'three numbers other than 0', self.input_scale)
        if not self.is_metric:
            return
        for key in _METRIC_ONLY:
            if not (math.isfinite(getattr(self, key)) and getattr(self, key) > 0):
                raise _card_error(key, 'a positive number', getattr(self, key))
        if self.valid_min_m >= self.valid_max_m:
            raise _card_error('valid_min_m', f'less than {self.valid_max_m:g}', self.valid_min_m)
        if not 0.1 <= self.training_fx_px / self.training_width_px <= 20:
            raise _card_error('training_fx_px', '0.1..20 image widths', self.training_fx_px)

    @property
    def is_metric(self) -> bool:
        """True where the output is metres or their logarithm."""
        return self.output_kind != 'inverse_relative'

    @property
    def output_names(self) -> dict[str, str]:
        """Names of the outputs by the key of the card; empty where the network has none."""
        return {key: getattr(self, key) for key in _OUTPUT_KEYS}

    @property
    def network_fx_px(self) -> float:
        """Focal length of the training camera at the network's input width."""
        return self.training_fx_px * self.input_width / self.training_width_px

    @classmethod
    def from_metadata(
        cls, metadata: Mapping[str, str], overrides: Mapping[str, str] | None = None
    ) -> ModelCard:
        """
        Read a card from the metadata of a model file.

        Parameters
        ----------
        metadata : mapping of str to str
            ``metadata_props`` of the file; keys that are not of the contract are ignored.
        overrides : mapping of str to str, optional
            Values for keys that the file lacks.

        Returns
        -------
        ModelCard
            Complete and checked.

        Raises
        ------
        ModelCardError
            A key is missing, has a bad value, or an override contradicts the file.

        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        overrides = overrides or {}
        unknown = sorted(set(overrides) - set(fields))
        if unknown:
            raise ModelCardError(
                f'model card keys must be some of {", ".join(fields)}, got {", ".join(unknown)}; '
                'correct the overrides'
            )
        values: dict[str, Any] = {}
        for key, field in fields.items():
            given = {
                _parse(key, str(field.type), source[key])
                for source in (metadata, overrides)
                if key in source
            }
            if len(given) > 1:
                raise ModelCardError(
                    f'model card key {key} must be {metadata[key]!r} as the file says, got '
                    f'{overrides[key]!r}; remove the override'
                )
            if given:
                values[key] = given.pop()
        relative = values.get('output_kind') == 'inverse_relative'
        required = {'contract_version'} | {
            key for key, field in fields.items() if field.default is dataclasses.MISSING
        }
        missing = (required | (set() if relative else set(_METRIC_ONLY))) - set(values)
        if missing:
            raise ModelCardError(
                f'model card must have the keys of the model contract, got a file without '
                f'{", ".join(key for key in fields if key in missing)}; add them to the '
                "file's metadata or give them as overrides"
            )
        return cls(**values)

    def to_metadata(self) -> dict[str, str]:
        """Return the card as the text of ``metadata_props``, without empty values."""
        metadata = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            text = ','.join(map(repr, value)) if isinstance(value, tuple) else str(value)
            if text and not (field.name in _METRIC_ONLY and value == 0):
                metadata[field.name] = text
        return metadata


def _parse(key: str, type_name: str, text: str) -> str | int | float | tuple[float, ...]:
    try:
        if type_name == 'int':
            return int(text)
        if type_name == 'float':
            return float(text)
        if type_name.startswith('tuple'):
            return tuple(float(part) for part in text.split(','))
    except ValueError as err:
        raise _card_error(key, f'a {type_name}', text) from err
    return text.strip()


def _card_error(key: str, expected: str, actual: object) -> ModelCardError:
    return ModelCardError(
        f"model card key {key} must be {expected}, got {actual!r}; correct the model file's "
        'metadata'
    )
