// Copyright 2026 the fcrn_depth_ros authors
// SPDX-License-Identifier: Apache-2.0

// What the page makes felt and heard: vibration and a tone that follow the distance, panned to the
// side of the obstacle, and spoken changes of state. Silence never means clear: while it is on,
// clear ticks softly (where there is no sound, as a short pulse), and "I cannot see" has a sound of
// its own.

import { distance, text, word } from './text.js';

const FARTHEST_M = 4;
const NEAREST_M = 0.3;
const CLEAR_MS = 3000;
const BLIND_MS = 1500;

/** Give what to do for a look: kind, pause until the next one, pitch, side. A first reading that
    asks for caution is felt before alert_node, which waits for the next one, says a word. */
export function feeling({ state, isKnown, metres, isClose, side }) {
  if (state === 'DISABLED') return { kind: 'blind', pauseMs: BLIND_MS };
  if (!['CLEAR', 'CAUTION', 'STOP'].includes(state)) return { kind: 'blind', pauseMs: BLIND_MS };
  if (state === 'CLEAR' && !(isKnown && isClose)) return { kind: 'clear', pauseMs: CLEAR_MS };
  if (!isKnown && state !== 'STOP') return { kind: 'blind', pauseMs: BLIND_MS };
  const near = isKnown ? Math.min(Math.max(metres, NEAREST_M), FARTHEST_M) : NEAREST_M;
  const share = (FARTHEST_M - near) / (FARTHEST_M - NEAREST_M);
  if (state === 'STOP') return { kind: 'stop', pauseMs: 250, hertz: 1100, side };
  return { kind: 'near', pauseMs: 1100 - 800 * share, hertz: 300 + 700 * share, side };
}

/** Give the side, -1 left to 1 right, on which the nearest range of a scan is. */
export function sideOfNearest(scan) {
  if (!scan || !scan.ranges.length) return 0;
  let nearest = -1;
  scan.ranges.forEach((range, i) => {
    if (range !== null && range >= 0 && (nearest < 0 || range < scan.ranges[nearest])) nearest = i;
  });
  if (nearest < 0) return 0;
  const angle = scan.angle_min + nearest * scan.angle_increment;
  return Math.max(-1, Math.min(1, -angle / 0.5));
}

export class Feeler {
  #audio = null;
  #look = null;
  #timer = 0;
  #speaks = false;
  #vibrates = false;
  #kind = '';
  #felt = null;
  isOn = false;

  constructor() {
    document.addEventListener('look', ({ detail }) => {
      this.#look = detail;
      if (this.isOn && this.#feeling().kind !== this.#kind) this.#now();
    });
    document.addEventListener('state', ({ detail }) => {
      if (!this.isOn) return;
      if (this.#felt !== this.#look) this.#now();
      if (this.#speaks) this.#say(detail);
    });
  }

  static get canVibrate() { return typeof navigator.vibrate === 'function'; }

  static get canSpeak() { return 'speechSynthesis' in window; }

  /** Switch on, from a tap: browsers give no sound before one. */
  start({ sound, vibration, speech }) {
    this.#speaks = speech;
    this.#vibrates = vibration && Feeler.canVibrate;
    if (sound && !this.#audio) {
      const audio = this.#audio = new AudioContext();
      // A call, or another app, has taken the loudspeaker.
      audio.onstatechange = () => { if (!['running', 'closed'].includes(audio.state)) audio.resume().catch(() => {}); };
    }
    if (!sound && this.#audio) { this.#audio.close(); this.#audio = null; }
    this.#audio?.resume();
    this.isOn = true;
    this.#now();
  }

  stop() {
    this.isOn = false;
    clearTimeout(this.#timer);
    if (Feeler.canVibrate) navigator.vibrate(0);
    this.#audio?.close();
    this.#audio = null;
  }

  #feeling() {
    const look = this.#look;
    return feeling({
      state: look?.state ?? 'CONNECTING',
      isKnown: look?.isKnown ?? false,
      metres: look?.status?.range?.m,
      isClose: look?.status?.range?.close,
      side: sideOfNearest(look?.status?.scan),
    });
  }

  #now() {
    clearTimeout(this.#timer);
    if (!this.isOn) return;
    const felt = this.#feeling();
    this.#kind = felt.kind;
    this.#felt = this.#look;
    this.#vibrate(felt.kind);
    this.#sound(felt);
    this.#timer = setTimeout(() => this.#now(), felt.pauseMs);
  }

  #vibrate(kind) {
    if (!this.#vibrates) return;
    const pattern = { near: [70], stop: [230], blind: [60, 80, 60, 80, 350], clear: this.#audio ? null : [15] }[kind];
    if (pattern) navigator.vibrate(pattern);
  }

  #sound({ kind, hertz, side = 0 }) {
    if (!this.#audio) return;
    if (kind === 'clear') this.#tone(880, 0.025, 0.05, 0);
    if (kind === 'near') this.#tone(hertz, 0.09, 0.3, side);
    if (kind === 'stop') this.#tone(hertz, 0.2, 0.45, side);
    if (kind === 'blind') { this.#tone(220, 0.18, 0.4, 0, 0, 'triangle'); this.#tone(150, 0.3, 0.4, 0, 0.2, 'triangle'); }
  }

  #tone(hertz, seconds, volume, side, after = 0, type = 'sine') {
    const audio = this.#audio;
    const begin = audio.currentTime + after;
    const source = new OscillatorNode(audio, { frequency: hertz, type });
    const gain = new GainNode(audio, { gain: 0 });
    gain.gain.setValueAtTime(0, begin);
    gain.gain.linearRampToValueAtTime(volume, begin + 0.01);
    gain.gain.setValueAtTime(volume, begin + seconds);
    gain.gain.linearRampToValueAtTime(0, begin + seconds + 0.03);
    source.connect(gain).connect(new StereoPannerNode(audio, { pan: side })).connect(audio.destination);
    source.start(begin);
    source.stop(begin + seconds + 0.05);
  }

  #say({ state }) {
    if (!Feeler.canSpeak) return;
    const metres = this.#look?.isKnown ? `, ${distance(this.#look.status.range.m)}` : '';
    speechSynthesis.cancel();
    const saying = new SpeechSynthesisUtterance(`${state === 'BLIND' ? text('cannotSee') : word(state)}${metres}`);
    saying.lang = document.documentElement.lang;
    speechSynthesis.speak(saying);
  }
}
