# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""A chart of two numbers, and a sheet of pictures: what a measurement was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math

import cv2
import numpy as np

from .drawing import BACKGROUND, Color, FAINT_COLOR, Picture, TEXT_COLOR, text_width, write

_MARGIN_PX, _GAP_PX, _HEADER_PX = 20, 8, 72
_AREA: Color = (31, 37, 45)
_GRID: Color = (52, 60, 71)


@dataclass(frozen=True)
class Series:
    """
    Points of one colour.

    Attributes
    ----------
    name : str
        ASCII, for the legend.
    points : sequence of tuple of float
        x and y; what is not finite is left out.
    color : tuple of int
        RGB.
    is_line : bool
        Whether points are joined; else each is a dot.

    """

    name: str
    points: Sequence[tuple[float, float]]
    color: Color
    is_line: bool = False


def draw_chart(
    size: tuple[int, int],
    x_name: str,
    y_name: str,
    series: Sequence[Series],
    *,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
) -> Picture:
    """
    Draw points and lines.

    Parameters
    ----------
    size : tuple of int
        Width and height in pixels.
    x_name, y_name : str
        ASCII, with the unit.
    series : sequence of Series
        In the order in which they are drawn.
    x_range, y_range : tuple of float, optional
        Least and greatest value; those of the points by default.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    """
    width, height = size
    chart = np.full((height, width, 3), BACKGROUND, np.uint8)
    left, top, right, bottom = 52, 34, width - 12, height - 40
    cv2.rectangle(chart, (left, top), (right, bottom), _AREA, cv2.FILLED)
    points = [p for each in series for p in each.points if all(map(math.isfinite, p))]
    x_low, x_high = x_range or _bounds([x for x, _ in points])
    y_low, y_high = y_range or _bounds([y for _, y in points])

    def place(x: float, y: float) -> tuple[int, int]:
        across, up = (x - x_low) / (x_high - x_low), (y - y_low) / (y_high - y_low)
        across, up = min(max(across, -1.0), 2.0), min(max(up, -1.0), 2.0)
        return round(left + across * (right - left)), round(bottom - up * (bottom - top))

    for x in _ticks(x_low, x_high):
        column = place(x, y_low)[0]
        cv2.line(chart, (column, top), (column, bottom), _GRID, 1)
        write(chart, f'{x:g}', (column - 8, bottom + 16), 9, FAINT_COLOR)
    for y in _ticks(y_low, y_high):
        row = place(x_low, y)[1]
        cv2.line(chart, (left, row), (right, row), _GRID, 1)
        label = f'{y:g}'
        write(chart, label, (left - 8 - text_width(label, 9), row + 4), 9, FAINT_COLOR)
    # Lines end at the edge of the area.
    area = chart[top : bottom + 1, left : right + 1]
    for each in series:
        shown = [place(*p) for p in each.points if all(map(math.isfinite, p))]
        inside = [(column - left, row - top) for column, row in shown]
        if each.is_line:
            for begin, end in zip(inside, inside[1:], strict=False):
                cv2.line(area, begin, end, each.color, 2, cv2.LINE_AA)
        else:
            for centre in inside:
                cv2.circle(area, centre, 3, each.color, cv2.FILLED, cv2.LINE_AA)
    write(chart, x_name, (right - text_width(x_name, 10), bottom + 34), 10, TEXT_COLOR)
    write(chart, y_name, (8, 20), 10, TEXT_COLOR)
    column = 8 + text_width(y_name, 10) + 30
    for each in series:
        cv2.rectangle(chart, (column, 10), (column + 10, 20), each.color, cv2.FILLED)
        write(chart, each.name, (column + 16, 20), 10, TEXT_COLOR)
        column += 16 + text_width(each.name, 10) + 20
    return chart


def measurement_sheet(
    title: str, subtitle: str, panels: Sequence[tuple[str, Picture]], charts: Sequence[Picture]
) -> Picture:
    """
    Lay pictures with captions, and charts below them, onto one sheet.

    Parameters
    ----------
    title, subtitle : str
        Two lines of ASCII on top.
    panels : sequence of tuple of str and picture
        Caption and RGB picture; all are drawn equally wide, four in a row.
    charts : sequence of pictures
        One below the other, at their own size.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    """
    columns, panel_px = 4, 300
    width = 2 * _MARGIN_PX + columns * (panel_px + _GAP_PX) - _GAP_PX
    rows: list[Picture] = []
    for first in range(0, len(panels), columns):
        shown = panels[first : first + columns]
        heights = [round(panel_px * p.shape[0] / p.shape[1]) for _, p in shown]
        row = np.full((max(heights) + 24, width, 3), BACKGROUND, np.uint8)
        for index, ((caption, picture), high) in enumerate(zip(shown, heights, strict=True)):
            left = _MARGIN_PX + index * (panel_px + _GAP_PX)
            scaled = cv2.resize(picture, (panel_px, high), interpolation=cv2.INTER_AREA)
            row[:high, left : left + panel_px] = scaled
            text_px = min(10.0, 10.0 * panel_px / max(1, text_width(caption, 10)))
            write(row, caption, (left + 2, high + 16), text_px, FAINT_COLOR)
        rows.append(row)
    for chart in charts:
        row = np.full((chart.shape[0] + _GAP_PX, width, 3), BACKGROUND, np.uint8)
        row[: chart.shape[0], _MARGIN_PX : _MARGIN_PX + chart.shape[1]] = chart
        rows.append(row)
    header = np.full((_HEADER_PX, width, 3), BACKGROUND, np.uint8)
    write(header, title, (_MARGIN_PX, 32), 16, TEXT_COLOR)
    write(header, subtitle, (_MARGIN_PX, 58), 11, FAINT_COLOR)
    return np.concatenate([header, *rows])


CHART_SIZE = 4 * 300 + 3 * _GAP_PX, 300


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1.0, 2.0, 5.0, 10.0) if s * power >= rough)
    first = math.ceil(low / step)
    return [round(i * step, 10) for i in range(first, math.floor(high / step) + 1)]
