// Copyright 2026 the fcrn_depth_ros authors
// SPDX-License-Identifier: Apache-2.0

// Texts of the language that the browser asks for, where there is one.

const languages = document.documentElement.dataset.languages.split(' ');
const wanted = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => languages.includes(tag)) ?? 'en';
const texts = (await import(`./texts/${wanted}.js`)).default;
document.documentElement.lang = wanted;

/** Give a text, with {names} replaced by values. */
export function text(key, values = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Give the word for a state. */
export const word = (state) => texts.words[state] ?? state;

/** Give one of a list of texts. */
export const entry = (key, index) => texts[key][index] ?? String(index);

/** Of what nodes say. */
export const NODES_SPEAK = 'en';

/** Write into an element; what a node says is marked as such for screen readers. */
export function put(id, value, isOfNode = false) {
  const element = document.getElementById(id);
  if (element.textContent !== value) element.textContent = value;
  if (isOfNode) element.lang = NODES_SPEAK; else element.removeAttribute('lang');
}

/** Write the texts into the page. */
export function fillIn(root = document) {
  for (const element of root.querySelectorAll('[data-text]')) {
    element.textContent = text(element.dataset.text);
  }
}

/** Write a number with so many places, as the language does. */
export function decimal(value, places) {
  return value.toLocaleString(wanted, { minimumFractionDigits: places, maximumFractionDigits: places, useGrouping: false });
}

/** Write a distance. */
export function distance(metres, most = Infinity) {
  if (metres === null || metres === undefined) return text('noDistance');
  if (metres >= most) return `> ${decimal(most, 0)} m`;
  return `${decimal(metres, metres < 10 ? 2 : 1)} m`;
}

/** Write a time span. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 100) * 10)} ms`;
  return seconds < 60 ? `${decimal(seconds, 1)} s` : `${Math.floor(seconds / 60)} min`;
}

export const percent = (share) => `${Math.round(share * 100)} %`;
