// The story on the screen: talk and system lines, oldest first, kept at the newest unless
// somebody scrolled up to read. A line that was taken back is gone from here, too.

import { $, hueOf, make } from "./dom.js";
import { nameOf } from "./fold.js";
import { readAddress } from "./media.js";
import { clockFace } from "./story.js";

/** Lines in the document; older ones are in the log, not on the screen. */
const LINES_SHOWN = 400;
/** Lines read out that are kept, so that two at once are both heard. */
const SPOKEN_KEPT = 8;
/** Over a full-screen film a line stays this long, and of so many the newest. */
const OVERHEARD_MILLIS = 8_000;
const OVERHEARD_MAX = 4;
const TAKEN_BACK = "This line was taken back.";
/** Nearer to the end than this counts as reading the newest. */
const NEAR_END_PIXELS = 48;

export class Chat {
  #waiting = [];
  #unread = 0;
  #missed = 0;

  constructor() {
    this.clear();
    $("newer").addEventListener("click", () => this.#toEnd());
    $("story").addEventListener("scroll", () => {
      if (this.#atEnd) $("newer").hidden = true;
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#unread = 0;
    });
    // The field of a phone's keyboard and a turned phone change the height; the newest line stays in sight.
    new ResizeObserver(() => {
      if ($("newer").hidden) this.#toEnd();
    }).observe($("story"));
  }

  /** Lines of talk that came while the page was hidden. */
  get unread() {
    return this.#unread;
  }

  /** Lines of talk that came while another tab was open. */
  get missed() {
    if (!this.#away) this.#missed = 0;
    return this.#missed;
  }

  get #away() {
    return $("chat-pane").offsetParent === null;
  }

  clear() {
    this.#waiting = [];
    $("lines").replaceChildren(make("li", "nothing", "Nothing was said yet."));
  }

  /** `answers` is what a reply answers, or null: `{ seq, name, text }`, without a text for a line that is gone. */
  add(entry, fresh, answers = null) {
    this.#waiting.push({ ...entry, answers });
    if (this.#waiting.length > LINES_SHOWN) this.#waiting.shift();
    if (fresh && entry.kind === "talk" && this.#away) this.#missed += 1;
    if (fresh && entry.kind === "talk" && document.visibilityState === "hidden") this.#unread += 1;
  }

  /** A line was taken back: nobody reads it here any more, nor where somebody answered it. */
  takeBack(seq) {
    for (const id of ["spoken", "overheard"]) $(id).replaceChildren();
    for (const entry of this.#waiting) {
      if (entry.seq === seq && entry.kind === "talk") entry.text = null;
      if (entry.answers?.seq === seq) entry.answers.text = null;
    }
    for (const row of $("lines").children) {
      if (row.dataset.seq === String(seq)) row.querySelector(".words").replaceChildren(...words(null));
      if (row.dataset.answers === String(seq)) row.querySelector(".answers .quoted").replaceChildren(...words(null));
    }
  }

  /** Shows a line over a film that fills the screen, where there is no other talk to see. */
  overhear({ kind, name, text }) {
    if (!document.fullscreenElement) return;
    const list = $("overheard");
    const line = make("li", "", ...(kind === "talk" ? [make("span", "who", `${name}:`)] : []), make("span", "", text));
    list.append(line);
    while (list.children.length > OVERHEARD_MAX) list.firstChild.remove();
    setTimeout(() => line.remove(), OVERHEARD_MILLIS);
  }

  /** Draws what was added since. */
  show(me) {
    if (this.#waiting.length === 0) return;
    const list = $("lines");
    const atEnd = this.#atEnd;
    const mine = this.#waiting.some(({ kind, by }) => kind === "talk" && by === me);
    const talk = this.#waiting.some(({ kind }) => kind === "talk");
    list.querySelector(".nothing")?.remove();
    list.append(...this.#waiting.map(lineElement));
    this.#waiting = [];
    while (list.children.length > LINES_SHOWN) list.firstChild.remove();
    if (atEnd || mine) this.#toEnd();
    else if (talk) $("newer").hidden = false;
  }

  get #atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = $("story");
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PIXELS;
  }

  #toEnd() {
    $("story").scrollTop = $("story").scrollHeight;
    $("newer").hidden = true;
  }
}

function lineElement(entry) {
  const line = make("li", entry.kind);
  const time = new Date(entry.wall).toLocaleTimeString();
  line.title = entry.kind === "talk" ? `${time}; click to answer` : time;
  if (entry.kind === "system") {
    line.append(make("span", "", entry.text));
  } else {
    line.dataset.seq = String(entry.seq);
    if (entry.answers) {
      const { seq, name, text } = entry.answers;
      line.dataset.answers = String(seq);
      line.append(make("span", "answers", make("span", "unseen", "answers "), make("span", "who", `${name}:`),
        make("span", "quoted", ...words(text, false)), make("span", "unseen", ". ")));
    }
    line.append(
      make("span", "moment", clockFace(entry.moment)),
      make("span", `who ${hueOf(entry.by)}`, `${entry.name}:`),
      make("span", "words", ...words(entry.text)),
    );
  }
  return line;
}

/** What a reply answers, or null where the room no longer knows that line. */
export function answered(state, to) {
  const line = state.transcript.find(({ seq }) => seq === to);
  return line ? { seq: to, name: nameOf(state, line.by), text: line.text } : null;
}

const ADDRESS = /https?:\/\/[^\s<>"“”«»]+/giu;

/** The words of a line, its addresses to be opened; null for one that was taken back. */
function words(text, links = true) {
  if (text === null) return [make("span", "muted", TAKEN_BACK)];
  if (!links) return [text];
  const parts = [];
  let from = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    // What ends the sentence is no part of the address.
    const address = found.replace(/[.,;:!?'’)\]]+$/u, "");
    if (readAddress(address) === null) continue;
    const link = make("a", "", address);
    Object.assign(link, { href: address, target: "_blank", rel: "noopener noreferrer" });
    parts.push(text.slice(from, index), link);
    from = index + address.length;
  }
  return [...parts, text.slice(from)].filter((part) => part !== "");
}

/** Reads a line to those who cannot see it. */
export function speak(text) {
  $("spoken").append(make("p", "", text));
  while ($("spoken").children.length > SPOKEN_KEPT) $("spoken").firstChild.remove();
}
