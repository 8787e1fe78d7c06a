// Copyright 2026 the fcrn_depth_ros authors
// SPDX-License-Identifier: Apache-2.0

// Camera picture with what counts as near, depth in fixed colours, and the distance under a cross
// that both pictures share.

import { distance, percent, put, span, text, word } from './text.js';

const TICKS = [0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5, 10, 20, 50];

const CM_PER_M = 100;
// Of the confidence: no colour that could be taken for a distance; bright is sure.
const GREYS = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));

const kept = new Map();

/** Give a canvas to draw on aside, cleared; the one of a use is used again. */
function scratch(use, width, height) {
  let canvas = kept.get(use);
  if (!canvas) { canvas = new OffscreenCanvas(width, height); kept.set(use, canvas); }
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d');
  context.globalCompositeOperation = 'source-over';
  context.clearRect(0, 0, width, height);
  return canvas;
}

const patterns = new Map();

/** A pattern of diagonal lines: red and white for near, greys for unknown. */
function hatch(context, line, gap) {
  const known = patterns.get(line + gap);
  if (known) return known;
  const tile = new OffscreenCanvas(8, 8);
  const pen = tile.getContext('2d');
  if (gap) { pen.fillStyle = gap; pen.fillRect(0, 0, 8, 8); }
  pen.strokeStyle = line;
  pen.lineWidth = 1.6;
  for (const x of [-8, 0, 8]) { pen.beginPath(); pen.moveTo(x, 8); pen.lineTo(x + 8, 0); pen.stroke(); }
  const pattern = context.createPattern(tile, 'repeat');
  patterns.set(line + gap, pattern);
  return pattern;
}

export class Pictures {
  #camera = document.getElementById('camera');
  #depth = document.getElementById('depth');
  #readout = document.getElementById('readout');
  #frame = null;
  #pictureAt = -Infinity;
  #depthAt = -Infinity;
  #cross = null;
  #colors = null;
  #table = null;
  #min = 0.2;
  #max = 5;
  #showsConfidence = false;
  #isConfidence = false; // what is drawn, which has to come first

