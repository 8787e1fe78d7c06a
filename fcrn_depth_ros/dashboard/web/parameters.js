// Copyright 2026 the fcrn_depth_ros authors
// SPDX-License-Identifier: Apache-2.0

// Sliders, switches and choices for the parameters of both nodes. What is shown is what the node
// has reported; a refusal is shown in the node's own words, and the old value comes back.

import { NODES_SPEAK, text } from './text.js';

const ESSENTIALS = [
  'stop_distance_m', 'release_distance_m', 'caution_distance_m', 'latch', 'near_distance_m', 'near_threshold',
  'proximity_mode', 'camera_height_m', 'camera_pitch_deg', 'corridor_width_m',
];
// Bounds that are far apart are of little use to a slider: it covers the useful part, and the
// number field the whole.
const USEFUL = 10;
const WAIT_MS = 150;

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

class Row {
  #field; #slider; #says; #waits = 0; #isLate = false; #isTyping = false; #shown; #send;

  constructor(node, parameter, send, disabled) {
    this.node = node;
    this.name = parameter.name;
    this.parameter = parameter;
    this.#send = send;
    const id = `parameter-${node}-${parameter.name}`;
    this.#says = make('p', { className: 'says', id: `${id}-says` });
    this.#says.setAttribute('role', 'status');
    const label = make('label', { htmlFor: id }, parameter.name);
    const meaning = make('p', { className: 'meaning', id: `${id}-meaning`, lang: NODES_SPEAK },
      parameter.description);
    this.#field = this.#makeField(id, parameter);
    this.#field.setAttribute('aria-describedby', `${id}-meaning ${id}-says`);
    this.#field.disabled = disabled;
    const controls = make('div', { className: 'controls' }, this.#field);
    this.#slider = this.#makeSlider(parameter);
    if (this.#slider) {
      this.#slider.disabled = this.#field.disabled;
      this.#slider.setAttribute('aria-label', parameter.name);
      controls.prepend(this.#slider);
    }
    this.element = make('div', { className: 'row' }, label, controls, meaning, this.#says);
    this.update(parameter);
  }

  get matches() { return `${this.name} ${this.parameter.description}`.toLowerCase(); }

  #makeField(id, { kind, choices, minimum, maximum }) {
    if (kind === 'bool') {
      const box = make('input', { type: 'checkbox', id, className: 'switch' });
      box.setAttribute('role', 'switch');
      box.addEventListener('change', () => this.#set(box.checked));
      return box;
    }
    if (choices.length) {
      const select = make('select', { id }, ...choices.map((choice) => make('option', { value: choice }, choice)));
      select.addEventListener('change', () => this.#set(select.value));
      return select;
    }
    if (kind === 'string') {
      const input = make('input', { type: 'text', id, spellcheck: false, autocomplete: 'off' });
      input.addEventListener('change', () => this.#set(input.value));
      this.#watchTyping(input);
      return input;
    }
    const input = make('input', { type: 'number', id, step: kind === 'int' ? 1 : 'any', inputMode: 'decimal' });
    if (minimum !== null) { input.min = minimum; input.max = maximum; }
    // A value out of bounds is sent all the same: the node is the one that says why it is refused.
    input.addEventListener('change', () => { if (input.value !== '') this.#set(input.valueAsNumber); });
    this.#watchTyping(input);
    return input;
  }

  #watchTyping(input) {
    input.addEventListener('input', () => { this.#isTyping = true; });
    for (const end of ['change', 'blur']) input.addEventListener(end, () => { this.#isTyping = false; });
  }

  #makeSlider({ kind, minimum, maximum, value }) {
    if (minimum === null || (kind !== 'double' && kind !== 'int')) return null;
    const most = minimum >= 0 ? Math.min(maximum, Math.max(USEFUL / 2, Math.abs(value) * 3)) : maximum;
    const slider = make('input', { type: 'range', min: minimum, max: most });
    slider.step = kind === 'int' ? 1 : 10 ** Math.floor(Math.log10((most - minimum) / 100));
    slider.value = value;
    slider.addEventListener('input', () => {
      this.#field.value = slider.value;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.#set(slider.valueAsNumber), WAIT_MS);
    });
    return slider;
  }

  async #set(value) {
    this.#waits += 1;
    const answer = await this.#send({ type: 'set', node: this.node, name: this.name, value });
    this.#waits -= 1;
    this.#says.classList.toggle('bad', !answer.ok);
    this.#says.textContent = answer.ok ? '' : answer.message === null ? text('noAnswer') : text('refused', { reason: answer.message });
    // The node's report may have come before its answer, and was not shown then.
    if (!answer.ok || this.#isLate) { this.#shown = undefined; this.update(this.parameter); }
  }

  update(parameter) {
    this.parameter = parameter;
    this.#isLate = this.#waits > 0;
    if (this.#isLate) return;
    const { value, kind } = parameter;
    const isNew = value !== this.#shown;
    this.#shown = value;
    if (kind === 'bool') { this.#field.checked = value; return; }
    const shown = kind === 'double' ? +value.toPrecision(6) : value;
    // What is being typed is not taken away.
    if (!this.#isTyping && (document.activeElement !== this.#field || isNew)) this.#field.value = shown;
    if (this.#slider && document.activeElement !== this.#slider) {
      if (value > Number(this.#slider.max)) this.#slider.max = value;
      this.#slider.value = value;
    }
    if (this.#slider) this.#slider.setAttribute('aria-valuetext', String(shown));
  }
}

export class Parameters {
  #list = document.getElementById('parameter-list');
  #filter = document.getElementById('filter');
  #rows = new Map();
  #shape = '';
  #send; #canControl = false;
  values = {};

  constructor(send) {
    this.#send = send;
    this.#filter.placeholder = text('filter');
    this.#filter.setAttribute('aria-label', text('filter'));
    this.#filter.addEventListener('input', () => this.#applyFilter());
    this.forget();
  }

  set canControl(value) {
    if (value === this.#canControl) return;
    this.#canControl = value;
    this.#shape = '';
  }

  forget() {
    this.#rows.clear();
    this.#shape = '';
    this.values = {};
    this.#list.replaceChildren(make('p', { className: 'empty' }, text('noParameters')));
  }

  take(nodes) {
    this.values = {};
    for (const list of Object.values(nodes)) for (const { name, value } of list) this.values[name] = value;
    const shape = JSON.stringify(Object.entries(nodes).map(([node, list]) => [node, list.map(({ name }) => name)]));
    if (shape !== this.#shape) { this.#shape = shape; this.#build(nodes); }
    for (const [node, list] of Object.entries(nodes)) {
      for (const parameter of list) for (const row of this.#rows.get(`${node} ${parameter.name}`) ?? []) row.update(parameter);
    }
  }

  #build(nodes) {
    this.#rows.clear();
    const groups = new Map([[text('essentials'), []]]);
    for (const [node, list] of Object.entries(nodes)) {
      for (const parameter of list) {
        // What is fixed while the node is configured cannot be tried here.
        if (!parameter.section || parameter.fixed) continue;
        const isEssential = ESSENTIALS.includes(parameter.name);
        const title = isEssential ? text('essentials') : `${node} · ${parameter.section}`;
        const row = new Row(node, parameter, this.#send, !this.#canControl);
        this.#rows.set(`${node} ${parameter.name}`, [row]);
        if (!groups.has(title)) groups.set(title, []);
        groups.get(title).push(row);
      }
    }
    groups.get(text('essentials')).sort((a, b) => ESSENTIALS.indexOf(a.name) - ESSENTIALS.indexOf(b.name));
    this.#list.replaceChildren();
    let first = true;
    for (const [title, rows] of groups) {
      if (!rows.length) continue;
      const details = make('details', { open: first }, make('summary', {}, title), ...rows.map((row) => row.element));
      first = false;
      this.#list.append(details);
    }
    this.#list.append(make('p', { className: 'empty none', hidden: true }, text('noMatch')));
    this.#applyFilter();
  }

  #applyFilter() {
    const wanted = this.#filter.value.trim().toLowerCase();
    const found = new Set();
    for (const [row] of this.#rows.values()) {
      const hit = row.matches.includes(wanted);
      row.element.hidden = !hit;
      if (hit) found.add(row.element);
    }
    const groups = [...this.#list.querySelectorAll('details')];
    groups.forEach((details, index) => {
      const hits = [...details.querySelectorAll('.row')].filter((element) => found.has(element)).length;
      details.hidden = !hits;
      if (wanted) details.open = hits > 0;
      else details.open = index === 0;
    });
    const none = this.#list.querySelector('.none');
    if (none) none.hidden = found.size > 0;
  }
}
