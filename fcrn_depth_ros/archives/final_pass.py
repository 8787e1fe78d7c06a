# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The cheap half of the work: the alert over all parts, and the bag that a user gets.

`judge` goes through the rows of a bag in order, since the alert remembers. `merge_segment` then
joins original messages, depth and alert of one segment, independently of the other segments.
`finish` makes one bag of the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from heapq import merge
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
import yaml

from .alert_pass import AlertReplay
from .depth_pass import part_names
from .picture_rows import from_lines, PictureRow, PictureTable
from .places import OutputPlace
from .plan import BagOptions, BagPlan, MOMENTS, Segment
from .recording import Recording
from .writing import BagWriter, METADATA_VERSION
from ..alert.machine import AlertState
from ..report.contact_sheet import contact_sheet, DepthColors, SheetMoment, TimelinePoint
from ..report.drawing import colorize_depth
from ..wire.scale_news import News, ScaleNews
from ..wire.topics import ALERT_TOPICS, LATCHED

RUN_FILE = 'run.json'
_NS_PER_S = 1e9
_MOST_TIMELINE_POINTS = 4000


@dataclass
class BagSummary:
    """What became of the pictures of a bag; written to `run.json`."""

    fingerprint: str
    pictures: int = 0
    rejected: int = 0
    unknown: int = 0
    first_rejection: str = ''
    states: dict[str, int] = field(default_factory=dict)

    def count(self, row: PictureRow, state: str) -> None:
        """Count one picture."""
        self.pictures += 1
        self.rejected += bool(row.rejected)
        self.unknown += bool(row.unknown_reason)
        self.first_rejection = self.first_rejection or row.rejected
        self.states[state] = self.states.get(state, 0) + 1


def final_name(plan: BagPlan, segment: Segment) -> str:
    """Return the name of one file of the bag that is made."""
    return f'{plan.name}_{segment.index}.mcap'


def _metadata_name(segment: Segment) -> str:
    return f'work/final_{segment.index:05d}.yaml'


def _extras_name(segment: Segment) -> str:
    return f'work/extras_{segment.index:05d}.json'


def is_merged(place: OutputPlace, segment: Segment) -> bool:
    """Return whether the file of a segment is there, which means whole."""
    return place.has(_metadata_name(segment))


def finished_summary(place: OutputPlace) -> BagSummary | None:
    """Return what an earlier run wrote about a bag that it finished; None where it did not."""
    return BagSummary(**json.loads(place.read(RUN_FILE))) if place.has(RUN_FILE) else None


def judge(options: BagOptions, plan: BagPlan, place: OutputPlace) -> BagSummary:
    """
    Run the alert over the rows of a bag; write the table and the contact sheets.

    Parameters
    ----------
    options, plan : BagOptions, BagPlan
        What is to be done; every part is there.
    place : OutputPlace
        Of the bag's results.

    Returns
    -------
    BagSummary
        See there.

    """
    summary = BagSummary(plan.fingerprint)
    replays = {
        c.topic: AlertReplay(options.alert, plan.start_ns, options.clock) for c in plan.cameras
    }
    news = {camera.topic: ScaleNews() for camera in plan.cameras}
    timelines: dict[str, list[TimelinePoint]] = {camera.topic: [] for camera in plan.cameras}
    spaces = {camera.topic: camera for camera in plan.cameras}
    with place.scratch() as scratch:
        table_file = Path(scratch) / 'pictures.parquet'
        with PictureTable(table_file, plan.name) as table:
            for segment in plan.segments:
                extras: list[tuple[int, str, str, Any]] = []
                judged = []
                for row in from_lines(place.read(part_names(segment)[-1])):
                    replay, camera = replays[row.topic], spaces[row.topic]
                    for change in replay.hear(row):
                        values = change.level, change.state
                        for (name, kind), data in zip(ALERT_TOPICS.items(), values, strict=True):
                            topic = options.output_topic(camera, name)
                            extras.append((change.time_ns, topic, kind, data))
                    for name, data in () if row.rejected else _news(news[row.topic], row):
                        topic = options.output_topic(camera, name)
                        extras.append((row.recorded_ns, topic, LATCHED[name], data))
                    summary.count(row, replay.state)
                    judged.append((row, replay.state, replay.reason))
                    _draw_in(timelines[row.topic], row, replay.state, plan)
                table.add(judged)
                # Silence is judged when the next picture comes, which may be a segment later.
                place.write(_extras_name(segment), json.dumps(extras).encode())
        place.commit(table_file, 'pictures.parquet')
    for index, camera in enumerate(plan.cameras):
        sheet = _sheet(plan, place, index, timelines[camera.topic])
        if sheet is not None:
            encoded, content = cv2.imencode('.png', sheet[..., ::-1])
            assert encoded, 'PNG takes every uint8 array'
            name = 'contact_sheet.png' if index == 0 else f'contact_sheet_{index + 1}.png'
            place.write(name, content.tobytes())
    return summary


