// Copyright 2026 the fcrn_depth_ros authors
// SPDX-License-Identifier: Apache-2.0

// Puts the page together: what comes from the connection goes to the parts that show it.

import { Connection } from './connection.js';
import { Diagnostics } from './diagnostics.js';
import { Around, History } from './drawings.js';
import { readFrame } from './frame.js';
import { Parameters } from './parameters.js';
import { Phone } from './phone.js';
import { Pictures } from './pictures.js';
import { decimal, distance, fillIn, NODES_SPEAK, percent, put, span, text, word } from './text.js';

const PICTURE_OLD_S = 1;
const TICK_MS = 200;
const BEHIND_DIALOG_MS = 400; // between pictures that are hardly seen: a phone has enough to do

fillIn();
const byId = (id) => document.getElementById(id);
const connection = new Connection();
const pictures = new Pictures();
const history = new History();
const around = new Around();
const diagnostics = new Diagnostics();
const parameters = new Parameters((message) => connection.ask(message));
const phone = new Phone(connection, (namespace) => { wanted = namespace; });

let wanted = '';
let status = null;
let robots = [];
let robot = new URLSearchParams(location.search).get('robot') ?? '';
let control = false;
let isMuted = false;
let shownWord = '';
let reading = Promise.resolve();
let newestFrame = null;
let ticks = 0;

// ---- What comes in ----------------------------------------------------------------------------

connection.addEventListener('hello', ({ detail }) => {
  control = detail.control;
  pictures.setColors(detail.colors);
  parameters.canControl = control;
  const mode = byId('mode');
  mode.textContent = text(control ? 'control' : 'readOnly');
  mode.title = control ? '' : text('readOnlyHint');
  mode.classList.toggle('on', control);
  for (const id of ['reset', 'enable', 'mute', 'record']) byId(id).disabled = !control;
  byId('phone-open').hidden = !control || !navigator.mediaDevices;
  byId('answer').textContent = control ? '' : text('readOnlyHint');
});

connection.addEventListener('robots', ({ detail }) => {
  if (JSON.stringify(detail.robots) !== JSON.stringify(robots)) {
    robots = detail.robots;
    const select = byId('robot');
    select.replaceChildren(...robots.map((name) => new Option(name === '/' ? text('rootRobot') : name, name)));
    if (!robots.length) select.append(new Option(text('noRobot'), ''));
    select.disabled = !robots.length;
    select.value = robot;
  }
  if (wanted && robots.includes(wanted)) { choose(wanted); wanted = ''; }
  else if (robots.length && !robots.includes(robot)) choose(robots[0]);
  else if (robots.includes(robot) && status?.robot !== robot) watch();
});

connection.addEventListener('status', ({ detail }) => {
  status = detail;
  if (detail.robot !== robot) { show(); return; }
  const range = detail.range;
  const isFresh = range && range.received_age_s < 1 && range.age_s < 2;
  history.add(isFresh && detail.proximity !== null ? range.m : null, range?.sigma_m, range?.max_m);
  show();
});

connection.addEventListener('parameters', ({ detail }) => {
  if (detail.robot !== robot) return;
  parameters.take(detail.nodes);
  const { color_map: map, color_min_m: min, color_max_m: max } = parameters.values;
  if (map) pictures.setScale(map, min, max);
  // A relative picture has no metres.
  byId('scale').parentElement.hidden = parameters.values.proximity_mode === 'relative';
});

connection.addEventListener('diagnostics', ({ detail }) => {
  if (detail.robot === robot) diagnostics.take(detail.nodes);
});

