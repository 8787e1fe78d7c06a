# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The same tasks on a Ray cluster.

Plain tasks, one core each: Ray keeps its worker processes, so that each loads the network once,
and gives the task of a process or machine that died to another one.
"""

from __future__ import annotations

from typing import Any

from .plan import BagOptions
from .running import Done, MOST_TRIES, POLL_S, Task
from ..errors import ToolInputError

# So many tasks wait for each core: enough to keep it busy, few enough to go on in order.
_TASKS_PER_CORE = 2


class RayWorkers:
    """
    Tasks on a cluster.

    Parameters
    ----------
    options, out
        As for :func:`~fcrn_depth_ros.archives.running.do_task`. Bags and `out` must have the same
        path or URL on every machine.
    address : str
        Of the cluster, or 'local' for one that is started here.
    jobs : int
        Workers of a cluster that is started here.

    Raises
    ------
    ToolInputError
        Ray is not installed, or there is no such cluster.

    """

    def __init__(self, options: BagOptions, out: str, address: str, jobs: int) -> None:
        try:
            import ray
        except ModuleNotFoundError as err:
            raise ToolInputError(
                f'ray must be installed for --ray, got no {err.name}; run '
                "pip install 'fcrn_depth_ros[bags,ray]' here and on every machine of the cluster"
            ) from err
        self._ray: Any = ray
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            local = {'num_cpus': jobs, 'include_dashboard': False}
            where = local if address == 'local' else {'address': address}
            try:
                ray.init(log_to_driver=False, **where)
            except (ConnectionError, ValueError, RuntimeError) as err:
                raise ToolInputError(
                    f'--ray must name a cluster that runs, got {address}: '
                    f'{" ".join(str(err).split())}; start one with ray start --head'
                ) from err
        self._options = ray.put(options)
        self._out = out
        self._do: Any = ray.remote(num_cpus=1, max_retries=MOST_TRIES)(_estimate_or_merge)
        self._running: dict[Any, Task] = {}

    @property
    def room(self) -> int:
        """How many more tasks can be taken now."""
        cores = int(self._ray.cluster_resources().get('CPU', 1))
        return max(1, cores) * _TASKS_PER_CORE - len(self._running)

    def submit(self, task: Task) -> None:
        """Hand a task to the cluster."""
        self._running[self._do.remote(self._options, self._out, task)] = task

    def collect(self) -> list[Done]:
        """Wait a moment and return what has ended."""
        ended, _ = self._ray.wait(list(self._running), timeout=POLL_S, num_returns=1)
        return [self._done(reference) for reference in ended]

    def _done(self, reference: Any) -> Done:
        task = self._running.pop(reference)
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as err:
            return Done(task, err.cause)
        except self._ray.exceptions.RayError as err:
            return Done(task, RuntimeError(f'its worker was lost each time: {err}'))
        return Done(task, None)

    def pictures(self) -> int:
        """Return 0: a cluster tells of whole segments only."""
        return 0

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self._is_ours:
            self._ray.shutdown()


def _estimate_or_merge(options: BagOptions, out: str, task: Task) -> None:
    from .running import do_task

    do_task(options, out, task)