def _news(news: ScaleNews, row: PictureRow) -> Iterator[News]:
    return news.of(row.stamp_ns, row.scale_verified, row.scale_state, row.scale_text)


def _draw_in(timeline: list[TimelinePoint], row: PictureRow, state: str, plan: BagPlan) -> None:
    time_s = (row.recorded_ns - plan.moments_ns[0]) / _NS_PER_S
    span_s = (plan.moments_ns[-1] - plan.moments_ns[0]) / _NS_PER_S * MOMENTS / (MOMENTS - 1)
    if not timeline or time_s - timeline[-1].time_s >= span_s / _MOST_TIMELINE_POINTS:
        timeline.append(TimelinePoint(time_s, row.nearest_m, AlertState[state]))


def _sheet(
    plan: BagPlan, place: OutputPlace, index: int, timeline: list[TimelinePoint]
) -> NDArray[np.uint8] | None:
    colors = DepthColors()
    moments: dict[int, SheetMoment] = {}
    for segment in plan.segments:
        name = part_names(segment)[1]
        if not place.has(name):
            continue
        with np.load(io.BytesIO(place.read(name)), allow_pickle=False) as kept:
            for number in range(MOMENTS):
                key = f'{index}_{number}'
                if f'{key}_time' not in kept:
                    continue
                picture = kept[f'{key}_picture']
                depth = colorize_depth(kept[f'{key}_depth'], colors.min_m, colors.max_m)
                depth = cv2.resize(depth, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
                time_s = (int(kept[f'{key}_time']) - plan.moments_ns[0]) / _NS_PER_S
                moments[number] = SheetMoment(time_s, [picture, depth])
    if not moments:
        return None
    camera = plan.cameras[index]
    columns = [moments[number] for number in sorted(moments)]
    shape = columns[0].panels[0].shape
    columns = [m for m in columns if m.panels[0].shape == shape]
    subtitle = f'{camera.topic}, {camera.pictures} pictures'
    return contact_sheet(
        _ascii(plan.name), _ascii(subtitle), ('picture', 'depth'), columns, timeline, colors
    )


def _ascii(text: str) -> str:
    return text.encode('ascii', 'replace').decode()


def merge_segment(
    options: BagOptions, plan: BagPlan, segment: Segment, place: OutputPlace
) -> None:
    """
    Write one file of the bag: original messages, depth and alert in order of time.

    Parameters
    ----------
    options, plan : BagOptions, BagPlan
        What is to be done; `judge` has been called.
    segment : Segment
        Of that plan.
    place : OutputPlace
        Of the bag's results.

    """
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(place.scratch()))
        part_file = place.local(part_names(segment)[0], scratch)
        part = stack.enter_context(Recording(str(part_file)))
        sources = [_copied(part, part.messages())]
        if options.copy:
            original = stack.enter_context(Recording(plan.place))
            copied = original.messages(None, segment.start_ns, segment.stop_ns)
            sources.insert(0, _copied(original, copied))
        extras = json.loads(place.read(_extras_name(segment)))
        folder = scratch / final_name(plan, segment).removesuffix('.mcap')
        with BagWriter(folder) as writer:
            sources.append(_made(writer, sorted(extras, key=lambda extra: int(extra[0]))))
            for time_ns, topic, kind, content, store, qos in merge(*sources, key=_time):
                writer.copy(topic, time_ns, kind, content, store, qos)
        if writer.counts:
            place.commit(writer.file, final_name(plan, segment))
        place.write(_metadata_name(segment), (folder / 'metadata.yaml').read_bytes())


