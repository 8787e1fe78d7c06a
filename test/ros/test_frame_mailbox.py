# Copyright 2026 the fcrn_depth_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import threading

from fcrn_depth_ros.ros.frame_mailbox import FrameMailbox


def test_the_newest_frame_wins() -> None:
    mailbox: FrameMailbox[str] = FrameMailbox()
    assert not mailbox.put('old')
    assert mailbox.put('new')
    assert mailbox.take() == 'new'
    assert not mailbox.put('next')


def test_closing_ends_a_wait_and_tells_what_was_left() -> None:
    mailbox: FrameMailbox[str] = FrameMailbox()
    taken: list[object] = []
    thread = threading.Thread(target=lambda: taken.append(mailbox.take()))
    thread.start()
    assert not mailbox.close()
    thread.join(timeout=10)
    assert taken == [None]
    other: FrameMailbox[str] = FrameMailbox()
    other.put('left')
    assert other.close()
    assert other.take() is None
