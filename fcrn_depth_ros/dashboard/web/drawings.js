// Copyright 2026 the fcrn_depth_ros authors
// SPDX-License-Identifier: Apache-2.0

// The chart of the nearest distance, and the scan from above.

import { distance, text } from './text.js';

const MINUTE_MS = 60_000;
const GAP_MS = 450;
const REACH_M = 4;
const BEHIND_M = 1.5; // shown where something is remembered, which may be beside or behind
const CELL_M = 0.1;
const SEEN_NOW_S = 0.5;
const FORGOTTEN_S = 10;

function prepare(canvas) {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const style = getComputedStyle(document.body);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const size = document.body.classList.contains('large') ? 17 : 12;
  context.font = `${size}px ${style.fontFamily}`;
  return { context, width, height, color, size };
}

/** The nearest distance over the last minute: unknown is hatched, never a low or a high line. */
export class History {
  #canvas = document.getElementById('history');
  #samples = [];

  add(metres, sigma, most) {
    const now = performance.now();
    this.#samples.push({ at: now, metres, sigma, most });
    while (this.#samples.length && now - this.#samples[0].at > MINUTE_MS + 1000) this.#samples.shift();
  }

  forget() { this.#samples = []; }

  draw(thresholds) {
    const { context, width, height, color, size } = prepare(this.#canvas);
    if (width < 40) return;
    const now = performance.now();
    const left = 2.8 * size; const right = width - 6; const top = 8; const bottom = height - 8 - size;
    const known = this.#samples.filter((sample) => sample.metres !== null);
    const highest = Math.max(2.5, (thresholds.caution ?? 1) * 1.6, ...known.map((s) => Math.min(s.metres, 6)));
    const x = (at) => right - ((now - at) / MINUTE_MS) * (right - left);
    const y = (metres) => bottom - (Math.min(metres, highest) / highest) * (bottom - top);
    context.textBaseline = 'middle';
    context.lineWidth = 1;
    for (let metres = 0; metres <= highest; metres += highest > 4 ? 2 : 1) {
      context.strokeStyle = color('line');
      context.beginPath(); context.moveTo(left, y(metres)); context.lineTo(right, y(metres)); context.stroke();
      context.fillStyle = color('faint');
      context.textAlign = 'right';
      context.fillText(`${metres} m`, left - 6, Math.max(0.7 * size, y(metres)));
    }
    context.textAlign = 'center';
    for (const seconds of [60, 45, 30, 15, 0]) {
      context.textAlign = seconds === 60 ? 'left' : seconds === 0 ? 'right' : 'center';
      context.fillText(seconds ? `−${seconds} s` : text('now'), x(now - seconds * 1000), bottom + 5 + size / 2);
    }
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    this.#drawZones(context, color, thresholds, left, right, bottom, y);
    this.#drawUnknown(context, color, now, x, top, bottom);
    this.#drawLine(context, color, x, y, bottom);
    context.restore();
    for (const [key, label] of [['stop', 'stopLine'], ['caution', 'cautionLine']]) {
      if (thresholds[key] === undefined || thresholds[key] > highest) continue;
      context.strokeStyle = color(key);
      context.setLineDash(key === 'stop' ? [] : [6, 4]);
      context.lineWidth = 1.5;
      context.beginPath(); context.moveTo(left, y(thresholds[key])); context.lineTo(right, y(thresholds[key])); context.stroke();
      context.setLineDash([]);
      context.fillStyle = color(`${key}-text`);
      context.textAlign = 'left';
      context.fillText(`${text(label)} ${distance(thresholds[key])}`, left + 6, y(thresholds[key]) - 0.67 * size);
    }
    const metres = known.map((sample) => sample.metres);
    this.#canvas.setAttribute('aria-label', text('historyAlt', {
      distance: distance(this.#samples.at(-1)?.metres),
      lowest: distance(metres.length ? Math.min(...metres) : null),
    }));
  }

  #drawZones(context, color, thresholds, left, right, bottom, y) {
    for (const key of ['caution', 'stop']) {
      if (thresholds[key] === undefined) continue;
      context.globalAlpha = 0.1;
      context.fillStyle = color(key);
      context.fillRect(left, y(thresholds[key]), right - left, bottom - y(thresholds[key]));
      context.globalAlpha = 1;
    }
  }

