# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Many bags on many cores: who does what next, and what happens when something goes wrong.

The unit of work is a segment. A bag that fails costs that bag only. What is whole is never done
again: not by this run, and not by the next one after this one was killed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
import multiprocessing
from typing import Any, Protocol

import cv2

from .depth_pass import estimate_segment, is_part_done, open_pipeline, part_names
from .final_pass import BagSummary, finish, finished_summary, is_merged, judge, merge_segment
from .picture_rows import require_pyarrow
from .places import output_error, output_place, OutputError
from .plan import BagOptions, BagPlan, name_of, plan_bag, Segment
from .recording import require_rosbags
from ..errors import FcrnDepthError, ToolInputError

POLL_S = 0.2
# A segment whose worker dies so often is what kills it.
MOST_TRIES = 3


@dataclass(frozen=True)
class Task:
    """One piece of work; small, so that it can be sent anywhere."""

    kind: str
    plan: BagPlan
    segment: Segment

    def __str__(self) -> str:
        return f'{self.plan.place}, segment {self.segment.index}'


def do_task(
    options: BagOptions, out: str, task: Task, on_picture: Callable[[], None] = lambda: None
) -> None:
    """
    Do one piece of work, here.

    Parameters
    ----------
    options : BagOptions
        For every bag.
    out : str
        Folder or URL below which each bag has a folder.
    task : Task
        What to do; nothing happens where it is done already.
    on_picture : callable
        Called after each picture.

    """
    cv2.setNumThreads(1)  # the cores are for other tasks
    place = output_place(out, task.plan.name)
    try:
        if task.kind == 'estimate':
            if not is_part_done(place, task.segment):
                estimate_segment(options, task.plan, task.segment, place, on_picture)
        elif not is_merged(place, task.segment):
            merge_segment(options, task.plan, task.segment, place)
    except OSError as err:  # of scratch files; reading a bag has an error of its own
        raise output_error(place, err) from err


@dataclass(frozen=True)
class Done:
    """A task that has ended; `error` is None where it went well."""

    task: Task
    error: BaseException | None


class Workers(Protocol):
    """Where tasks are done."""

    @property
    def room(self) -> int:
        """How many more tasks can be taken now."""

    def submit(self, task: Task) -> None:
        """Take a task."""

    def collect(self) -> list[Done]:
        """Wait a moment and return what has ended."""

    def pictures(self) -> int:
        """Return how many pictures have been worked on since the last call."""

    def close(self) -> None:
        """End what still runs."""


class InProcess:
    """Every task in this process, one after the other."""

    def __init__(self, options: BagOptions, out: str, on_picture: Callable[[], None]) -> None:
        self._options, self._out, self._on_picture = options, out, on_picture
        self._task: Task | None = None

    @property
    def room(self) -> int:
        """One task at a time."""
        return int(self._task is None)

    def submit(self, task: Task) -> None:
        """Keep a task for :meth:`collect`."""
        self._task = task

    def collect(self) -> list[Done]:
        """Do the task."""
        task, self._task = self._task, None
        if task is None:
            return []
        try:
            do_task(self._options, self._out, task, self._on_picture)
        except Exception as error:
            return [Done(task, error)]
        return [Done(task, None)]

    def pictures(self) -> int:
        """Return 0: they were counted one by one."""
        return 0

    def close(self) -> None:
        """Do nothing: nothing runs."""


_counter: Any = None


def _start_worker(counter: Any) -> None:
    global _counter
    _counter = counter


def _count() -> None:
    with _counter.get_lock():
        _counter.value += 1


def _do_counted(options: BagOptions, out: str, task: Task) -> None:
    do_task(options, out, task, _count)


