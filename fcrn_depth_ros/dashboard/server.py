# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
The web server of the page, in a thread of its own.

Every client has an outbox that holds the newest message of each kind and no more. A client that
does not read, or reads slowly, gets fewer messages; nobody waits for it. Pictures are encoded once
for all clients, only when one of them has acknowledged the one before, in a third thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
import json
from pathlib import Path
import ssl
import threading
import time
import traceback
from typing import Any

from aiohttp import web, WSCloseCode, WSMsgType

from .access import AccessRules, COOKIE, SECURITY_HEADERS
from .limits import BucketPerAddress, TokenBucket
from .parameter_values import NODES
from .phone import Phone
from .robots import Answer, Robots, SERVICES
from ..errors import ConfigurationError
from ..report.drawing import COLOR_MAPS, color_table

WEB = Path(__file__).with_name('web')
_TYPES = {
    '.html': 'text/html',
    '.css': 'text/css',
    '.js': 'text/javascript',
    '.svg': 'image/svg+xml',
    '.webmanifest': 'application/manifest+json',
}
STATUS_PERIOD_S = 0.1
_SLOW_PERIOD_S = 1.0
_MOST_CLIENTS = 16
_MOST_FRAMES_UNDERWAY = 2
_LARGEST_MESSAGE = 1_000_000
_LARGEST_TEXT = 16_384
_SEND_LIMIT_S = 10.0
_MOST_MISTAKES = 20
_START_LIMIT_S = 20.0


@dataclass(eq=False)
class Client:
    """One open page."""

    request: web.Request
    socket: web.WebSocketResponse
    bucket: TokenBucket
    robot: str = ''
    outbox: dict[str, str | bytes] = field(default_factory=dict)
    wakes: asyncio.Event = field(default_factory=asyncio.Event)
    frames_underway: int = 0
    parameters_version: tuple[str, int] = ('', -1)
    wants_confidence: bool = False
    mistakes: int = 0
    phone: Phone | None = None

    def put(self, kind: str, message: str | bytes) -> None:
        """Put a message into the outbox, in the place of an older one of its kind."""
        self.outbox[kind] = message
        self.wakes.set()

    @property
    def takes_frames(self) -> bool:
        """Return whether the page has shown what it was sent."""
        return self.frames_underway < _MOST_FRAMES_UNDERWAY


