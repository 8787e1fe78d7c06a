# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""What a case has shown: what must hold, what was found, and the course of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fcrn_depth_ros.ros import diagnostic_keys as keys
import numpy as np

from ..node.summary import Sample

# The first moments of a run fill caches and pools.
_WARM_UP_SHARE = 0.3
_FATES = (keys.FRAMES_PROCESSED, keys.FRAMES_SUPERSEDED, keys.FRAMES_REJECTED, keys.FRAMES_IGNORED)


@dataclass(frozen=True)
class Must:
    """Something that must hold, and what was found."""

    text: str
    held: bool
    found: str


@dataclass(frozen=True)
class CaseResult:
    """
    One case.

    Attributes
    ----------
    name, what : str
        Of the command line, and for people.
    musts : sequence of Must
        Empty where it could not be run.
    seconds : float
        That it took.
    missing : str
        Why it could not be run, else empty.
    course : mapping
        `time_s` and what there is beside it: `rss_mb`, `descriptors`, `threads`,
        `latency_s` with `latency_ms`.

    """

    name: str
    what: str
    musts: Sequence[Must] = ()
    seconds: float = 0.0
    missing: str = ''
    course: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def passed(self) -> bool | None:
        """Whether everything held; None where it could not be run."""
        return None if self.missing else all(must.held for must in self.musts)

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            'what': self.what,
            'passed': self.passed,
            'missing': self.missing or None,
            'seconds': round(self.seconds, 1),
            'musts': [vars(must) for must in self.musts],
            'course': {name: [round(x, 3) for x in xs] for name, xs in self.course.items()},
        }


@dataclass(frozen=True)
class Watched:
    """
    What depth_node did while it was watched.

    Attributes
    ----------
    samples : sequence of Sample
        Of its process.
    frames_ns : sequence of (int, int)
        Stamp of the picture and arrival of its depth.
    broken : int
        Depth maps whose size contradicts their encoding.
    values : mapping of str to str
        The last of /diagnostics.
    models : sequence of str
        In the order in which /diagnostics named them.
    actions : sequence of (str, str)
        What was done, and why it failed, empty where it did not.
    stamps_ns : sequence of int
        Of the pictures that were published.
    start_ns : int
        Of the watching.

    """

    samples: Sequence[Sample]
    frames_ns: Sequence[tuple[int, int]]
    broken: int
    values: Mapping[str, str]
    models: Sequence[str]
    actions: Sequence[tuple[str, str]]
    stamps_ns: Sequence[int]
    start_ns: int

    def count(self, key: str) -> int:
        """Return a count of /diagnostics; -1 where there is none."""
        return int(self.values.get(key, -1))

    def course(self) -> dict[str, Sequence[float]]:
        """Return what is drawn."""
        return {
            'time_s': [sample.time_s for sample in self.samples],
            'rss_mb': [sample.resident_mb for sample in self.samples],
            'descriptors': [sample.descriptors for sample in self.samples],
            'threads': [sample.threads for sample in self.samples],
            'latency_s': [(stamp_ns - self.start_ns) * 1e-9 for stamp_ns, _ in self.frames_ns],
            'latency_ms': [(arrived - stamp) * 1e-6 for stamp, arrived in self.frames_ns],
        }


def depth_is_whole(watched: Watched) -> Must:
    """Return whether each map is as long as its encoding says."""
    return Must(
        'every depth map is whole', watched.broken == 0,
        f'{watched.broken} of {len(watched.frames_ns)} broken',
    )  # fmt: skip


def depth_comes_to_the_end(watched: Watched) -> Must:
    """Return whether one of the pictures of the last third became depth."""
    newest_ns = max((stamp_ns for stamp_ns, _ in watched.frames_ns), default=0)
    rest = sum(stamp_ns > newest_ns for stamp_ns in watched.stamps_ns)
    most = len(watched.stamps_ns) // 3
    return Must(
        'depth comes to the end', bool(watched.frames_ns) and rest <= most,
        f'{len(watched.frames_ns)} maps, {rest} pictures after the last of them',
    )  # fmt: skip


def every_frame_has_a_fate(watched: Watched) -> Must:
    """Return whether the counts add up, but for the frames in the slot and in the works."""
    received = watched.count(keys.FRAMES_RECEIVED)
    fates = sum(watched.count(key) for key in _FATES)
    return Must(
        'every frame has one fate', received > 0 and 0 <= received - fates <= 2,
        f'{received} received, {fates} accounted for',
    )  # fmt: skip


def no_frame_is_rejected(watched: Watched) -> Must:
    """Return whether the node could use each frame."""
    rejected = watched.count(keys.FRAMES_REJECTED)
    reason = watched.values.get('last rejection', 'none')
    return Must('no frame is rejected', rejected == 0, f'{rejected} rejected, last: {reason}')


def nothing_is_lost(watched: Watched) -> Must:
    """Return whether each picture that was published came in."""
    lost = len(watched.stamps_ns) - watched.count(keys.FRAMES_RECEIVED)
    return Must(
        'no picture is lost on the way', lost == 0,
        f'{lost} of {len(watched.stamps_ns)} lost',
    )  # fmt: skip


def latency_does_not_pile_up(watched: Watched) -> Must:
    """Return whether old pictures wait: depth may be as old as two frames take, no older."""
    work_ms = float(watched.values.get('processing p95 (ms)', 'nan'))
    ages_ms = [(arrived - stamp) * 1e-6 for stamp, arrived in watched.frames_ns]
    median_ms = float(np.median(ages_ms)) if ages_ms else float('nan')
    return Must(
        'pictures do not queue up: median latency below twice the p95 of the processing',
        median_ms < 2.0 * work_ms,
        f'{median_ms:.0f} ms, processing p95 {work_ms:.0f} ms',
    )


def nothing_piles_up(watched: Watched, most_mb: float) -> list[Must]:
    """Return whether memory, descriptors and threads stay as they were after the warm-up."""
    rest = watched.samples[int(len(watched.samples) * _WARM_UP_SHARE) :]
    third = max(1, len(rest) // 3)
    musts = []
    for name, most, unit in (
        ('resident_mb', most_mb, 'MB'), ('descriptors', 2, ''), ('threads', 1, ''),
    ):  # fmt: skip
        values = [getattr(sample, name) for sample in rest]
        first, last = (float(np.median(part)) for part in (values[:third], values[-third:]))
        label = 'memory' if name == 'resident_mb' else name
        musts.append(
            Must(
                f'{label} grows by less than {most:g} {unit}'.rstrip(),
                last - first < most,
                f'{first:.1f} to {last:.1f}',
            )  # fmt: skip
        )
    return musts


def all_actions_succeed(watched: Watched, count: int) -> Must:
    """Return whether each action did what it should."""
    failures = [f'{name}: {failure}' for name, failure in watched.actions if failure]
    done = len(watched.actions)
    return Must(
        f'all {count} actions succeed', done == count and not failures,
        f'{done} done, {len(failures)} failed{": " if failures else ""}{"; ".join(failures[:2])}',
    )  # fmt: skip