  #drawUnknown(context, color, now, x, top, bottom) {
    const spans = [];
    let previous = now - MINUTE_MS;
    let unknownFrom = null;
    for (const sample of [...this.#samples, { at: now, metres: this.#samples.at(-1)?.metres ?? null }]) {
      if (sample.at - previous > GAP_MS) unknownFrom ??= previous;
      if (unknownFrom !== null && sample.metres !== null) { spans.push([unknownFrom, sample.at]); unknownFrom = null; }
      if (sample.metres === null) unknownFrom ??= sample.at;
      previous = sample.at;
    }
    if (unknownFrom !== null) spans.push([unknownFrom, now]);
    context.strokeStyle = color('faint');
    context.globalAlpha = 0.45;
    context.lineWidth = 1;
    for (const [from, to] of spans) {
      context.save();
      context.beginPath();
      context.rect(x(from), top, x(to) - x(from), bottom - top);
      context.clip();
      context.beginPath();
      for (let at = Math.floor((x(from) - bottom) / 9) * 9; at < x(to); at += 9) {
        context.moveTo(at, bottom); context.lineTo(at + bottom - top, top);
      }
      context.stroke();
      context.restore();
    }
    context.globalAlpha = 1;
  }

  #drawLine(context, color, x, y, bottom) {
    const runs = [];
    let run = null;
    let previous = null;
    for (const sample of this.#samples) {
      if (sample.metres === null || (previous !== null && sample.at - previous > GAP_MS)) run = null;
      if (sample.metres !== null) {
        if (!run) { run = []; runs.push(run); }
        run.push(sample);
      }
      previous = sample.at;
    }
    for (const samples of runs) {
      if (samples.some((sample) => sample.sigma)) {
        context.beginPath();
        samples.forEach((s, i) => context[i ? 'lineTo' : 'moveTo'](x(s.at), y(s.metres + (s.sigma ?? 0))));
        [...samples].reverse().forEach((s) => context.lineTo(x(s.at), y(Math.max(0, s.metres - (s.sigma ?? 0)))));
        context.globalAlpha = 0.18;
        context.fillStyle = color('accent');
        context.fill();
        context.globalAlpha = 1;
      }
      context.beginPath();
      samples.forEach((s, i) => context[i ? 'lineTo' : 'moveTo'](x(s.at), y(s.metres)));
      context.strokeStyle = color('accent');
      context.lineWidth = 2.5;
      context.lineJoin = 'round';
      context.stroke();
    }
    const last = this.#samples.at(-1);
    if (last?.metres !== null && last !== undefined) {
      context.beginPath();
      context.arc(x(last.at) - 3, y(last.metres), 4, 0, 7);
      context.fillStyle = color('accent');
      context.fill();
    }
  }
}

/** The scan and what is remembered from above, the camera at the bottom, ahead is up. */
export class Around {
  #canvas = document.getElementById('around');

