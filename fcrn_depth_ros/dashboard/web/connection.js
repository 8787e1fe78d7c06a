// Copyright 2026 the fcrn_depth_ros authors
// SPDX-License-Identifier: Apache-2.0

// The WebSocket: it opens again by itself, and knows when it has gone quiet. The server sends a
// status ten times a second, so that silence means that the connection is lost.

const QUIET_MS = 700;
const RETRY_MS = 500;

export class Connection extends EventTarget {
  #socket = null;
  #heard = performance.now();
  #next = 1;
  #waiting = new Map();
  #robot = '';
  everOpen = false;

  constructor() {
    super();
    this.#open();
  }

  /** Seconds since the last message. */
  get quietSeconds() { return (performance.now() - this.#heard) / 1000; }

  get isLost() { return performance.now() - this.#heard > QUIET_MS; }

  get canSend() { return this.#socket?.readyState === WebSocket.OPEN; }

  get buffered() { return this.#socket?.bufferedAmount ?? 0; }

  #open() {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.onopen = () => {
      if (this.#robot) this.send({ type: 'watch', robot: this.#robot });
      this.dispatchEvent(new Event('open'));
    };
    socket.onmessage = ({ data }) => {
      this.#heard = performance.now();
      this.everOpen = true;
      if (data instanceof ArrayBuffer) {
        this.dispatchEvent(new CustomEvent('frame', { detail: data }));
        return;
      }
      const message = JSON.parse(data);
      if (message.type === 'answer') {
        this.#waiting.get(message.id)?.(message);
        this.#waiting.delete(message.id);
      } else {
        this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
      }
    };
    socket.onclose = () => {
      for (const answer of this.#waiting.values()) answer({ ok: false, message: null });
      this.#waiting.clear();
      this.dispatchEvent(new Event('closed'));
      setTimeout(() => this.#open(), RETRY_MS);
    };
  }

  watch(robot) {
    this.#robot = robot;
    this.send({ type: 'watch', robot });
  }

  send(message) {
    if (!this.canSend) return;
    this.#socket.send(message instanceof Uint8Array ? message : JSON.stringify(message));
  }

  /** Ask for something; resolves to {ok, message}, with message null where no answer came. */
  ask(message) {
    if (!this.canSend) return Promise.resolve({ ok: false, message: null });
    const id = this.#next++;
    this.send({ ...message, id });
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }
}
