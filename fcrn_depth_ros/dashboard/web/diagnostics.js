// Copyright 2026 the fcrn_depth_ros authors
// SPDX-License-Identifier: Apache-2.0

// What each node says of itself, and every key of it.

import { entry, NODES_SPEAK, span, text } from './text.js';

const OLD_S = 3;

export class Diagnostics {
  #root = document.getElementById('diagnostics');
  #parts = new Map();

  constructor() { this.forget(); }

  forget() {
    this.#parts.clear();
    const empty = document.createElement('p');
    empty.className = 'empty';
    empty.textContent = text('noDiagnostics');
    this.#root.replaceChildren(empty);
  }

  take(nodes) {
    if (!nodes.length) return;
    this.#root.querySelector('.empty')?.remove();
    for (const node of nodes) {
      let part = this.#parts.get(node.name);
      if (!part) {
        part = this.#make(node.name);
        this.#parts.set(node.name, part);
        this.#root.append(part.details);
      }
      const level = node.age_s > OLD_S ? 3 : node.level;
      part.details.dataset.level = level;
      part.level.textContent = entry('diagnosticLevels', level);
      part.message.textContent = node.age_s > OLD_S ? text('ageOld', { age: span(node.age_s) }) : node.message;
      if (part.body.rows.length !== node.values.length) {
        part.body.replaceChildren();
        for (let i = 0; i < node.values.length; i++) {
          const row = part.body.insertRow();
          const key = document.createElement('th');
          key.scope = 'row';
          row.append(key, document.createElement('td'));
        }
      }
      node.values.forEach(([key, value], i) => {
        const [head, cell] = part.body.rows[i].children;
        head.textContent = key;
        cell.textContent = value;
      });
    }
  }

  #make(name) {
    const details = document.createElement('details');
    const summary = document.createElement('summary');
    const level = document.createElement('span');
    level.className = 'level';
    const title = document.createElement('span');
    title.className = 'name';
    title.textContent = name;
    const message = document.createElement('span');
    message.className = 'message';
    summary.append(level, title, message);
    const table = document.createElement('table');
    table.lang = message.lang = NODES_SPEAK;
    const body = table.createTBody();
    details.append(summary, table);
    return { details, level, message, body };
  }
}
