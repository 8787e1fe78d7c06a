# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""
Serve a page that shows, and with `control` changes, what depth_node and alert_node do.

An ordinary node: it uses the public topics, parameters and services, and only while a page is
open. Without an address it is reached from this machine only; see docs/security.md.
"""

from __future__ import annotations

import argparse
import datetime
import os
from pathlib import Path
import sys
from typing import Any

from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.utilities import remove_ros_args

from ..errors import ConfigurationError
from ..ros.node_settings import DashboardSettings, NODE_SETTINGS
from ..ros.parameters import given_options, ParameterGroup
from ..ros.process import run_nodes

try:
    from ..dashboard.access import AccessRules, is_loopback, own_names, token_from_file
    from ..dashboard.certificate import load_certificate, own_addresses, own_certificate
    from ..dashboard.phone import Phone
    from ..dashboard.robots import RecordingPlace, Robots
    from ..dashboard.server import DashboardServer

    MISSING = ''
except ModuleNotFoundError as error:
    MISSING = error.name or str(error)

INSTALL = "pip install 'fcrn_depth_ros[dashboard]'"


class Dashboard(Node):
    """
    The node `dashboard`.

    Parameters
    ----------
    **kwargs
        Passed to rclpy's Node, for example `parameter_overrides`.

    Raises
    ------
    ConfigurationError
        If a parameter is unusable, a package is missing, or the port is taken.

    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('dashboard', **kwargs)
        self._server: DashboardServer | None = None
        if MISSING:
            raise ConfigurationError(
                f'the dashboard needs the Python package {MISSING}, which is not installed; '
                f'run {INSTALL}, or install python3-aiohttp'
            )
        parameters = ParameterGroup(self, NODE_SETTINGS['dashboard'], is_configured=lambda: True)
        settings = parameters.get(DashboardSettings)
        is_local = is_loopback(settings.address)
        tls, fingerprint, token = None, '', ''
        if not is_local:
            try:
                tls, fingerprint = load_certificate(*_certificate_files(settings))
                token = token_from_file(_folder() / 'token')
            except OSError as error:
                raise ConfigurationError(
                    f'the token and the certificate must be files in {_folder()}, got {error}; '
                    'set ROS_HOME to a folder that can be written to'
                ) from error
        folder = settings.recordings or str(_folder() / 'recordings')
        self._robots = Robots(
            self,
            self._frame_waits,
            self._word_changed,
            RecordingPlace(Path(folder).expanduser(), round(settings.recording_limit_mb * 1e6)),
        )
        server = DashboardServer(
            self._robots,
            AccessRules(tls is not None, token, own_names()),
            settings.control,
            settings.rate_hz,
            lambda name: Phone(self, name, self._robots.post),
        )
        self.port = server.start(settings.address, settings.port, tls)
        self._server = server
        if settings.foxglove_port:
            self._robots.serve_foxglove(settings.foxglove_port)
        self._invite(settings, token, fingerprint)

    def shut_down(self) -> None:
        """Close the pages and the server."""
        if self._server is not None:
            self._server.stop()
            self._server = None
            self._robots.close()

    def _frame_waits(self, robot: str) -> None:
        if self._server is not None:
            self._server.frame_waits(robot)

    def _word_changed(self) -> None:
        if self._server is not None:
            self._server.word_changed()

    def _invite(self, settings: DashboardSettings, token: str, fingerprint: str) -> None:
        """Print where the page is; the token goes to the terminal only, not to the log."""
        mode = 'with control' if settings.control else 'read-only; --control lets it change things'
        if not token:
            url = f'http://{_in_url(settings.address)}:{self.port}/'
            self.get_logger().info(f'the page is at {url} ({mode})')
            print(f'\n  {url}\n', flush=True)
            return
        shown = own_addresses()[0] if _is_any(settings.address) else settings.address
        base = f'https://{_in_url(shown)}:{self.port}/'
        self.get_logger().info(f'the page is at {base} ({mode}); its token is on the terminal')
        url = f'{base}?token={token}'
        print(f'\n  {url}\n  SHA-256 of the certificate: {fingerprint}\n', flush=True)
        try:
            import segno
        except ModuleNotFoundError:
            print(f'  (a QR code of it needs the package segno: {INSTALL})', flush=True)
        else:
            segno.make(url, error='l').terminal(compact=True)
            sys.stdout.flush()


def _certificate_files(settings: DashboardSettings) -> tuple[Path, Path]:
    if settings.certificate or settings.private_key:
        return Path(settings.certificate).expanduser(), Path(settings.private_key).expanduser()
    try:
        return own_certificate(_folder(), datetime.datetime.now(datetime.timezone.utc))
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f'a certificate is made with the Python package {error.name}, which is not '
            f'installed; run {INSTALL}, or give certificate and private_key'
        ) from error


def _folder() -> Path:
    """Return the folder of this user for the token and the certificate."""
    ros_home = os.environ.get('ROS_HOME', '')
    return (Path(ros_home) if ros_home else Path.home() / '.ros') / 'fcrn_depth_ros'


def _is_any(address: str) -> bool:
    return address in ('0.0.0.0', '::', '')


def _in_url(address: str) -> str:
    return f'[{address}]' if ':' in address else address


def parse_command_line(arguments: list[str]) -> list[Parameter[Any]]:
    """
    Read the options that stand beside `--ros-args`.

    Parameters
    ----------
    arguments : list of str
        Without the program's name and the ROS arguments.

    Returns
    -------
    list of rclpy.parameter.Parameter
        One for each option given.

    """
    parser = argparse.ArgumentParser(
        prog='dashboard',
        description='Show what depth_node and alert_node do, on a page for any browser.',
        epilog='Every setting is also a ROS parameter: --ros-args -p port:=8080',
    )
    parser.add_argument(
        '--address', help='address to serve at; any but the default needs HTTPS and a token'
    )
    parser.add_argument('--port', type=int, help='port; 0 takes a free one')
    parser.add_argument(
        '--control', action='store_const', const=True, help='let the page change things'
    )
    parser.add_argument(
        '--foxglove',
        action='store_const',
        const=8765,
        dest='foxglove_port',
        help='serve Foxglove and Lichtblick at ws://127.0.0.1:8765, too',
    )
    return given_options(parser, arguments)


def main(args: list[str] | None = None) -> int:
    """Serve the page until a signal."""
    arguments = list(sys.argv if args is None else args)
    overrides = parse_command_line(remove_ros_args(arguments)[1:])
    return run_nodes([lambda: Dashboard(parameter_overrides=overrides)], arguments)


if __name__ == '__main__':
    sys.exit(main())