class DashboardServer:
    """
    Serve the page.

    Parameters
    ----------
    robots : Robots
        The ROS side.
    rules : AccessRules
        Who may open the page.
    control : bool
        Whether pages may change anything, or send pictures.
    rate_hz : float
        Most pictures a second.
    make_phone : callable
        Name of a phone -> the publishers for its pictures.

    """

    def __init__(
        self,
        robots: Robots,
        rules: AccessRules,
        control: bool,
        rate_hz: float,
        make_phone: Callable[[str], Phone],
    ) -> None:
        self._robots, self._rules, self._control = robots, rules, control
        self._make_phone = make_phone
        self._frame_period_s = 1.0 / rate_hz
        self._hello = json.dumps(
            {
                'type': 'hello',
                'control': control,
                'colors': {name: color_table(name).tobytes().hex() for name in COLOR_MAPS},
            }
        )
        self._clients: set[Client] = set()
        self._frame_waits: dict[str, asyncio.Event] = {}
        self._pumps: dict[str, asyncio.Task[None]] = {}
        self._requests = BucketPerAddress(30.0, 120.0)
        self._wrong_tokens = BucketPerAddress(0.5, 8.0)
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix='encoder')
        self._loop = asyncio.new_event_loop()
        self._ends = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._port = 0
        languages = ' '.join(sorted(path.stem for path in (WEB / 'texts').glob('*.js')))
        self._files = {
            path.relative_to(WEB).as_posix(): (path.read_bytes(), _TYPES[path.suffix])
            for path in sorted(WEB.rglob('*'))
            if path.is_file()
        }
        page, content_type = self._files['index.html']
        page = page.replace(b'data-languages="en"', f'data-languages="{languages}"'.encode())
        self._files['index.html'] = page, content_type

    def start(self, address: str, port: int, tls: ssl.SSLContext | None) -> int:
        """
        Bind and serve.

        Parameters
        ----------
        address : str
            To bind to.
        port : int
            0 takes a free one.
        tls : ssl.SSLContext or None
            None serves HTTP.

        Returns
        -------
        int
            The port.

        Raises
        ------
        ConfigurationError
            If the address is taken, or is none of this machine.

        """
        started = threading.Event()
        failure: list[Exception] = []

        def serve() -> None:
            asyncio.set_event_loop(self._loop)
            try:
                self._loop.run_until_complete(self._serve(address, port, tls, started))
            except Exception as error:
                failure.append(error)
            finally:
                self._loop.close()
                started.set()

        self._thread = threading.Thread(target=serve, name='server', daemon=True)
        self._thread.start()
        started.wait(_START_LIMIT_S)
        if failure:
            raise ConfigurationError(
                f'address and port must be free and of this machine, got {address} port {port}: '
                f'{failure[0]}; choose another port, or see which program has it'
            ) from failure[0]
        return self._port

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if self._thread is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._ends.set)
        except RuntimeError:  # it has ended by itself
            pass
        self._thread.join(5.0)
        self._encoder.shutdown(wait=False, cancel_futures=True)

    def frame_waits(self, robot: str) -> None:
        """Take notice of a new frame; any thread may call this."""
        try:
            self._loop.call_soon_threadsafe(self._wake_pump, robot)
        except RuntimeError:  # the server is ending
            pass

    def word_changed(self) -> None:
        """Send the status now, not when it is due; any thread may call this."""
        try:
            self._loop.call_soon_threadsafe(self._send_status)
        except RuntimeError:  # the server is ending
            pass

    # Server thread -------------------------------------------------------------------------

    async def _serve(
        self, address: str, port: int, tls: ssl.SSLContext | None, started: threading.Event
    ) -> None:
        application = web.Application(middlewares=[self._check], client_max_size=4096)
        application.router.add_get('/ws', self._on_socket)
        application.router.add_get('/{name:.*}', self._on_file)
        runner = web.AppRunner(
            application, access_log=None, keepalive_timeout=15, max_line_size=4096
        )
        await runner.setup()
        site = web.TCPSite(runner, address, port, ssl_context=tls, backlog=32)
        try:
            await site.start()
            self._port = runner.addresses[0][1]
            started.set()
            tasks = [
                asyncio.create_task(self._repeat(STATUS_PERIOD_S, self._send_status)),
                asyncio.create_task(self._repeat(_SLOW_PERIOD_S, self._send_diagnostics)),
            ]
            await self._ends.wait()
            for task in (*tasks, *self._pumps.values()):
                task.cancel()
            for client in list(self._clients):
                await client.socket.close(code=WSCloseCode.GOING_AWAY, message=b'ending')
        finally:
            await runner.cleanup()

    async def _repeat(self, period_s: float, work: Callable[[], None]) -> None:
        while True:
            work()
            await asyncio.sleep(period_s)

    @web.middleware
    async def _check(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        response: web.StreamResponse = self._refusal(request) or await handler(request)
        if not response.prepared:
            response.headers.update(SECURITY_HEADERS)
        return response

    def _refusal(self, request: web.Request) -> web.Response | None:
        """Return why a request is refused; None where it is not."""
        remote, now_s = request.remote or '', time.monotonic()
        if not self._requests.take(remote, now_s):
            return web.Response(status=429, text='too many requests')
        rules = self._rules
        if rules.token and not rules.has_token(request.cookies):
            offered = request.query.get('token', '')
            if not offered:
                return web.Response(status=401, text='open the address with its token')
            if not self._wrong_tokens.take(remote, now_s) or not rules.is_token(offered):
                return web.Response(status=401, text='this is not the token')
        if not rules.knows_host(request.host):
            return web.Response(status=403, text='this name is not one of this machine')
        if request.path == '/ws' and not rules.is_own_page(
            request.host, request.headers.get('Origin', '')
        ):
            return web.Response(status=403, text='only the page of this server may connect')
        return None

    async def _on_file(self, request: web.Request) -> web.StreamResponse:
        if 'token' in request.query:
            response = web.Response(status=303, headers={'Location': '/'})
            response.set_cookie(
                COOKIE,
                request.query['token'],
                max_age=30 * 24 * 3600,
                httponly=True,
                secure=self._rules.is_https,
                samesite='Lax',
            )
            return response
        found = self._files.get(request.match_info['name'] or 'index.html')
        if found is None:
            return web.Response(status=404, text='not here')
        body, content_type = found
        return web.Response(body=body, content_type=content_type, charset='utf-8')

    # One client ----------------------------------------------------------------------------

    async def _on_socket(self, request: web.Request) -> web.StreamResponse:
        if len(self._clients) >= _MOST_CLIENTS:
            return web.Response(status=503, text='too many pages are open')
        socket = web.WebSocketResponse(
            heartbeat=10.0, max_msg_size=_LARGEST_MESSAGE, compress=False, timeout=2.0
        )
        await socket.prepare(request)
        client = Client(request, socket, TokenBucket(80.0, 160.0))
        self._clients.add(client)
        client.put('hello', self._hello)
        self._send_robots(client)
        sender = asyncio.create_task(self._send_outbox(client))
        try:
            async for message in socket:
                if not client.bucket.take(time.monotonic()):
                    await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b'too often')
                    break
                if not self._take(client, message):
                    client.mistakes += 1
                    if client.mistakes > _MOST_MISTAKES:
                        await socket.close(
                            code=WSCloseCode.POLICY_VIOLATION, message=b'not of this page'
                        )
                        break
        finally:
            self._clients.discard(client)
            sender.cancel()
            self._unwatch(client)
            if client.phone is not None:
                self._robots.post(client.phone.close)
        return socket

    async def _send_outbox(self, client: Client) -> None:
        while True:
            await client.wakes.wait()
            client.wakes.clear()
            while client.outbox:
                kind = next(iter(client.outbox))
                message = client.outbox.pop(kind)
                send = (
                    client.socket.send_str(message)
                    if isinstance(message, str)
                    else client.socket.send_bytes(message)
                )
                try:
                    await asyncio.wait_for(send, _SEND_LIMIT_S)
                except (ConnectionError, asyncio.TimeoutError, RuntimeError):
                    self._drop(client)
                    return

    def _drop(self, client: Client) -> None:
        """Cut the connection of a client that has not read for long."""
        self._clients.discard(client)
        if client.request.transport is not None:
            client.request.transport.abort()

    def _take(self, client: Client, message: Any) -> bool:
        """Act on a message of a page; False where it is not one that a page sends."""
        if message.type is WSMsgType.BINARY:
            return self._control and client.phone is not None and client.phone.take(message.data)
        if message.type is not WSMsgType.TEXT or len(message.data) > _LARGEST_TEXT:
            return False
        try:
            said = json.loads(message.data)
        except (ValueError, RecursionError):
            return False
        if not isinstance(said, dict):
            return False
        kind = said.get('type')
        if kind == 'shown':
            client.frames_underway = max(0, client.frames_underway - 1)
            self._wake_pump(client.robot)
            return True
        if kind == 'watch':
            return self._watch(client, said.get('robot'))
        if kind == 'confidence':
            if not client.robot or not isinstance(said.get('on'), bool):
                return False
            client.wants_confidence = said['on']
            self._follow_confidence(client.robot)
            return True
        if kind in ('set', 'call', 'phone', 'record'):
            return self._take_request(client, kind, said)
        return False

    def _watch(self, client: Client, robot: object) -> bool:
        if robot not in self._robots.names or not isinstance(robot, str):
            return False
        if robot != client.robot:
            self._unwatch(client)
            client.robot = robot
            client.frames_underway = 0
            client.parameters_version = ('', -1)
            self._robots.watch(robot)
            if robot not in self._pumps:
                self._frame_waits[robot] = asyncio.Event()
                self._pumps[robot] = asyncio.create_task(self._pump(robot))
        return True

    def _unwatch(self, client: Client) -> None:
        if client.robot:
            left, client.robot = client.robot, ''
            if client.wants_confidence:
                client.wants_confidence = False
                self._follow_confidence(left)
            self._robots.unwatch(left)

    def _follow_confidence(self, robot: str) -> None:
        watching = (client for client in self._clients if client.robot == robot)
        self._robots.want_confidence(robot, any(client.wants_confidence for client in watching))

    def _take_request(self, client: Client, kind: str, said: Mapping[str, Any]) -> bool:
        number = said.get('id')
        if not isinstance(number, int):
            return False

        def reply(answer: Answer) -> None:
            text = {'type': 'answer', 'id': number, 'ok': answer.ok, 'message': answer.message}
            client.put(f'answer {number}', json.dumps(text))

        if not self._control:
            reply(Answer(False, 'this page is read-only; start the dashboard with --control'))
            return True
        if kind == 'phone':
            name = said.get('name')
            if not isinstance(name, str) or not Phone.is_name(name) or client.phone is not None:
                return False
            if any(c.phone is not None and c.phone.namespace == f'/{name}' for c in self._clients):
                # Two cameras in one namespace would be one that jumps.
                reply(Answer(False, f'another page sends pictures as /{name}; stop it there'))
                return True
            client.phone = self._make_phone(name)
            reply(Answer(True, client.phone.namespace))
            return True
        if not client.robot:
            return False
        if kind == 'set':
            node, name, value = said.get('node'), said.get('name'), said.get('value')
            if (
                node not in NODES
                or not isinstance(name, str)
                or not isinstance(value, (bool, int, float, str))
            ):
                return False
            if isinstance(value, (int, float)) and not abs(value) < 2**53:
                return False
            future = self._robots.set_parameter(client.robot, str(node), name[:200], value)
        elif kind == 'record':
            if not isinstance(said.get('on'), bool):
                return False
            future = self._robots.record(client.robot, said['on'])
        else:
            service, on = said.get('service'), said.get('on', True)
            if service not in SERVICES or not isinstance(on, bool):
                return False
            future = self._robots.call(client.robot, str(service), on)
        future.add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(reply, done.result())
        )
        return True

    # To all clients ------------------------------------------------------------------------

    def _wake_pump(self, robot: str) -> None:
        waits = self._frame_waits.get(robot)
        if waits is not None:
            waits.set()

    async def _pump(self, robot: str) -> None:
        """Send frames of one robot, the newest to each client that can take one."""
        waits = self._frame_waits[robot]
        while True:
            await waits.wait()
            waits.clear()
            view = self._robots.views.get(robot)
            ready = [c for c in self._clients if c.robot == robot and c.takes_frames]
            if view is None or not ready:
                continue
            begun_s = time.monotonic()
            frame = view.take_frame()
            if frame is None:
                continue
            try:
                data = await self._loop.run_in_executor(self._encoder, frame.encode)
            except Exception:
                # It must not be the last frame; the page tells how old the one before is.
                traceback.print_exc()
                await asyncio.sleep(_SLOW_PERIOD_S)
                continue
            for client in ready:
                if client.robot == robot and 'frame' not in client.outbox:
                    client.frames_underway += 1
                client.put('frame', data)
            await asyncio.sleep(max(0.0, self._frame_period_s - (time.monotonic() - begun_s)))

    def _send_robots(self, client: Client) -> None:
        client.put('robots', json.dumps({'type': 'robots', 'robots': self._robots.names}))

    def _send_status(self) -> None:
        texts: dict[str, str] = {}
        for client in self._clients:
            view = self._robots.views.get(client.robot)
            if view is None:
                client.put('status', '{"type": "status"}')  # the connection lives
                continue
            if client.robot not in texts:
                status = view.status() | {'recording': self._robots.recording(client.robot)}
                texts[client.robot] = json.dumps(status, allow_nan=False)
            client.put('status', texts[client.robot])
            version = (client.robot, view.parameters.version)
            if version != client.parameters_version:
                client.parameters_version = version
                values = view.parameters.copy().as_json(client.robot)
                client.put('parameters', json.dumps(values))

    def _send_diagnostics(self) -> None:
        for client in self._clients:
            self._send_robots(client)
            view = self._robots.views.get(client.robot)
            if view is not None:
                client.put('diagnostics', json.dumps(view.diagnostics(), allow_nan=False))
