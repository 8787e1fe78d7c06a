# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The result of `scripts/bench load` as a table and as a chart."""

from __future__ import annotations

from collections.abc import Sequence
import io

from .result import CaseResult

_VERDICTS = {True: 'passed', False: '**failed**', None: 'not run'}


def format_markdown(results: Sequence[CaseResult], heading: str) -> str:
    """Return a table of the cases, and one of what must hold."""
    lines = [heading, '', '| case | | took s | what it does |', '|---|---|---|---|']
    lines += [
        f'| {found.name} | {_VERDICTS[found.passed]} | {found.seconds:.0f} | '
        f'{found.missing or found.what} |'
        for found in results
    ]
    lines += ['', '| case | must hold | | found |', '|---|---|---|---|']
    lines += [
        f'| {found.name} | {must.text} | {_VERDICTS[must.held]} | {_cell(must.found)} |'
        for found in results
        for must in found.musts
    ]
    return '\n'.join(lines) + '\n'


def _cell(text: str) -> str:
    return ' '.join(text.replace('|', '/').split())


def draw(results: Sequence[CaseResult]) -> bytes:
    """
    Draw memory, descriptors, threads and latency of each case over time.

    Parameters
    ----------
    results : sequence of CaseResult
        Those without a course are left out.

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    """
    from matplotlib.figure import Figure

    drawn = [found for found in results if found.course]
    figure = Figure(figsize=(12, 2.6 * max(1, len(drawn))))
    axes = figure.subplots(max(1, len(drawn)), 2, squeeze=False)
    for (left, right), found in zip(axes, drawn, strict=False):
        course = found.course
        left.set_title(f'{found.name}: {_VERDICTS[found.passed].strip("*")}', loc='left')
        for key in ('rss_mb', 'descriptors', 'threads'):
            if key in course:
                left.plot(
                    course['time_s'], course[key], label=key.replace('rss_mb', 'resident MB')
                )
        left.set_ylim(bottom=0)
        left.set_xlabel('s')
        left.legend(fontsize='small')
        if 'latency_ms' in course:
            right.plot(course['latency_s'], course['latency_ms'], '.', markersize=2)
            right.set_ylim(bottom=0)
            right.set_ylabel('latency, ms')
        right.set_xlabel('s')
    figure.tight_layout()
    content = io.BytesIO()
    figure.savefig(content, format='png', dpi=110)
    return content.getvalue()