  draw(scan, memory, thresholds, isOld) {
    const { context, width, height, color, size } = prepare(this.#canvas);
    if (width < 40) return;
    // A range of null is unknown, a negative one means that nothing is there.
    const note = document.getElementById('around-note');
    const reach = REACH_M;
    const isFresh = (part) => part && !isOld && part.received_age_s !== null && part.received_age_s < 1;
    const kept = isFresh(memory) ? memory.points ?? [] : null;
    const behind = kept ? BEHIND_M : 0;
    const pixels = Math.min((height - 22 - size) / (reach + behind), (width / 2 - 8) / (reach * Math.sin(0.62)));
    const middle = { x: width / 2, y: height - 20 - behind * pixels };
    context.textBaseline = 'middle';
    context.textAlign = 'center';
    for (let metres = 1; metres <= reach; metres++) {
      context.strokeStyle = color('line');
      context.lineWidth = 1;
      context.beginPath();
      context.arc(middle.x, middle.y, metres * pixels, -Math.PI * 0.86, -Math.PI * 0.14);
      context.stroke();
      context.fillStyle = color('faint');
      context.fillText(`${metres} m`, middle.x, Math.max(0.6 * size, middle.y - metres * pixels - 0.67 * size));
    }
    const fresh = isFresh(scan);
    let nearest = null;
    if (fresh) {
      const place = (range, i) => {
        const angle = scan.angle_min + i * scan.angle_increment;
        return [middle.x - Math.sin(angle) * range * pixels, middle.y - Math.cos(angle) * range * pixels];
      };
      // Free as far as the scan has seen something; nothing is drawn where it is unknown (null).
      context.globalAlpha = 0.16;
      context.fillStyle = color('accent');
      const seen = scan.ranges.map((range) => (range === null ? null : Math.min(range < 0 ? scan.range_max : range, reach)));
      for (let i = 0; i + 1 < seen.length; i++) {
        if (seen[i] === null || seen[i + 1] === null) continue;
        context.beginPath();
        context.moveTo(middle.x, middle.y);
        context.lineTo(...place(seen[i], i));
        context.lineTo(...place(seen[i + 1], i + 1.02));
        context.fill();
      }
      context.globalAlpha = 1;
      scan.ranges.forEach((range, i) => {
        if (range === null || range < 0) return;
        nearest = nearest === null ? range : Math.min(nearest, range);
        if (range > reach + 0.3) return;
        const key = range < (thresholds.stop ?? 0) ? 'stop' : range < (thresholds.caution ?? 0) ? 'caution' : 'accent';
        const size = key === 'stop' ? 3.4 : key === 'caution' ? 2.8 : 2.2;
        context.fillStyle = color(key);
        context.beginPath();
        context.arc(...place(range, i), size, 0, 7);
        context.fill();
      });
      for (const key of ['stop', 'caution']) {
        if (thresholds[key] === undefined || !scan.ranges.length) continue;
        const first = -scan.angle_min; const last = -(scan.angle_min + scan.angle_increment * (scan.ranges.length - 1));
        context.strokeStyle = color(key);
        context.setLineDash(key === 'stop' ? [] : [6, 4]);
        context.lineWidth = 1.5;
        context.beginPath();
        context.arc(middle.x, middle.y, thresholds[key] * pixels, Math.min(first, last) - Math.PI / 2, Math.max(first, last) - Math.PI / 2);
        context.stroke();
        context.setLineDash([]);
      }
    }
    const past = (kept ?? []).filter(([, , age]) => age > SEEN_NOW_S);
    this.#drawMemory(context, color, past, middle, pixels);
    context.fillStyle = color('text');
    context.beginPath();
    context.moveTo(middle.x, middle.y - 9); context.lineTo(middle.x + 8, middle.y + 7); context.lineTo(middle.x, middle.y + 3); context.lineTo(middle.x - 8, middle.y + 7);
    context.closePath();
    context.fill();
    const says = fresh ? [text('aroundAlt', { distance: distance(nearest) })] : [text('noScan')];
    // Of what is remembered the nearest comes first.
    if (past.length) says.push(text('remembers', { count: past.length, distance: distance(Math.hypot(past[0][0], past[0][1])) }));
    note.textContent = isFresh(memory) && memory.problem ? memory.problem : past.length || !fresh ? says.at(-1) : '';
    this.#canvas.setAttribute('aria-label', says.join(' '));
  }

  /** Squares, not dots: they are not seen now. They pale with their age; a ring is the doubt. */
  #drawMemory(context, color, points, middle, pixels) {
    context.lineWidth = 1.6;
    for (const [ahead, left, age, doubt] of points) {
      const x = middle.x - left * pixels;
      const y = middle.y - ahead * pixels;
      const half = Math.max(2.5, CELL_M / 2 * pixels);
      context.globalAlpha = Math.max(0.35, 1 - 0.65 * age / FORGOTTEN_S);
      context.strokeStyle = color('stale-text');
      context.strokeRect(x - half, y - half, 2 * half, 2 * half);
      if (doubt * pixels <= half) continue;
      context.globalAlpha = 0.3;
      context.beginPath();
      context.arc(x, y, doubt * pixels, 0, 7);
      context.stroke();
    }
    context.globalAlpha = 1;
  }
}
