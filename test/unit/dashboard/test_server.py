# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The server of the page over real sockets, with robots that are made up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
import json
from pathlib import Path
import random
import re
import ssl
from typing import Any

import aiohttp
from fake_robots import FakeRobots, wait_for
from fcrn_depth_ros.dashboard.access import AccessRules, COOKIE, own_names
from fcrn_depth_ros.dashboard.certificate import load_certificate, own_certificate
from fcrn_depth_ros.dashboard.robots import Answer
from fcrn_depth_ros.dashboard.server import DashboardServer, WEB
from fcrn_depth_ros.errors import ConfigurationError
import pytest

TOKEN = 'a-token-of-the-test'


def no_phone(name: str) -> Any:
    """Make no phone."""
    return None


class FakePhone:
    """A phone that has been let in."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def close(self) -> None:
        pass


class Served:
    """A running server and what it was asked."""

    def __init__(self, control: bool = True, token: str = '', tls: ssl.SSLContext | None = None):
        self.robots = FakeRobots()
        rules = AccessRules(tls is not None, token, own_names())
        self.server = DashboardServer(self.robots, rules, control, 30.0, no_phone)
        self.robots.on_frame = self.server.frame_waits
        self.scheme = 'https' if tls else 'http'
        self.host = f'127.0.0.1:{self.server.start("127.0.0.1", 0, tls)}'
        self.url = f'{self.scheme}://{self.host}'

    def close(self) -> None:
        self.robots.close()
        self.server.stop()

    def run(self, script: Callable[[aiohttp.ClientSession], Awaitable[Any]]) -> Any:
        """Run a client's script; cookies are kept, certificates not checked."""

        async def run() -> Any:
            jar = aiohttp.CookieJar(unsafe=True)
            connector = aiohttp.TCPConnector(ssl=False)
            async with aiohttp.ClientSession(
                self.url, cookie_jar=jar, connector=connector
            ) as session:
                result = await asyncio.wait_for(script(session), 60)
            if self.scheme == 'https':
                await asyncio.sleep(0.25)  # asyncio closes its TLS sockets a moment later
            return result

        return asyncio.run(run())

    def connect(self, session: aiohttp.ClientSession, **changes: Any) -> Any:
        """Open the WebSocket as the page does."""
        return session.ws_connect('/ws', headers={'Origin': self.url}, max_msg_size=0, **changes)


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Served]:
    pytest.importorskip('cryptography', reason='needs cryptography')
    import datetime

    now = datetime.datetime.now(datetime.timezone.utc)
    context, _ = load_certificate(*own_certificate(tmp_path, now))
    served = Served(token=TOKEN, tls=context)
    yield served
    served.close()


async def message(socket: aiohttp.ClientWebSocketResponse, kind: str) -> Any:
    """Wait for a message of a kind; `frame` is binary."""
    while True:
        got = await socket.receive()
        assert got.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), got
        if got.type is aiohttp.WSMsgType.BINARY:
            if kind == 'frame':
                return got.data
        elif (said := json.loads(got.data))['type'] == kind:
            return said


def test_the_page_and_all_it_needs_is_served_and_is_small(served: Served) -> None:
    async def script(session: aiohttp.ClientSession) -> None:
        total = 0
        for path in (p for p in WEB.rglob('*') if p.is_file()):
            async with session.get(f'/{path.relative_to(WEB).as_posix()}') as response:
                assert response.status == 200
                total += len(await response.read())
                policy = response.headers['Content-Security-Policy']
        assert total < 300_000
        assert "default-src 'none'" in policy and 'unsafe' not in policy
        for missing in ('/../setup.py', '/%2e%2e/server.py', '/nothing', '/texts/'):
            async with session.get(missing) as response:
                assert response.status == 404

    served.run(script)


def test_nothing_of_the_page_comes_from_another_host() -> None:
    for path in (path for path in WEB.rglob('*') if path.is_file()):
        text = path.read_text(encoding='utf-8').replace('"http://www.w3.org/2000/svg"', '')
        assert not re.search(r'https?://|["\'(]//', text), path


