# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Two machines on this one: network namespaces, and a link between them that delays and loses.

The link is this process: it reads what the kernel sends into one end (a TAP device) and writes it
to the other after a while, or never. So it needs no `netem` in the kernel, and a run can be
repeated: what is lost comes from a seed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, ExitStack
import fcntl
import os
import random
import select
import struct
import subprocess
import threading
import time

_TUNSETIFF = 0x400454CA
_TAP_WITHOUT_HEADER = 0x0002 | 0x1000
_MOST_BYTES = 65536
# What a kernel queues for a device of its own; a slow reader loses more.
_QUEUE_PACKETS = '10000'
_ADDRESSES = ('10.213.7.1/24', '10.213.7.2/24')


class LinkError(Exception):
    """Namespaces or devices cannot be made here."""


@contextmanager
def two_machines(delay_s: float, loss: float, seed: int = 0) -> Iterator[tuple[str, str]]:
    """
    Make two namespaces that reach each other over a bad link, for the time of the block.

    Parameters
    ----------
    delay_s : float
        In each direction.
    loss : float
        Share of the packets of each direction that are lost.
    seed : int
        Of the losses.

    Yields
    ------
    tuple of str
        Names of the namespaces, for `ip netns exec`.

    Raises
    ------
    LinkError
        This process may not make them, or a program is missing.

    """
    names = tuple(f'fcrn{os.getpid()}{side}' for side in 'ab')
    with ExitStack() as stack:
        ends = []
        for name, address in zip(names, _ADDRESSES, strict=True):
            _ip('netns', 'add', name)
            stack.callback(_ip, 'netns', 'del', name)
            ends.append(_tap(name))
            stack.callback(os.close, ends[-1])
            _ip('link', 'set', name, 'netns', name)
            inside = ('-n', name)
            _ip(*inside, 'link', 'set', 'lo', 'up')
            _ip(*inside, 'addr', 'add', address, 'dev', name)
            _ip(*inside, 'link', 'set', name, 'txqueuelen', _QUEUE_PACKETS, 'up')
            _ip(*inside, 'route', 'add', '224.0.0.0/4', 'dev', name)
        ended = threading.Event()
        carriers = [
            threading.Thread(
                target=_carry,
                args=(*pair, delay_s, loss, random.Random(seed + number), ended),
                name=f'link_{number}',
            )
            for number, pair in enumerate((ends, ends[::-1]))
        ]
        for carrier in carriers:
            carrier.start()
        try:
            yield names[0], names[1]
        finally:
            ended.set()
            for carrier in carriers:
                carrier.join()


def _carry(
    source: int, sink: int, delay_s: float, loss: float, chance: random.Random,
    ended: threading.Event,
) -> None:  # fmt: skip
    """Carry packets of one direction until told to end."""
    waiting: deque[tuple[float, bytes]] = deque()
    while not ended.is_set():
        left_s = waiting[0][0] - time.monotonic() if waiting else 0.1
        readable, _, _ = select.select([source], [], [], max(0.0, min(0.1, left_s)))
        if readable:
            packet = os.read(source, _MOST_BYTES)
            if chance.random() >= loss:
                waiting.append((time.monotonic() + delay_s, packet))
        while waiting and waiting[0][0] <= time.monotonic():
            try:
                os.write(sink, waiting.popleft()[1])
            except OSError:
                # The other end is full or down: a packet is lost, as on a real link.
                continue


def _tap(name: str) -> int:
    try:
        device = os.open('/dev/net/tun', os.O_RDWR)
    except OSError as error:
        raise LinkError(f'/dev/net/tun must be open to this process, got {error}') from error
    try:
        fcntl.ioctl(device, _TUNSETIFF, struct.pack('16sH', name.encode(), _TAP_WITHOUT_HEADER))
    except OSError as error:
        os.close(device)
        raise LinkError(f'a TAP device must be made here, got {error}') from error
    return device


def _ip(*words: str) -> None:
    try:
        done = subprocess.run(['ip', *words], capture_output=True, text=True, check=False)
    except OSError as error:
        raise LinkError(f'ip (iproute2) must be installed, got {error}') from error
    if done.returncode:
        raise LinkError(f'ip {" ".join(words)} must succeed, got: {done.stderr.strip()}')
