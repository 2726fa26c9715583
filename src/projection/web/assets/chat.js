// The story on the screen: talk and system lines, oldest first, kept at the newest unless
// somebody scrolled up to read.

import { $, hueOf, make, say } from "./dom.js";
import { clockFace } from "./story.js";

/** Lines in the document; older ones are in the log, not on the screen. */
const LINES_SHOWN = 400;
/** Nearer to the end than this counts as reading the newest. */
const NEAR_END_PIXELS = 48;

export class Chat {
  #waiting = [];
  #unread = 0;

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

  clear() {
    this.#waiting = [];
    $("lines").replaceChildren(make("li", "nothing", "Nothing was said yet."));
  }

  add(entry, fresh) {
    this.#waiting.push(entry);
    if (this.#waiting.length > LINES_SHOWN) this.#waiting.shift();
    if (fresh && entry.kind === "talk" && document.visibilityState === "hidden") this.#unread += 1;
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
  line.title = new Date(entry.wall).toLocaleTimeString();
  if (entry.kind === "system") {
    line.append(make("span", "", entry.text));
  } else {
    line.append(
      make("span", "moment", clockFace(entry.moment)),
      make("span", `who ${hueOf(entry.by)}`, `${entry.name}:`),
      entry.text,
    );
  }
  return line;
}

/** Reads a line to those who cannot see it. */
export function speak(text) {
  say($("spoken"), text);
}
