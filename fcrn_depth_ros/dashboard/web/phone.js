// Copyright 2026 the fcrn_depth_ros authors
// SPDX-License-Identifier: Apache-2.0

// This device as the camera of a robot: pictures, how it is held, and what is felt of the answer.

import { Feeler } from './feel.js';
import { fillIn, text } from './text.js';

const SHEET_M = 0.297; // the long side of A4
const SHEET_SHARE = 0.8; // of the width of the picture, between the two lines
const MOST_BUFFERED = 60_000;
const FASTEST_MS = 66;
const SLOWEST_MS = 250;
const FEELINGS = ['feelVibration', 'feelSound', 'feelSpeech'];
const AGAIN_MS = 2000;
const HEIGHTS = { pocket: 1.0, chest: 1.3, hand: 1.4 };

function store(key, value) { try { localStorage.setItem(key, value); } catch { /* private window */ } }
function stored(key) { try { return localStorage.getItem(key); } catch { return null; } }

/** Give pitch (down positive) and roll (clockwise positive) of the back camera, in degrees, from
    the angles of DeviceOrientation and that of the screen. */
export function tiltOfCamera(beta, gamma, screenAngle) {
  const [b, g, s] = [beta, gamma, screenAngle].map((degrees) => degrees * Math.PI / 180);
  // Gravity in the frame of the device: x right, y to its top, z out of the screen.
  const x = Math.cos(b) * Math.sin(g);
  const y = -Math.sin(b);
  const z = -Math.cos(b) * Math.cos(g);
  // Turned into that of the screen, then into the optical frame: x right, y down, z forward.
  const right = Math.cos(s) * x - Math.sin(s) * y;
  const down = -(Math.sin(s) * x + Math.cos(s) * y);
  const degrees = 180 / Math.PI;
  return {
    pitch: Math.asin(Math.max(-1, Math.min(1, -z))) * degrees,
    roll: Math.atan2(right, down) * degrees,
  };
}

export class Phone {
  #connection; #onNamespace; #dialog = document.getElementById('phone');
  #video = null; #stream = null; #tilt = null; #canvas = null; #isBusy = false; #namespace = null; #lock = null;
  #feeler = new Feeler();
  sent = 0;