connection.addEventListener('frame', ({ detail }) => {
  newestFrame = detail;
  reading = reading.then(async () => {
    const buffer = newestFrame;
    newestFrame = null;
    // One that has been replaced meanwhile is acknowledged, and not drawn.
    if (buffer) {
      try {
        pictures.show(await readFrame(buffer));
        document.body.dataset.frames = Number(document.body.dataset.frames ?? 0) + 1;
      } catch (error) {
        console.warn('a frame could not be shown', error);
      }
    }
    // What nobody looks at need not be encoded.
    if (document.hidden) await new Promise((resolve) => { document.addEventListener('visibilitychange', resolve, { once: true }); });
    if (phone.isOpen) await new Promise((resolve) => { setTimeout(resolve, BEHIND_DIALOG_MS); });
    connection.send({ type: 'shown' });
  });
});

connection.addEventListener('closed', () => tick());

// ---- What is shown ----------------------------------------------------------------------------

function thresholds() {
  const { stop_distance_m: stop, caution_distance_m: caution } = parameters.values;
  return { stop, caution };
}

function verdict() {
  if (!connection.everOpen) {
    return connection.quietSeconds > 2
      ? ['LOST', text('lostReason', { seconds: decimal(connection.quietSeconds, 1) })]
      : ['CONNECTING', text('connecting')];
  }
  if (connection.isLost) return ['LOST', text('lostReason', { seconds: decimal(connection.quietSeconds, 1) })];
  if (!robots.length) return ['NO_ROBOT', text('noRobotReason')];
  if (!status?.word || status.robot !== robot) return ['CONNECTING', text('connecting')];
  return [status.word, status.reason, true];
}

function announce(state, reason, isOfNode) {
  const why = document.createElement('span');
  why.textContent = reason;
  if (isOfNode) why.lang = NODES_SPEAK;
  byId('announcement').replaceChildren(`${word(state)}: `, why);
}

function show() {
  const [state, reason, isOfNode] = verdict();
  const signs = { CONNECTING: 'LOST', NO_ROBOT: 'NO_ALERT' };
  const isNew = state !== shownWord;
  if (isNew) {
    shownWord = state;
    document.body.dataset.word = state;
    byId('sign').setAttribute('href', `#sign-${signs[state] ?? state}`);
    put('word', word(state));
    announce(state, reason, isOfNode);
    document.title = `${word(state)} · ${text('title')}`;
  }
  put('reason', reason, isOfNode);
  const isLive = !['LOST', 'CONNECTING', 'NO_ROBOT'].includes(state);
  const now = isLive ? status : null;
  const range = now?.range;
  const isKnown = range && range.received_age_s < 1 && range.age_s < 2 && now.proximity !== null;
  put('nearest', isKnown ? distance(range.m, range.max_m) : '–');
  put('age', pictures.pictureAge < 3600 ? span(pictures.pictureAge) : '–');
  const noted = now?.proximity ?? null;
  put('near-note', noted === null ? '' : text('nearShare', { share: percent(noted) }));
  pictures.describe(state, noted);
  put('picture-rate', now ? `${decimal(now.picture_hz, 1)} Hz` : '–');
  put('depth-rate', now ? `${decimal(now.depth_hz, 1)} Hz` : '–');
  put('latency', now?.latency_ms != null && now.depth_age_s < 2 ? `${Math.round(now.latency_ms)} ms` : '–');
  put('scale-verified', scaleText(now, isKnown ? range : null));
  byId('scale-verified').classList.toggle('bad', Boolean(now?.scale_contradicted));
  put('scale-text', now?.scale_text ? text('scaleSays', { what: now.scale_text }) : '');
  put('history-note', isKnown && range.sigma_m ? `± ${distance(range.sigma_m)}` : '');
  const recording = now?.recording;
  byId('recording').hidden = !recording;
  put('recording', recording ? text(recording.on ? 'recording' : 'recorded', { what: recording.text }) : '');
  put('record', text(recording?.on ? 'recordStop' : 'record'));
  byId('enable').textContent = text(now?.word === 'DISABLED' ? 'enable' : 'disable');
  document.dispatchEvent(new CustomEvent('look', { detail: { state, status: now, isKnown: Boolean(isKnown), thresholds: thresholds() } }));
  // After the look, which whoever answers the new state takes its distance from.
  if (isNew) document.dispatchEvent(new CustomEvent('state', { detail: { state, reason } }));
}

