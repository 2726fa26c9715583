// The ready check: who is asked, who said yes, one's own answer, and the count before the start.

import { $, hueOf, make, say } from "./dom.js";
import { here, nameOf } from "./fold.js";

/** More names than this are a number. */
const NAMES_SHOWN = 12;
/** How long before its start a film is counted down; `COUNTDOWN` of the program. */
const COUNTDOWN_MICROS = 3_000_000;

/** Who is asked and who is ready, the viewer first: `[{ member, name, ready }]`; null where nobody is asked. */
export function askedOf(state, me) {
  const { hold, roster } = state;
  if (hold?.reason !== "ready_check") return null;
  // Who came after the question, or watches on their own, was not asked.
  const asked = here(state).filter((id) => hold.waiting.includes(id)
    || (roster[id].since <= hold.since && roster[id].suspended !== "detached"));
  const mine = asked.filter((id) => id === me);
  return [...mine, ...asked.filter((id) => id !== me)].map((member) => ({
    member, name: member === me ? "you" : nameOf(state, member), ready: !hold.waiting.includes(member),
  }));
}

/** The number to show at session time `now`, before a film that is about to start; 0 for none. */
export function countAt({ playing, at }, start, now) {
  if (start === null || now === null || !playing || at !== start) return 0;
  const left = start - now;
  return left <= 0 || left > COUNTDOWN_MICROS + 500_000 ? 0 : Math.min(3, Math.ceil(left / 1e6));
}

export class ReadyCheck {
  /** The check the viewer put aside, by its event. */
  #aside = null;
  /** When the film starts that everybody is ready for, in session time. */
  #start = null;
  #timer = 0;

  /** `ask(intent)`; `redraw()` is called where only this page changed. */
  constructor(ask, redraw) {
    $("hold-ready").addEventListener("click", () => ask({ say_ready: {} }));
    $("hold-later").addEventListener("click", () => {
      this.#aside = Number($("hold").dataset.seq);
      redraw();
    });
  }

  /** A hold ended: where it was a ready check that starts the film, the count begins. */
  ended(hold, { start }) {
    this.#start = hold?.reason === "ready_check" ? start : null;
  }

  /** Draws a check in the notice of what the room waits for; false where the room waits for something else. */
  show(state, me) {
    const asked = askedOf(state, me);
    const { hold } = state;
    $("hold").classList.toggle("check", asked !== null);
    $("hold").dataset.seq = String(hold?.seq ?? "");
    const mine = asked?.find(({ member }) => member === me);
    const open = asked !== null && this.#aside !== hold.seq;
    $("hold-ready").hidden = !mine || mine.ready;
    $("hold-later").hidden = !mine || mine.ready || !open;
    $("hold-people").hidden = !open;
    if (asked === null) return false;
    const ready = asked.filter((one) => one.ready).length;
    const count = `${ready} of ${asked.length} ${asked.length === 1 ? "is" : "are"}`;
    say($("hold-text"), mine?.ready ? `You are ready; ${count}` : `Is everybody ready? ${count}`);
    if (open) showPeople(asked);
    return true;
  }

  /** Draws the count over the film, and comes back for the next number. */
  count(anchor, clock) {
    clearTimeout(this.#timer);
    const now = clock();
    const number = countAt(anchor, this.#start, now);
    $("count").hidden = number === 0;
    if (number === 0) return;
    say($("count"), String(number));
    const next = (this.#start - now) - (number - 1) * 1e6;
    this.#timer = setTimeout(() => this.count(anchor, clock), Math.max(10, next / 1000 + 5));
  }
}

function showPeople(asked) {
  const list = $("hold-people");
  const shown = asked.slice(0, NAMES_SHOWN);
  const drawn = JSON.stringify(asked);
  if (list.dataset.drawn === drawn) return;
  list.dataset.drawn = drawn;
  const rows = shown.map(({ member, name, ready }) => {
    const mark = make("span", ready ? "good" : "warn", ready ? "✓" : "○");
    mark.setAttribute("aria-hidden", "true");
    return make("li", ready ? "ready" : "", mark,
      make("span", `name ${hueOf(member)}`, name), make("span", "unseen", ready ? ", ready" : ", not yet"));
  });
  if (asked.length > shown.length) rows.push(make("li", "muted", `and ${asked.length - shown.length} others`));
  list.replaceChildren(...rows);
}