@pytest.mark.parametrize(
    ('host', 'origin', 'status'),
    [
        ('evil.example.org', '', 403),
        ('', 'http://evil.example.org', 403),
        ('', 'null', 403),
        ('', None, 403),
    ],
)
def test_other_sites_cannot_connect(
    served: Served, host: str, origin: str | None, status: int
) -> None:
    async def script(session: aiohttp.ClientSession) -> int:
        headers = {'Origin': origin or served.url} if origin is not None else {}
        if host:
            headers['Host'] = host
        try:
            async with session.ws_connect('/ws', headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status

    assert served.run(script) == status


def test_without_the_token_there_is_nothing_but_401(locked: Served) -> None:
    async def script(session: aiohttp.ClientSession) -> set[int]:
        statuses = set()
        for path in ('/', '/main.js', '/ws', '/nothing', '/?token=wrong', '/?token='):
            for cookies in ({}, {COOKIE: 'wrong'}):
                async with session.get(path, cookies=cookies) as response:
                    statuses.add(response.status)
        return statuses

    assert locked.run(script) == {401}


def test_the_token_is_traded_for_a_cookie_that_scripts_cannot_read(locked: Served) -> None:
    async def script(session: aiohttp.ClientSession) -> None:
        async with session.get(f'/?token={TOKEN}', allow_redirects=False) as response:
            assert response.status == 303
            cookie = response.headers['Set-Cookie']
            assert 'HttpOnly' in cookie and 'Secure' in cookie and 'SameSite=Lax' in cookie
        async with session.get('/') as response:
            assert response.status == 200
        async with locked.connect(session) as socket:
            assert (await message(socket, 'hello'))['control']

    locked.run(script)


def test_guessing_the_token_is_slowed_down(locked: Served) -> None:
    async def script(session: aiohttp.ClientSession) -> int:
        for _ in range(20):
            async with session.get('/?token=wrong'):
                pass
        # By now the right one is not even looked at, from this address.
        async with session.get(f'/?token={TOKEN}', allow_redirects=False) as response:
            return response.status

    assert locked.run(script) == 401


def test_a_client_sees_the_robot_and_its_frames(served: Served) -> None:
    async def script(session: aiohttp.ClientSession) -> None:
        async with served.connect(session) as socket:
            assert (await message(socket, 'robots'))['robots'] == ['/']
            await socket.send_json({'type': 'watch', 'robot': '/'})
            assert (await message(socket, 'status'))['word'] == 'CLEAR'
            names = [
                p['name'] for p in (await message(socket, 'parameters'))['nodes']['alert_node']
            ]
            assert 'stop_distance_m' in names
            served.robots.next_frame()
            assert await message(socket, 'frame')
            assert served.robots.watched == ['/']
        for _ in range(500):
            if not served.robots.watched:
                return
            await asyncio.sleep(0.01)
        raise AssertionError('it is still watched')

    served.run(script)


def test_a_client_that_has_not_shown_frames_gets_no_more(served: Served) -> None:
    async def script(session: aiohttp.ClientSession) -> list[int]:
        numbers = []
        async with served.connect(session) as socket:
            await socket.send_json({'type': 'watch', 'robot': '/'})
            await message(socket, 'parameters')
            for _ in range(2):
                served.robots.next_frame()
                numbers.append(number_of(await message(socket, 'frame')))
            for _ in range(5):
                served.robots.next_frame()
            for _ in range(3):
                await message(socket, 'status')
            await socket.send_json({'type': 'shown'})
            # The newest one, not those between.
            numbers.append(number_of(await message(socket, 'frame')))
        return numbers

    assert served.run(script) == [1, 2, 7]


def number_of(data: bytes) -> int:
    length = int.from_bytes(data[:4], 'little')
    return int(json.loads(data[4 : 4 + length])['number'])


def test_a_client_that_never_reads_holds_nobody_up(served: Served) -> None:
    async def script(session: aiohttp.ClientSession) -> int:
        host, port = served.host.split(':')
        silent = []
        for _ in range(4):
            reader, writer = await asyncio.open_connection(host, int(port), limit=1)
            writer.write(
                f'GET /ws HTTP/1.1\r\nHost: {served.host}\r\nOrigin: {served.url}\r\n'
                'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
                'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'.encode()
            )
            await writer.drain()
            silent.append((reader, writer))
        got = 0
        async with served.connect(session) as socket:
            await socket.send_json({'type': 'watch', 'robot': '/'})
            await message(socket, 'parameters')
            for _ in range(20):
                served.robots.next_frame()
                await message(socket, 'frame')
                await socket.send_json({'type': 'shown'})
                got += 1
        for _, writer in silent:
            writer.close()
        return got

    assert served.run(script) == 20


def test_a_frame_that_cannot_be_encoded_is_not_the_last_one(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    view = served.robots.views['/']
    take_frame = view.take_frame

    class Bad:
        def encode(self) -> bytes:
            view.take_frame = take_frame
            raise ValueError('of nobody expected')

    async def script(session: aiohttp.ClientSession) -> int:
        async with served.connect(session) as socket:
            await socket.send_json({'type': 'watch', 'robot': '/'})
            await message(socket, 'parameters')
            view.take_frame = Bad
            served.robots.next_frame()
            await asyncio.sleep(0.2)
            served.robots.next_frame()
            return number_of(await message(socket, 'frame'))

    assert served.run(script) == 2
    assert 'of nobody expected' in capsys.readouterr().err


def test_confidence_is_wanted_while_one_page_shows_it(served: Served) -> None:
    async def ask(socket: aiohttp.ClientWebSocketResponse, is_on: object) -> None:
        await socket.send_json({'type': 'confidence', 'on': is_on})
        # An answer comes after what was sent before it.
        await socket.send_json({'type': 'call', 'id': 1, 'service': 'reset'})
        await message(socket, 'answer')

    async def script(session: aiohttp.ClientSession) -> None:
        async with served.connect(session) as first, served.connect(session) as second:
            for socket in (first, second):
                await socket.send_json({'type': 'confidence', 'on': True})  # of no robot yet
                await socket.send_json({'type': 'watch', 'robot': '/'})
                await ask(socket, True)
            await ask(first, False)
            await ask(second, 'no')
            await second.close()
            wait_for(lambda: served.robots.asked[-1][0] == 'confidence', 'it has gone')

    served.run(script)
    asked = [said[2] for said in served.robots.asked if said[0] == 'confidence']
    assert asked == [True, True, True, False]


def test_requests_reach_the_robot_and_refusals_come_back_word_for_word(served: Served) -> None:
    async def script(session: aiohttp.ClientSession) -> None:
        async with served.connect(session) as socket:
            await socket.send_json({'type': 'watch', 'robot': '/'})
            change = {'node': 'alert_node', 'name': 'stop_distance_m', 'value': 0.4}
            await socket.send_json({'type': 'set', 'id': 1, **change})
            assert (await message(socket, 'answer')) == {
                'type': 'answer',
                'id': 1,
                'ok': True,
                'message': '',
            }
            served.robots.answer = Answer(False, 'refused: still too near "…"')
            await socket.send_json({'type': 'call', 'id': 2, 'service': 'reset'})
            assert (await message(socket, 'answer'))['message'] == 'refused: still too near "…"'

    served.run(script)
    assert served.robots.asked == [
        ('set', '/', 'alert_node', 'stop_distance_m', 0.4),
        ('call', '/', 'reset', True),
    ]


def test_read_only_means_that_nothing_is_asked_of_a_robot() -> None:
    served = Served(control=False)

    async def script(session: aiohttp.ClientSession) -> None:
        async with served.connect(session) as socket:
            assert not (await message(socket, 'hello'))['control']
            await socket.send_json({'type': 'watch', 'robot': '/'})
            requests: list[dict[str, Any]] = [
                {'type': 'set', 'node': 'alert_node', 'name': 'latch', 'value': True},
                {'type': 'call', 'service': 'set_enabled', 'on': False},
                {'type': 'phone', 'name': 'phone'},
            ]
            for number, request in enumerate(requests):
                await socket.send_json({**request, 'id': number})
                answer = await message(socket, 'answer')
                assert not answer['ok'] and '--control' in answer['message']
            await socket.send_bytes(b'\x02\0\0\0{}\xff\xd8')

    try:
        served.run(script)
        assert not served.robots.asked
    finally:
        served.close()


def test_a_second_phone_is_refused_until_the_first_has_gone() -> None:
    served = Served()
    server: Any = served.server
    server._make_phone = lambda name: FakePhone(f'/{name}')

    async def ask(socket: aiohttp.ClientWebSocketResponse, name: str = 'phone') -> Any:
        await socket.send_json({'type': 'phone', 'id': 1, 'name': name})
        answer = await message(socket, 'answer')
        return answer['ok'], answer['message']

    async def script(session: aiohttp.ClientSession) -> None:
        async with served.connect(session) as first, served.connect(session) as second:
            assert await ask(first) == (True, '/phone')
            refusal = 'another page sends pictures as /phone; stop it there'
            assert await ask(second) == (False, refusal)
            await first.close()
            assert await ask(second) == (True, '/phone')

    try:
        served.run(script)
    finally:
        served.close()


def test_random_messages_disturb_nobody(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(7)
    words = [
        'type',
        'set',
        'call',
        'watch',
        'shown',
        'phone',
        'record',
        'on',
        'id',
        'node',
        'name',
    ]
    words += ['value', '/']
    values = [None, True, -1, 1e308, 'alert_node', '/', [], {}, [[[]]], 'x' * 3000, '\0', '💥']

    def fuzz() -> str | bytes:
        kind = chance.randrange(5)
        if kind == 0:
            return chance.randbytes(chance.randrange(200))
        if kind == 1:
            return ''.join(chance.choices('{}[]",:0\\ue', k=chance.randrange(60)))
        if kind == 2:
            return '[' * 10_000
        said: dict[str, Any] = {
            chance.choice(words): chance.choice([*values, *words]) for _ in range(5)
        }
        return json.dumps({'type': chance.choice(words), **said})

    async def script(session: aiohttp.ClientSession) -> int:
        sent = 0
        while sent < 600:
            async with served.connect(session) as socket:
                try:
                    for _ in range(100):
                        data = fuzz()
                        await (socket.send_bytes if isinstance(data, bytes) else socket.send_str)(
                            data
                        )
                        sent += 1
                except (ConnectionError, aiohttp.ClientError):
                    continue
        async with served.connect(session) as socket:
            await socket.send_json({'type': 'watch', 'robot': '/'})
            await message(socket, 'parameters')
        return sent

    assert served.run(script) >= 600
    assert not [record for record in caplog.records if record.exc_info]


def test_too_many_pages_and_a_flood_are_refused(served: Served) -> None:
    async def script(session: aiohttp.ClientSession) -> None:
        sockets = [await served.connect(session) for _ in range(16)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await served.connect(session)
        assert refusal.value.status == 503
        with suppress(ConnectionError):  # the server may close while this sends
            for _ in range(1000):
                await sockets[0].send_json({'type': 'shown'})
        while not sockets[0].closed:
            await sockets[0].receive()
        # Abnormal where the connection had gone before the reason was read.
        assert sockets[0].close_code in (
            aiohttp.WSCloseCode.POLICY_VIOLATION,
            aiohttp.WSCloseCode.ABNORMAL_CLOSURE,
        )
        for socket in sockets:
            await socket.close()

    served.run(script)


def test_a_taken_port_is_named(served: Served) -> None:
    port = int(served.host.split(':')[1])
    robots = FakeRobots()
    server = DashboardServer(robots, AccessRules(False, '', own_names()), False, 15.0, no_phone)
    with pytest.raises(ConfigurationError, match=f'got 127.0.0.1 port {port}'):
        server.start('127.0.0.1', port, None)
    robots.close()
    server.stop()


def test_stopping_closes_the_pages(served: Served) -> None:
    async def script(session: aiohttp.ClientSession) -> int | None:
        async with served.connect(session) as socket:
            await message(socket, 'hello')
            stopping = asyncio.to_thread(served.server.stop)

            async def read() -> None:
                while not socket.closed:
                    await socket.receive()

            await asyncio.gather(stopping, read())
            return socket.close_code

    assert served.run(script) == aiohttp.WSCloseCode.GOING_AWAY
    wait_for(lambda: not served.server._clients, 'the clients are gone')
