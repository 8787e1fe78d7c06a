# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""Two namespaces reach each other over a link that delays and loses."""

from __future__ import annotations

import subprocess
import sys

from benchmark.transport.far_link import LinkError, two_machines
import pytest

_ECHO = """
import socket
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.bind(('10.213.7.2', 5000))
print('ready', flush=True)
while True:
    link.sendto(*link.recvfrom(99))
"""
# The first one lets both ends learn each other's address.
_ASK = """
import socket, time
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.settimeout(2.0)
sent_s = []
for count in range(201):
    sent_s.append(time.monotonic())
    link.sendto(b'%d' % count, ('10.213.7.2', 5000))
    time.sleep(0.2 if count == 0 else 0.001)
answers, least_s = 0, 9.0
try:
    while True:
        count = int(link.recvfrom(99)[0])
        answers += 1
        if count:
            least_s = min(least_s, time.monotonic() - sent_s[count])
except TimeoutError:
    pass
print(answers, least_s)
"""


@pytest.mark.parametrize(('loss', 'least', 'most'), [(0.0, 201, 201), (0.2, 80, 180)])
def test_packets_are_delayed_and_lost(loss: float, least: int, most: int) -> None:
    try:
        link = two_machines(0.05, loss, seed=1)
        here, there = link.__enter__()
    except LinkError as error:
        pytest.skip(f'no network namespaces here: {error}')
    try:
        enter = ['ip', 'netns', 'exec']
        with subprocess.Popen(
            [*enter, there, sys.executable, '-c', _ECHO], stdout=subprocess.PIPE
        ) as echo:
            assert echo.stdout is not None and echo.stdout.readline()
            try:
                ask = [*enter, here, sys.executable, '-c', _ASK]
                done = subprocess.run(ask, capture_output=True, text=True, timeout=120, check=True)
            finally:
                echo.kill()
    finally:
        link.__exit__(None, None, None)
    answers, least_s = done.stdout.split()
    assert least <= int(answers) <= most
    assert float(least_s) >= 0.1  # of the link's delay, there and back
