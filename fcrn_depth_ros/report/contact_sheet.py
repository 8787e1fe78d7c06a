# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A contact sheet: one run on one picture, moments as columns, then the distance over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math

import cv2
import numpy as np

from .drawing import (
    BACKGROUND,
    colorize_depth,
    FAINT_COLOR,
    Picture,
    STATE_COLORS,
    TEXT_COLOR,
    text_width,
    UNKNOWN_COLOR,
    write,
)
from ..alert.verdict import AlertState


@dataclass(frozen=True)
class SheetMoment:
    """
    One column of a contact sheet.

    Attributes
    ----------
    time_s : float
        Since the first frame.
    panels : sequence of ndarray of uint8, shape (H, W, 3)
        One RGB picture for each row of the sheet, all of one size.

    """

    time_s: float
    panels: Sequence[Picture]


@dataclass(frozen=True)
class TimelinePoint:
    """
    Nearest distance and alert state at one time.

    Attributes
    ----------
    time_s : float
        Since the first frame.
    nearest_m : float
        NaN when unknown.
    state : AlertState or None
        None before the first one; drawn grey.

    """

    time_s: float
    nearest_m: float
    state: AlertState | None


@dataclass(frozen=True)
class DepthColors:
    """What the colours of a sheet mean; see :func:`colorize_depth`."""

    min_m: float = 0.2
    max_m: float = 5.0
    color_map: str = 'turbo'


_PANEL_PX = 320
_GAP_PX = 6
_MARGIN_PX = 24
_HEADER_PX = 84
_CAPTION_PX = 30
_TIMELINE_PX = 170
_BAND_PX = 16


def contact_sheet(
    title: str,
    subtitle: str,
    row_names: Sequence[str],
    moments: Sequence[SheetMoment],
    timeline: Sequence[TimelinePoint],
    colors: DepthColors,
) -> Picture:
    """
    Lay out one run on one picture: moments as columns, then the distance over time.

    Parameters
    ----------
    title, subtitle : str
        Two lines of ASCII on top.
    row_names : sequence of str
        One for each panel of a moment.
    moments : sequence of SheetMoment
        At least one, in order of time.
    timeline : sequence of TimelinePoint
        In order of time; may be empty.
    colors : DepthColors
        Drawn as a legend.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    """
    first = moments[0].panels[0]
    panel_px = round(_PANEL_PX * first.shape[0] / first.shape[1])
    width = 2 * _MARGIN_PX + len(moments) * (_PANEL_PX + _GAP_PX) - _GAP_PX
    rows_px = len(row_names) * (panel_px + _GAP_PX)
    height = _HEADER_PX + rows_px + _CAPTION_PX + _TIMELINE_PX + 2 * _MARGIN_PX
    sheet = np.full((height, width, 3), BACKGROUND, np.uint8)
    write(sheet, title, (_MARGIN_PX, 40), 18, TEXT_COLOR)
    write(sheet, subtitle, (_MARGIN_PX, 68), 11, FAINT_COLOR)
    _draw_color_legend(sheet, colors)
    for column, moment in enumerate(moments):
        left = _MARGIN_PX + column * (_PANEL_PX + _GAP_PX)
        for row, panel in enumerate(moment.panels):
            top = _HEADER_PX + row * (panel_px + _GAP_PX)
            sheet[top : top + panel_px, left : left + _PANEL_PX] = cv2.resize(
                panel, (_PANEL_PX, panel_px), interpolation=cv2.INTER_AREA
            )
        caption = f'{moment.time_s:.1f} s'
        write(sheet, caption, (left + 2, _HEADER_PX + rows_px + 16), 11, FAINT_COLOR)
    for row, name in enumerate(row_names):
        _draw_tag(sheet, name, (_MARGIN_PX, _HEADER_PX + row * (panel_px + _GAP_PX)))
    top = height - _TIMELINE_PX - _MARGIN_PX
    _draw_timeline(sheet[top : height - _MARGIN_PX, _MARGIN_PX:-_MARGIN_PX], timeline, colors)
    return sheet


def _draw_tag(sheet: Picture, name: str, corner: tuple[int, int]) -> None:
    left, top = corner
    right = left + text_width(name, 10) + 14
    cv2.rectangle(sheet, corner, (right, top + 22), BACKGROUND, cv2.FILLED)
    write(sheet, name, (left + 7, top + 16), 10, TEXT_COLOR)


def _draw_color_legend(sheet: Picture, colors: DepthColors) -> None:
    bar_px, height_px, top = 260, 16, 30
    left = sheet.shape[1] - _MARGIN_PX - bar_px
    ramp = np.linspace(colors.min_m, colors.max_m, bar_px, dtype=np.float32)
    bar = colorize_depth(ramp[None], colors.min_m, colors.max_m, colors.color_map)
    sheet[top : top + height_px, left : left + bar_px] = bar
    for name, share in ((f'{colors.min_m:g} m', 0.0), (f'{colors.max_m:g} m', 1.0)):
        x = left + round(share * (bar_px - text_width(name, 10)))
        write(sheet, name, (x, top + height_px + 16), 10, FAINT_COLOR)
    unknown = np.full((height_px, 40), np.nan, np.float32)
    left -= 56
    sheet[top : top + height_px, left : left + 40] = colorize_depth(unknown, 0, 1)
    write(sheet, 'unknown', (left - 10, top + height_px + 16), 10, FAINT_COLOR)


def _draw_timeline(area: Picture, timeline: Sequence[TimelinePoint], colors: DepthColors) -> None:
    height, width = area.shape[:2]
    plot_px: int = height - _BAND_PX - 6
    if not timeline:
        return
    start_s = timeline[0].time_s
    span_s = max(timeline[-1].time_s - start_s, 1e-3)
    columns = [round((point.time_s - start_s) / span_s * (width - 1)) for point in timeline]

    def row_of(distance_m: float) -> int:
        return round((plot_px - 1) * (1 - min(distance_m, colors.max_m) / colors.max_m))

    cv2.rectangle(area, (0, 0), (width - 1, plot_px - 1), (31, 37, 45), cv2.FILLED)
    for distance_m in range(1, math.ceil(colors.max_m)):
        row = row_of(distance_m)
        cv2.line(area, (0, row), (width - 1, row), (52, 60, 71), 1)
    for point, left, right in zip(timeline, columns, [*columns[1:], width - 1], strict=True):
        color = UNKNOWN_COLOR if point.state is None else STATE_COLORS[point.state]
        cv2.rectangle(area, (left, plot_px + 6), (right, height - 1), color, cv2.FILLED)
    known = [not math.isnan(point.nearest_m) for point in timeline]
    for index in range(1, len(timeline)):
        if known[index - 1] and known[index]:
            ends = [(columns[end], row_of(timeline[end].nearest_m)) for end in (index - 1, index)]
            cv2.line(area, ends[0], ends[1], (255, 214, 10), 2, cv2.LINE_AA)
    for distance_m in range(1, math.ceil(colors.max_m)):  # above the curve
        write(area, f'{distance_m} m', (6, row_of(distance_m) - 4), 9, FAINT_COLOR)
    write(area, 'nearest distance and alert state', (48, 20), 10, TEXT_COLOR)
    legend_x = 48 + text_width('nearest distance and alert state', 10) + 24
    for state in dict.fromkeys(point.state for point in timeline if point.state is not None):
        cv2.rectangle(area, (legend_x, 9), (legend_x + 12, 21), STATE_COLORS[state], cv2.FILLED)
        write(area, state.name, (legend_x + 18, 20), 10, TEXT_COLOR)
        legend_x += 18 + text_width(state.name, 10) + 20
