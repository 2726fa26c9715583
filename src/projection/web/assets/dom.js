// The few things every part of the page does to the document. Text goes in as text nodes,
// never as markup; the page's Trusted Types policy makes anything else an error.

import { icon } from "./icons.js";

/** The element of that id; index.html has every one that is asked for. */
export const $ = (id) => document.getElementById(id);

/** A new element with a class and children or text. */
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Sets text only where it differs, so that screen readers and selections are left alone. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A button that is only words. */
export function wordButton(words) {
  const button = make("button", "quiet", words);
  button.type = "button";
  return button;
}

/**
 * Keeps a list's rows in step with `items`. A row stays itself while its `key(item)` stays, so that
 * focus, and a press under way, survive what changes beside it; `build(item)` makes one, `fill(row, item)`
 * says what it shows.
 */
export function keyed(list, items, key, build, fill) {
  const names = items.map((item) => String(key(item)));
  for (const row of [...list.children]) if (!names.includes(row.dataset.key)) row.remove();
  const rows = new Map([...list.children].map((row) => [row.dataset.key, row]));
  items.forEach((item, place) => {
    const row = rows.get(names[place]) ?? build(item);
    row.dataset.key = names[place];
    fill(row, item);
    if (list.children[place] !== row) list.insertBefore(row, list.children[place] ?? null);
  });
}

/** Puts an icon before a button's words, and says what the button does. */
export function face(button, name, label, title = label) {
  if (button.dataset.icon !== name) {
    button.querySelector("svg")?.remove();
    button.prepend(icon(name));
    button.dataset.icon = name;
  }
  if (button.getAttribute("aria-label") !== label) button.setAttribute("aria-label", label);
  if (button.title !== title) button.title = title;
}

/** What this browser remembers of the viewer's taste; forgets quietly where storage is forbidden. */
export const taste = {
  get(key) {
    try {
      return localStorage.getItem(`seance.${key}`);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(`seance.${key}`, value);
    } catch {
      // Private windows may refuse; the choice then lasts as long as the page.
    }
  },
};

/** The class of a member's colour: by number, far apart for neighbours, the same on every screen. */
export const hueOf = (member) => (member === null ? "" : `m${(member * 5) % 12}`);