_Item = tuple[int, str, str, bytes, Any, Any]


def _time(item: _Item) -> int:
    return item[0]


def _copied(recording: Recording, messages: Iterator[tuple[Any, int, bytes]]) -> Iterator[_Item]:
    for connection, time_ns, content in messages:
        qos = getattr(connection.ext, 'offered_qos_profiles', ())
        kind = recording.type_of(connection)
        yield time_ns, connection.topic, kind, content, recording.typestore, qos


def _made(writer: BagWriter, extras: list[Any]) -> Iterator[_Item]:
    for time_ns, topic, kind, data in extras:
        yield time_ns, topic, kind, writer.serialized(kind, data=data), writer.store, ()


def _parsed(content: bytes) -> Any:
    # libyaml, where PyYAML has it, is ten times as fast.
    return yaml.load(content, getattr(yaml, 'CSafeLoader', yaml.SafeLoader))


def finish(plan: BagPlan, place: OutputPlace, summary: BagSummary) -> None:
    """
    Make one bag of the files, and say that it is finished.

    Parameters
    ----------
    plan : BagPlan
        Every segment of it is merged.
    place : OutputPlace
        Of the bag's results.
    summary : BagSummary
        Becomes `run.json`.

    """
    pieces = [
        _parsed(place.read(_metadata_name(segment)))['rosbag2_bagfile_information']
        for segment in plan.segments
    ]
    pieces = [
        piece | {'relative_file_paths': [final_name(plan, segment)]}
        for piece, segment in zip(pieces, plan.segments, strict=True)
        if piece['message_count']
    ]
    topics: dict[tuple[str, str], dict[str, Any]] = {}
    for piece in pieces:
        for entry in piece['topics_with_message_count']:
            data = entry['topic_metadata']
            known = topics.setdefault(
                (data['name'], data['type']), {'topic_metadata': data, 'message_count': 0}
            )
            known['message_count'] += entry['message_count']
    begins = [piece['starting_time']['nanoseconds_since_epoch'] for piece in pieces]
    ends = [
        begin + piece['duration']['nanoseconds']
        for begin, piece in zip(begins, pieces, strict=True)
    ]
    information = {
        'version': METADATA_VERSION,
        'storage_identifier': 'mcap',
        'duration': {'nanoseconds': max(ends) - min(begins)},
        'starting_time': {'nanoseconds_since_epoch': min(begins)},
        'message_count': sum(piece['message_count'] for piece in pieces),
        'topics_with_message_count': list(topics.values()),
        'compression_format': '',
        'compression_mode': '',
        'relative_file_paths': [piece['relative_file_paths'][0] for piece in pieces],
        'files': [
            {
                'path': piece['relative_file_paths'][0],
                'starting_time': piece['starting_time'],
                'duration': piece['duration'],
                'message_count': piece['message_count'],
            }
            for piece in pieces
        ],
        'custom_data': {'original': plan.place},
        'ros_distro': 'rosbags',
    }
    text = yaml.safe_dump({'rosbag2_bagfile_information': information}, sort_keys=False)
    place.write('metadata.yaml', text.encode())
    place.write(RUN_FILE, (json.dumps(asdict(summary), indent=2) + '\n').encode())
    place.remove('work')
