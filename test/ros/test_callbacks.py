# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

"""The last line of defence: nothing that a callback raises leaves it."""

from __future__ import annotations

import threading
from types import SimpleNamespace

from fcrn_depth_ros.ros.callbacks import guarded, guarded_service
import pytest


class Node:
    """Fails as it is told to, and remembers what reached it."""

    def __init__(self, error=None, second_error=None):
        self.error = error
        self.second_error = second_error
        self.reported = []
        self.callback_lock = threading.Lock()

    def on_internal_error(self, where, error):
        self.reported.append((where, error))
        if self.second_error:
            raise self.second_error

    @guarded
    def on_message(self, message):
        if self.error:
            raise self.error
        self.reported.append(message)

    @guarded_service
    def on_request(self, request, response):
        if self.error:
            raise self.error
        response.success, response.message = True, request
        return response


def respond(node):
    return node.on_request('please', SimpleNamespace(success=None, message=None))


def test_a_callback_that_works_is_left_alone():
    node = Node()
    node.on_message('hello')
    assert node.reported == ['hello']
    assert vars(respond(node)) == {'success': True, 'message': 'please'}


@pytest.mark.parametrize('error', [ValueError('odd'), OverflowError(34, 'big'), KeyError('x')])
def test_an_exception_reaches_the_node_and_nobody_else(error):
    node = Node(error)
    node.on_message('hello')
    assert node.reported == [('on_message', error)]
    assert vars(respond(node)) == {'success': False, 'message': f'internal error: {error!r}'}
    assert node.reported[1:] == [('on_request', error)]


def test_an_exception_while_reporting_is_printed_and_ends_nothing(capsys):
    node = Node(ValueError('odd'), RuntimeError('worse'))
    node.on_message('hello')
    assert not respond(node).success
    printed = capsys.readouterr().err
    assert 'ValueError: odd' in printed and 'RuntimeError: worse' in printed


@pytest.mark.parametrize('error', [KeyboardInterrupt, SystemExit])
def test_what_ends_a_process_is_not_held_up(error):
    with pytest.raises(error):
        Node(error).on_message('hello')


def test_the_names_stay():
    assert Node.on_message.__name__ == 'on_message'
    assert Node.on_request.__name__ == 'on_request'


def test_a_callback_holds_the_lock_of_its_node_and_gives_it_back():
    node = Node()
    with node.callback_lock:
        waiting = threading.Thread(target=node.on_message, args=('later',))
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive() and not node.reported
    waiting.join()
    assert node.reported == ['later']
    assert not node.callback_lock.locked()


def test_a_callback_that_fails_gives_the_lock_back():
    node = Node(error=ValueError('bad'), second_error=ValueError('worse'))
    node.on_message('')
    node.on_request(None, SimpleNamespace())
    assert not node.callback_lock.locked()