  constructor(connection, onNamespace) {
    this.#connection = connection;
    this.#onNamespace = onNamespace;
    connection.addEventListener('open', () => {
      const was = this.#namespace;
      this.#namespace = null;
      if (was && this.#stream) this.#register();
    });
    // A screen that goes off ends all of it, and silence must not mean clear.
    document.addEventListener('visibilitychange', () => this.#keepAwake());
    addEventListener('deviceorientation', (event) => {
      if (event.beta === null || event.gamma === null) return;
      this.#tilt = tiltOfCamera(event.beta, event.gamma, screen.orientation?.angle ?? 0);
      this.#show('phone-tilt', text('tiltIs', { pitch: this.#tilt.pitch.toFixed(0), roll: this.#tilt.roll.toFixed(0) }));
    });
    this.#build();
  }

  open() {
    this.#dialog.showModal();
    // From its beginning, not from its first field.
    document.getElementById('phone-title').focus();
  }

  /** Whether its dialog is before the page. */
  get isOpen() { return this.#dialog.open; }

  #element(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    if (properties.textKey) element.dataset.text = properties.textKey;
    element.append(...children);
    return element;
  }

  #build() {
    const make = (...parts) => this.#element(...parts);
    this.#video = make('video', { muted: true, playsInline: true, id: 'phone-video' });
    const height = make('input', { type: 'number', id: 'phone-height', min: 0.1, max: 3, step: 0.05, value: stored('height') ?? HEIGHTS.chest });
    const place = make('select', { id: 'phone-place' }, ...Object.keys(HEIGHTS).map((key) => {
      const option = new Option(text(`place_${key}`), key);
      return option;
    }));
    place.value = 'chest';
    place.addEventListener('change', () => { height.value = HEIGHTS[place.value]; store('height', height.value); });
    height.addEventListener('change', () => store('height', height.value));
    const sheet = make('input', { type: 'number', id: 'phone-sheet', min: 10, max: 200, step: 0.5, inputMode: 'decimal' });
    sheet.addEventListener('change', () => this.#calibrate(sheet.valueAsNumber));
    const choice = (id, on, disabled = false) => make('label', { className: 'check' },
      make('input', { type: 'checkbox', id, checked: on && !disabled, disabled }), make('span', { textKey: id }));
    const start = make('button', { type: 'button', id: 'phone-start', textKey: 'phoneStart' });
    start.addEventListener('click', () => (this.#stream ? this.stop() : this.start()));
    const close = make('button', { type: 'button', className: 'quiet', textKey: 'close' });
    close.addEventListener('click', () => this.#dialog.close());
    this.#dialog.append(
      make('h2', { id: 'phone-title', tabIndex: -1, textKey: 'phoneTitle' }),
      make('p', { textKey: 'phoneIntro', className: 'meaning' }),
      make('code', { textContent: 'ros2 launch fcrn_depth_ros depth.launch.py namespace:=phone image_transport:=compressed use_mounting_topic:=true publish_tf:=false' }),
      make('div', { className: 'preview' }, this.#video, make('i'), make('i')),
      make('p', { id: 'phone-tilt', className: 'note', textContent: text('noTilt') }),
      make('div', { className: 'pair' }, make('label', { htmlFor: 'phone-place', textKey: 'heldAt' }), place),
      make('div', { className: 'pair' }, make('label', { htmlFor: 'phone-height', textKey: 'heightIs' }), height),
      make('div', { className: 'pair' }, make('label', { htmlFor: 'phone-sheet', textKey: 'sheetIs' }), sheet),
      make('p', { id: 'phone-focal', className: 'meaning', textContent: text(this.#focalShare ? 'focalKnown' : 'focalUnknown') }),
      make('fieldset', {}, make('legend', { textKey: 'answers' }),
        choice('feelVibration', true, !Feeler.canVibrate), choice('feelSound', true), choice('feelSpeech', false, !Feeler.canSpeak)),
      make('p', { className: 'meaning', textContent: Feeler.canVibrate ? '' : text('noVibration') }),
      make('p', { id: 'phone-silent', className: 'answer bad' }),
      make('p', { id: 'phone-says', className: 'answer' }),
      make('div', { className: 'buttons' }, close, start),
    );
    for (const id of ['phone-silent', 'phone-says']) document.getElementById(id).setAttribute('role', 'status');
    for (const id of FEELINGS) {
      document.getElementById(id).addEventListener('change', () => { if (this.#feeler.isOn) this.#feel(); });
    }
    fillIn(this.#dialog);
  }

  #show(id, value) {
    const element = document.getElementById(id);
    if (element.textContent !== value) element.textContent = value;
  }

  get #focalShare() { return Number(stored('focal-share')) || null; }

  #calibrate(centimetres) {
    if (!(centimetres > 0)) return;
    // The sheet covers this share of the width at that distance: f / width = share x Z / size.
    store('focal-share', (SHEET_SHARE * centimetres / 100 / SHEET_M).toFixed(4));
    this.#show('phone-focal', text('focalKnown'));
  }

  #feel() {
    const on = (id) => document.getElementById(id).checked;
    this.#show('phone-silent', on('feelVibration') || on('feelSound') ? '' : text('feltByNothing'));
    this.#feeler.start({ vibration: on('feelVibration'), sound: on('feelSound'), speech: on('feelSpeech') });
  }

  async start() {
    this.#feel();
    try {
      // iOS asks; elsewhere the angles come unasked.
      if (typeof DeviceOrientationEvent?.requestPermission === 'function') await DeviceOrientationEvent.requestPermission();
      this.#stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: { ideal: 'environment' }, width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15 } },
      });
    } catch (error) {
      this.#feeler.stop();
      this.#show('phone-says', text('noCamera', { reason: error.message }));
      return;
    }
    // What is felt goes on: without pictures it is "I cannot see".
    this.#stream.getVideoTracks()[0].addEventListener('ended', () => this.#show('phone-says', text('cameraEnded')));
    this.#video.srcObject = this.#stream;
    await this.#video.play();
    document.getElementById('phone-start').textContent = text('phoneStop');
    this.#keepAwake();
    this.#register();
    this.#next();
  }

  async #keepAwake() {
    if (!this.#stream || document.hidden) return;
    try { this.#lock = await navigator.wakeLock?.request('screen'); } catch { /* the battery is low */ }
  }

  stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.#namespace = null;
    this.#lock?.release();
    this.#lock = null;
    this.#video.srcObject = null;
    this.#feeler.stop();
    document.getElementById('phone-start').textContent = text('phoneStart');
  }

  async #register() {
    const answer = await this.#connection.ask({ type: 'phone', name: 'phone' });
    if (!this.#stream) return;
    if (!answer.ok) {
      this.#show('phone-says', answer.message ?? text('noAnswer'));
      // A connection that was lost may still be held by the server for some seconds.
      if (answer.message !== null) setTimeout(() => { if (this.#stream && !this.#namespace) this.#register(); }, AGAIN_MS);
      return;
    }
    this.#namespace = answer.message;
    this.#show('phone-says', text('phoneSends', { namespace: answer.message }));
    this.#onNamespace(answer.message);
  }

  /** Whether the camera gives pictures: its last one must not be sent again and again. */
  get #sees() {
    const track = this.#stream?.getVideoTracks()[0];
    return track?.readyState === 'live' && !track.muted;
  }

  #next() {
    if (!this.#stream) return;
    // With each new frame of the video; by the clock where the browser does not tell of one.
    let isDue = true;
    const take = () => { if (isDue) { isDue = false; this.#take(); } };
    this.#video.requestVideoFrameCallback?.(take);
    setTimeout(take, 'requestVideoFrameCallback' in this.#video ? SLOWEST_MS : FASTEST_MS);
  }

  async #take() {
    // The newest picture only: while one is on its way, others are left out.
    if (this.#sees && this.#namespace && !this.#isBusy && this.#connection.canSend && this.#connection.buffered < MOST_BUFFERED) {
      this.#isBusy = true;
      try { await this.#send(); } finally { this.#isBusy = false; }
    }
    this.#next();
  }

  async #send() {
    const { videoWidth: width, videoHeight: height } = this.#video;
    if (!width || !height) return;
    this.#canvas ??= new OffscreenCanvas(width, height);
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    this.#canvas.getContext('2d').drawImage(this.#video, 0, 0);
    const tilt = this.#tilt;
    const held = Number(document.getElementById('phone-height').value);
    const header = { width, height, focal_px: this.#focalShare && this.#focalShare * width };
    if (tilt && held > 0) Object.assign(header, { height_m: held, pitch_deg: tilt.pitch, roll_deg: tilt.roll });
    const picture = new Uint8Array(await (await this.#canvas.convertToBlob({ type: 'image/jpeg', quality: 0.75 })).arrayBuffer());
    const said = new TextEncoder().encode(JSON.stringify(header));
    const message = new Uint8Array(4 + said.length + picture.length);
    new DataView(message.buffer).setUint32(0, said.length, true);
    message.set(said, 4);
    message.set(picture, 4 + said.length);
    this.#connection.send(message);
    this.sent += 1;
    document.body.dataset.sent = this.sent;
  }
}