function scaleText(now, range) {
  if (now?.scale_contradicted) return text('contradicted');
  if (!now || now.scale_verified === null) return '–';
  if (!now.scale_verified) return text('unverified');
  if (!range?.sigma_m || !range.m) return text('verified');
  return text('verifiedWithin', { share: percent(range.sigma_m / range.m) });
}

function tick() {
  show();
  pictures.markAge(PICTURE_OLD_S, connection.isLost);
  if (document.hidden) return;
  ticks += 1;
  if (ticks % 2) history.draw(thresholds());
  else {
    const { scan, memory } = status?.robot === robot ? status : {};
    around.draw(scan, memory, thresholds(), connection.isLost);
  }
}
setInterval(tick, TICK_MS);
document.addEventListener('visibilitychange', tick);
tick();

// ---- What a person does -----------------------------------------------------------------------

function choose(name) {
  robot = name;
  byId('robot').value = name;
  status = null;
  showMuted(false); // of the one before; no topic tells
  for (const part of [pictures, history, diagnostics, parameters]) part.forget();
  watch();
}

function watch() {
  connection.watch(robot);
  if (pictures.showsConfidence) askForConfidence();
}
byId('robot').addEventListener('change', ({ currentTarget }) => choose(currentTarget.value));

byId('phone-open').addEventListener('click', () => phone.open());

function confirm(what) {
  const dialog = byId('confirm');
  put('confirm-title', text(`${what}Title`));
  put('confirm-text', text(`${what}Text`));
  put('confirm-yes', text(`${what}Yes`));
  return new Promise((resolve) => {
    const end = (answer) => { dialog.close(); resolve(answer); };
    byId('confirm-yes').onclick = () => end(true);
    byId('confirm-no').onclick = () => end(false);
    dialog.oncancel = () => resolve(false);
    dialog.showModal();
    byId('confirm-no').focus();
  });
}

const call = (service, on = true) => ask({ type: 'call', service, on });

async function ask(message) {
  const answer = await connection.ask(message);
  const says = byId('answer');
  put('answer', answer.message ?? text('noAnswer'), answer.message !== null);
  says.classList.toggle('bad', !answer.ok);
  return answer.ok;
}

byId('reset').addEventListener('click', async () => { if (await confirm('reset')) call('reset'); });
byId('enable').addEventListener('click', async () => {
  if (status?.word === 'DISABLED') call('set_enabled', true);
  else if (await confirm('disable')) call('set_enabled', false);
});
byId('mute').addEventListener('click', async () => {
  if (!await call('mute', !isMuted)) return;
  showMuted(!isMuted);
});
function showMuted(isNow) {
  isMuted = isNow;
  put('mute', text(isMuted ? 'unmute' : 'mute'));
}

byId('record').addEventListener('click', () => ask({ type: 'record', on: !status?.recording?.on }));

connection.addEventListener('open', () => { if (robot && pictures.showsConfidence) askForConfidence(); });
function askForConfidence() { connection.send({ type: 'confidence', on: pictures.showsConfidence }); }
document.addEventListener('wantsConfidence', askForConfidence);

// ---- How it looks -----------------------------------------------------------------------------

function store(key, value) { try { localStorage.setItem(key, value); } catch { /* private window */ } }
function stored(key) { try { return localStorage.getItem(key); } catch { return null; } }

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  store('theme', theme);
}
setTheme(stored('theme') ?? (matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark'));
byId('theme').addEventListener('click', () => {
  setTheme(document.documentElement.dataset.theme === 'light' ? 'dark' : 'light');
  tick();
});

function setLarge(isLarge) {
  document.body.classList.toggle('large', isLarge);
  byId('large').setAttribute('aria-pressed', isLarge);
  store('large', isLarge ? 'yes' : 'no');
}
setLarge(stored('large') === 'yes');
byId('large').addEventListener('click', () => setLarge(!document.body.classList.contains('large')));
