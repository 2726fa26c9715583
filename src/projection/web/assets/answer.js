// Answering a line of the talk, or taking it back.
//
// A line is picked by a press on it, or by the arrow up from an empty message. It then stands
// above the message until the answer is sent or the line is put away.

import { $, face, say } from "./dom.js";
import { nameOf } from "./fold.js";

/** The line to answer, with what `me` may do about it; null where there is nothing to do. `can(action)` as everywhere. */
export function lineToAnswer(state, me, can, seq) {
  const line = state.transcript.find((one) => one.seq === seq);
  if (!line || line.text === null) return null;
  const [answer, takeBack] = [can("chat"), line.by === me || can("moderate")];
  return answer || takeBack ? { name: line.by === me ? "yourself" : nameOf(state, line.by), text: line.text, answer, takeBack } : null;
}

export class Answering {
  #room;
  #seq = null;

  /** `room`: `state()`, `me()`, `can(action)`, `ask(intent, via)`. */
  constructor(room) {
    this.#room = room;
    face($("answering-off"), "close", "Answer no line");
    $("answering-off").addEventListener("click", () => {
      this.drop();
      $("say-input").focus();
    });
    $("take-back").addEventListener("click", () => {
      room.ask({ redact: { seq: this.#seq } }, "page");
      this.drop();
      $("say-input").focus();
    });
    $("lines").addEventListener("click", ({ target, pointerType }) => {
      const row = target.closest("li.talk");
      // Who opens an address or marks words means these.
      if (!row || target.closest("a") || !getSelection().isCollapsed) return;
      const seq = Number(row.dataset.seq);
      this.#pick(seq === this.#seq ? null : seq);
      // A phone's keyboard would cover half of what is looked at.
      const mouse = pointerType ? pointerType === "mouse" : matchMedia("(pointer: fine)").matches;
      if (this.#seq !== null && mouse) $("say-input").focus();
    });
    $("say-input").addEventListener("keydown", (event) => {
      if (!["ArrowUp", "ArrowDown"].includes(event.key) || $("say-input").value !== "") return;
      event.preventDefault();
      this.#step(event.key === "ArrowUp" ? -1 : 1);
    });
  }

  /** The picked line, or null. */
  get to() {
    return this.#seq;
  }

  /** What to ask for, to say that. */
  intent(text) {
    return this.#seq === null ? { say: { text } } : { reply: { to: this.#seq, text } };
  }

  drop() {
    this.#pick(null);
  }

  /** Draws the picked line; one that is gone by now is put away. */
  draw() {
    const { state, me, can } = this.#room;
    const line = this.#seq === null ? null : lineToAnswer(state(), me(), can, this.#seq);
    if (line === null && can("chat")) this.#seq = null;
    $("answering").hidden = line === null;
    for (const row of $("lines").querySelectorAll(".picked")) {
      if (line === null || row.dataset.seq !== String(this.#seq)) row.classList.remove("picked");
    }
    if (line === null) return;
    $("lines").querySelector(`[data-seq="${this.#seq}"]`)?.classList.add("picked");
    say($("answering-text"), `${line.answer ? "Answering" : "A line of"} ${line.name}: ${line.text}`);
    $("take-back").hidden = !line.takeBack;
  }

  #pick(seq) {
    this.#seq = seq;
    this.draw();
    $("lines").querySelector(".picked")?.scrollIntoView({ block: "nearest" });
  }

  #step(by) {
    const { state, me, can } = this.#room;
    const lines = state().transcript.map(({ seq }) => seq).filter((seq) => lineToAnswer(state(), me(), can, seq) !== null);
    const from = this.#seq === null ? lines.length : lines.indexOf(this.#seq);
    this.#pick(lines[Math.max(0, from + by)] ?? null);
  }
}