  constructor() {
    this.#depth.setAttribute('aria-label', text('depthKeys'));
    this.#readout.textContent = text('readoutHint');
    for (const canvas of [this.#camera, this.#depth]) {
      canvas.addEventListener('pointermove', (event) => this.#point(canvas, event));
      canvas.addEventListener('pointerdown', (event) => this.#point(canvas, event));
      canvas.addEventListener('pointerleave', (event) => { if (event.pointerType === 'mouse') this.#move(null); });
    }
    this.#depth.addEventListener('keydown', (event) => this.#key(event));
    document.getElementById('layer').addEventListener('click', ({ currentTarget }) => {
      this.#showsConfidence = !this.#showsConfidence;
      document.dispatchEvent(new Event('wantsConfidence'));
      currentTarget.setAttribute('aria-pressed', this.#showsConfidence);
      this.#draw();
    });
    new ResizeObserver(() => this.#draw()).observe(this.#depth);
  }

  /** Take the colour tables of the package, as {name: hex}. */
  setColors(tables) {
    this.#colors = tables;
    this.setScale('turbo', this.#min, this.#max);
  }

  /** Choose the colours, and the distances of the first and the last one. */
  setScale(name, min, max) {
    this.#min = min;
    this.#max = Math.max(max, min + 0.01);
    if (!this.#colors) return;
    const hex = this.#colors[name] ?? this.#colors.turbo;
    this.#table = Uint8Array.from({ length: 768 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
    this.#drawScale();
    this.#draw();
  }

  #drawScale() {
    if (!this.#table) return;
    const canvas = document.getElementById('scale');
    const context = canvas.getContext('2d');
    const image = context.createImageData(256, 1);
    const table = this.#isConfidence ? GREYS : this.#table;
    for (let i = 0; i < 256; i++) {
      image.data.set(table.subarray(3 * i, 3 * i + 3), 4 * i);
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    const ticks = document.getElementById('ticks');
    ticks.replaceChildren();
    const mark = (share, says) => {
      const label = document.createElement('span');
      label.textContent = says;
      label.style.left = `${share * 100}%`;
      ticks.append(label);
    };
    if (this.#isConfidence) {
      for (const share of [0.1, 0.5, 0.9]) mark(share, text('sure', { share: percent(share) }));
      return;
    }
    const width = this.#max - this.#min;
    const step = TICKS.find((tick) => width / tick <= 6) ?? width / 4;
    for (let metres = Math.ceil(this.#min / step) * step; metres <= this.#max + 1e-6; metres += step) {
      mark((metres - this.#min) / width, `${(+metres.toFixed(2)).toLocaleString(document.documentElement.lang)} m`);
    }
  }

  /** Take a frame that has been read. */
  show(frame) {
    const at = frame.received - frame.header.age_ms;
    if (frame.picture) this.#pictureAt = at;
    if (frame.depth || frame.color) this.#depthAt = at;
    // What did not come stays, marked with its age; `near` belongs to the depth of its own frame.
    const last = this.#frame;
    this.#frame = { ...frame, picture: frame.picture ?? last?.picture };
    if (!frame.depth && !frame.color && last) {
      Object.assign(this.#frame, { depth: last.depth, color: last.color, size: last.size });
    } else {
      this.#frame.size = frame.header.depth;
    }
    put('frame-problem', frame.header.problem ?? '', true);
    const hasNear = Boolean(frame.near);
    const legend = document.getElementById('near-legend');
    legend.textContent = text(hasNear ? 'nearLegend' : 'nearUnknown');
    legend.previousElementSibling.hidden = !hasNear;
    this.#draw();
  }

  forget() {
    this.#frame = null;
    put('frame-problem', '', true);
    this.#pictureAt = this.#depthAt = -Infinity;
    this.#draw();
  }

  get showsConfidence() { return this.#showsConfidence; }

  /** Seconds since the newest picture was taken. */
  get pictureAge() { return (performance.now() - this.#pictureAt) / 1000; }

  /** Say over a picture that it is old: it must never look live. */
  markAge(limit, isLost) {
    for (const [canvas, at, key] of [[this.#camera, this.#pictureAt, 'noLivePicture'], [this.#depth, this.#depthAt, 'noDepth']]) {
      const age = (performance.now() - at) / 1000;
      const old = isLost || age > limit;
      canvas.parentElement.classList.toggle('old', old);
      const label = canvas.nextElementSibling;
      if (old) label.textContent = `${text(key)} · ${at === -Infinity ? text('neverCame') : text('ageOld', { age: span(age) })}`;
      label.hidden = !old;
    }
    return this.#depthAt;
  }

  describe(state, share) {
    this.#camera.setAttribute('aria-label', text('cameraAlt', {
      state: word(state),
      share: share === null || share === undefined ? text('noDistance') : text('nearShare', { share: percent(share) }),
    }));
  }

  #fit(canvas) {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    return canvas.getContext('2d');
  }

  #draw() {
    this.#drawCamera();
    this.#drawDepth();
    this.#read();
  }

  #drawCamera() {
    const canvas = this.#camera;
    const context = this.#fit(canvas);
    context.fillStyle = hatch(context, '#3b4350', '#20262f');
    context.fillRect(0, 0, canvas.width, canvas.height);
    const frame = this.#frame;
    if (!frame?.picture) return;
    context.imageSmoothingQuality = 'high';
    context.drawImage(frame.picture, 0, 0, canvas.width, canvas.height);
    if (frame.near) this.#drawNear(context, canvas, frame);
    this.#drawCross(context, canvas);
  }

  #drawNear(context, canvas, frame) {
    const { width, height } = frame.header.near;
    const mask = scratch('mask', width, height);
    const pen = mask.getContext('2d');
    const image = pen.createImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      if (frame.near[i >> 3] & (128 >> (i & 7))) image.data[4 * i + 3] = 255;
    }
    pen.putImageData(image, 0, 0);
    const layer = scratch('near', canvas.width, canvas.height);
    const over = layer.getContext('2d');
    over.imageSmoothingQuality = 'high';
    over.drawImage(mask, 0, 0, canvas.width, canvas.height);
    over.globalCompositeOperation = 'source-in';
    // Lines, so that it is not by colour alone.
    over.fillStyle = hatch(over, 'rgb(255 255 255 / .55)', 'rgb(235 38 48 / .5)');
    over.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(layer, 0, 0);
  }

  #drawDepth() {
    const canvas = this.#depth;
    const context = this.#fit(canvas);
    context.fillStyle = hatch(context, '#525252', '#262626');
    context.fillRect(0, 0, canvas.width, canvas.height);
    const frame = this.#frame;
    context.imageSmoothingQuality = 'high';
    if (frame?.color) context.drawImage(frame.color, 0, 0, canvas.width, canvas.height);
    if (!frame?.depth || !this.#table) return;
    const { width, height } = frame.size;
    const small = scratch('depth', width, height);
    const pen = small.getContext('2d');
    const image = pen.createImageData(width, height);
    const confidence = this.#showsConfidence ? frame.confidence : null;
    if (this.#isConfidence !== Boolean(confidence)) { this.#isConfidence = Boolean(confidence); this.#drawScale(); }
    const table = confidence ? GREYS : this.#table;
    const scale = 255 / (this.#max - this.#min);
    for (let i = 0; i < width * height; i++) {
      const metres = frame.depth[i] / CM_PER_M;
      let known = metres > 0;
      let index = Math.round((metres - this.#min) * scale);
      if (confidence) { known = confidence[i] !== 255; index = confidence[i] * 1.275; }
      if (!known) continue;
      const from = 3 * Math.max(0, Math.min(255, Math.round(index)));
      image.data[4 * i] = table[from];
      image.data[4 * i + 1] = table[from + 1];
      image.data[4 * i + 2] = table[from + 2];
      image.data[4 * i + 3] = 255;
    }
    pen.putImageData(image, 0, 0);
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    this.#drawCross(context, canvas);
  }

  #drawCross(context, canvas) {
    if (!this.#cross) return;
    const x = this.#cross.x * canvas.width;
    const y = this.#cross.y * canvas.height;
    const arm = 11 * (canvas.width / Math.max(1, canvas.clientWidth));
    for (const [color, width] of [['#000a', 5], ['#fff', 2]]) {
      context.strokeStyle = color;
      context.lineWidth = width * (arm / 11);
      context.beginPath();
      context.moveTo(x - arm, y); context.lineTo(x - arm / 3, y);
      context.moveTo(x + arm / 3, y); context.lineTo(x + arm, y);
      context.moveTo(x, y - arm); context.lineTo(x, y - arm / 3);
      context.moveTo(x, y + arm / 3); context.lineTo(x, y + arm);
      context.stroke();
    }
  }

  #point(canvas, event) {
    const box = canvas.getBoundingClientRect();
    this.#move({ x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
  }

  #key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === 'Escape') { this.#move(null); return; }
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const size = event.shiftKey ? 0.1 : 0.02;
    const from = this.#cross ?? { x: 0.5, y: 0.5 };
    this.#move({ x: from.x + step[0] * size, y: from.y + step[1] * size });
  }

  #move(cross) {
    this.#cross = cross && { x: Math.max(0, Math.min(0.999, cross.x)), y: Math.max(0, Math.min(0.999, cross.y)) };
    this.#draw();
  }

  #read() {
    let says = text('readoutHint');
    const frame = this.#frame;
    if (frame?.color && !frame.depth) says = text('relative');
    else if (this.#showsConfidence && !frame?.confidence) says = text('noConfidence');
    if (this.#cross && frame?.depth) {
      const { width, height } = frame.size;
      const at = Math.floor(this.#cross.y * height) * width + Math.floor(this.#cross.x * width);
      const centimetres = frame.depth[at];
      says = distance(centimetres ? centimetres / CM_PER_M : null);
      if (frame.confidence && frame.confidence[at] !== 255) {
        says = text('readoutConfidence', { distance: says, confidence: percent(frame.confidence[at] / 200) });
      }
    }
    if (this.#readout.textContent !== says) this.#readout.textContent = says;
  }
}