class ProcessPool:
    """
    Tasks in processes of this machine, each with a network of its own.

    Parameters
    ----------
    options, out
        As for :func:`do_task`.
    jobs : int
        How many processes.

    """

    def __init__(self, options: BagOptions, out: str, jobs: int) -> None:
        self._options, self._out, self._jobs = options, out, jobs
        self._context = multiprocessing.get_context('spawn')
        self._counter: Any = self._context.Value('q', 0)
        self._counted = 0
        self._tries: dict[Task, int] = {}
        self._running: dict[Future[None], Task] = {}
        self._start()

    def _start(self) -> None:
        self._pool = ProcessPoolExecutor(
            self._jobs, self._context, _start_worker, (self._counter,)
        )

    @property
    def room(self) -> int:
        """One task more than processes, so that none waits for this one."""
        return self._jobs + 1 - len(self._running)

    def submit(self, task: Task) -> None:
        """Give a task to the next process that is free."""
        self._tries[task] = self._tries.get(task, 0) + 1
        try:
            future = self._send(task)
        except BrokenProcessPool:
            if self._running:  # collect() will find out, and start new processes
                future = Future()
                future.set_exception(BrokenProcessPool())
            else:
                self._restart()
                future = self._send(task)
        self._running[future] = task

    def _send(self, task: Task) -> Future[None]:
        return self._pool.submit(_do_counted, self._options, self._out, task)

    def collect(self) -> list[Done]:
        """Wait a moment; tasks of a process that was killed are given to others."""
        ended, _ = wait(self._running, POLL_S, 'FIRST_COMPLETED')
        done, lost, is_broken = [], [], False
        for future in ended:
            task, error = self._running.pop(future), future.exception()
            is_broken |= isinstance(error, BrokenProcessPool)
            if not isinstance(error, BrokenProcessPool):
                done.append(Done(task, error))
            elif self._tries[task] >= MOST_TRIES:
                done.append(Done(task, RuntimeError('its worker process was killed each time')))
            else:
                lost.append(task)
        if is_broken:
            lost += self._running.values()
            self._running.clear()
            self._restart()
            for task in lost:
                self.submit(task)
        return done

    def _restart(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._start()

    def pictures(self) -> int:
        """Return how many pictures the processes have worked on since the last call."""
        now: int = self._counter.value
        new, self._counted = now - self._counted, now
        return new

    def close(self) -> None:
        """End the processes, whatever they do: a part is whole or not there."""
        processes = list(getattr(self._pool, '_processes', {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


@dataclass
class _Bag:
    plan: BagPlan
    waiting: set[Segment]
    summary: BagSummary | None = None


@dataclass
class RunResult:
    """
    What became of each bag.

    Attributes
    ----------
    finished : dict of str to BagSummary
        By path or URL.
    failed : dict of str to str
        Path or URL -> why.

    """

    finished: dict[str, BagSummary] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class ProgressBar(Protocol):
    """What is used of tqdm."""

    total: Any

    def update(self, n: int) -> Any:
        """Count pictures."""


class ArchiveRun:
    """
    Work through bags.

    Parameters
    ----------
    options : BagOptions
        For all of them.
    out : str
        Folder or URL; each bag gets a folder of its name in it.
    overwrite : bool
        Replace results that were made with other options or of another bag.

    Raises
    ------
    ToolInputError
        A package is missing, or the options cannot work.

    """

    def __init__(self, options: BagOptions, out: str, overwrite: bool = False) -> None:
        require_rosbags()
        require_pyarrow()
        open_pipeline(options)
        self._options, self._out, self._overwrite = options, out, overwrite
        self._result = RunResult()
        self._bags: dict[str, _Bag] = {}
        self._pending: deque[Task] = deque()
        self.pictures = 0
        self.pictures_done = 0

    def prepare(self, bags: Sequence[str]) -> None:
        """
        Look into every bag.

        Parameters
        ----------
        bags : sequence of str
            Paths or URLs; the damaged ones are remembered as failed.

        Raises
        ------
        ToolInputError
            Two bags have one name, or results of other options are in the way.

        """
        names = [name_of(bag) for bag in bags]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ToolInputError(
                f'bags must have different names, got {", ".join(twice)} more than once; rename '
                'them, or use another --out for each'
            )
        for bag in bags:
            try:
                plan = plan_bag(bag, self._options)
            except FcrnDepthError as err:
                self._result.failed[bag] = str(err)
                continue
            except Exception as err:  # nobody foresaw it; the other bags may still be worked on
                self._result.failed[bag] = f'internal error: {err!r}'
                continue
            self._prepare(plan)

    def _prepare(self, plan: BagPlan) -> None:
        place = output_place(self._out, plan.name)
        summary = finished_summary(place)
        started = place.read('work/plan.txt').decode() if place.has('work/plan.txt') else None
        known = summary.fingerprint if summary else started
        if known not in (None, plan.fingerprint):
            if not self._overwrite:
                raise ToolInputError(
                    f'{place} must be free, or hold results of this bag and these options, got '
                    'others; choose another --out, or replace them with --overwrite'
                )
            place.remove('')
            summary = None
        if summary is not None:
            self._result.finished[plan.place] = summary
            return
        place.write('work/plan.txt', plan.fingerprint.encode())
        self.pictures += plan.pictures
        waiting = set()
        for segment in plan.segments:
            if is_part_done(place, segment):
                self.pictures_done += place.read(part_names(segment)[-1]).count(b'\n')
            else:
                waiting.add(segment)
                self._pending.append(Task('estimate', plan, segment))
        self._bags[plan.place] = _Bag(plan, waiting)
        if not waiting:
            # Whatever is left is cheap.
            self._pending.append(Task('judge', plan, plan.segments[0]))

    def work(self, workers: Workers, bar: ProgressBar) -> RunResult:
        """
        Do all that is left.

        Parameters
        ----------
        workers : Workers
            Where.
        bar : ProgressBar
            Is told of each picture.

        Returns
        -------
        RunResult
            See there.

        Raises
        ------
        OutputError
            Nothing more can be written.

        """
        in_flight = 0
        while self._pending or in_flight:
            while self._pending and workers.room > 0:
                task = self._pending.popleft()
                if task.plan.place in self._result.failed:
                    continue
                if task.kind == 'judge':
                    self._judge(self._bags[task.plan.place])
                    continue
                workers.submit(task)
                in_flight += 1
            for done in workers.collect():
                in_flight -= 1
                self._note(done)
            bar.update(workers.pictures())
        return self._result

    def _note(self, done: Done) -> None:
        task, error = done.task, done.error
        bag = self._bags[task.plan.place]
        if isinstance(error, OutputError):
            raise error
        if error is not None:
            if not isinstance(error, FcrnDepthError):
                error = RuntimeError(f'internal error in segment {task.segment.index}: {error!r}')
            self._result.failed.setdefault(task.plan.place, ' '.join(str(error).split()))
            return
        bag.waiting.discard(task.segment)
        if bag.waiting or task.plan.place in self._result.failed:
            return
        if bag.summary is None:
            self._judge(bag)
        else:
            self._finish(bag)

    def _judge(self, bag: _Bag) -> None:
        """All depth is there: judge, and have the files written."""
        place = output_place(self._out, bag.plan.name)
        try:
            bag.summary = judge(self._options, bag.plan, place)
        except OSError as err:
            raise output_error(place, err) from err
        bag.waiting = set(bag.plan.segments)
        tasks = [Task('merge', bag.plan, segment) for segment in bag.plan.segments]
        self._pending.extendleft(reversed(tasks))

    def _finish(self, bag: _Bag) -> None:
        assert bag.summary is not None
        place = output_place(self._out, bag.plan.name)
        finish(bag.plan, place, bag.summary)
        self._result.finished[bag.plan.place] = bag.summary
