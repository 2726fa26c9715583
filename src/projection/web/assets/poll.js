// The question to everybody: how it stands, one's own answer, and the form that asks it.

import { $, face, make, say } from "./dom.js";
import { here, nameOf } from "./fold.js";

/** The program's limits of a poll. */
const CHOICES_MIN = 2;
const CHOICES_MAX = 8;

/**
 * What a poll shows to `me`, or null: `{ asks, question, rows: [{ label, count, share, mine, won }],
 * told, mayAnswer, mayTakeBack, mayClose, open }`. `can(action)` is what the viewer may do.
 */
export function pollView(state, me, can) {
  const { poll } = state;
  if (poll === null) return null;
  const answers = Object.entries(poll.answers);
  const mine = poll.answers[me] ?? null;
  const counts = poll.choices.map((_, choice) => answers.filter(([, one]) => one === choice).length);
  const most = Math.max(1, ...counts);
  const rows = poll.choices.map(({ label }, choice) => ({
    label, count: counts[choice], share: Math.round((100 * counts[choice]) / most),
    mine: mine === choice, won: !poll.open && poll.winner === choice,
  }));
  const asks = poll.by === null ? "The room" : poll.by === me ? "You" : nameOf(state, poll.by);
  const present = here(state);
  const answered = present.filter((id) => Object.hasOwn(poll.answers, id)).length;
  const won = poll.winner === null ? null : poll.choices[poll.winner];
  return {
    asks: poll.open ? `${asks} ${poll.by === me ? "ask" : "asks"}` : "The poll is over",
    question: poll.question,
    rows,
    told: poll.open ? `${answered} of ${present.length} answered`
      : won ? `“${won.label}” won${won.media ? " and is queued first" : ""}` : "Nobody answered",
    mayAnswer: poll.open && can("vote"),
    mayTakeBack: poll.open && mine !== null && can("vote"),
    mayClose: poll.open && (poll.by === me || can("moderate")),
    open: poll.open,
  };
}

/** What was typed as choices, without the empty ones; null where these make no poll. */
export function choicesOf(texts) {
  const choices = texts.map((text) => text.trim()).filter((text) => text !== "");
  return choices.length < CHOICES_MIN || choices.length > CHOICES_MAX ? null : choices;
}

export class Polls {
  #ask;
  /** The poll that was open while we looked: only its end is news. */
  #seen = null;
  /** The poll whose end was put away. */
  #done = null;
  #drawn = "";

  /** `ask(intent)` is called by the buttons; false from it is "not now". */
  constructor(ask) {
    this.#ask = ask;
    $("poll-back").addEventListener("click", () => this.#answer(null));
    $("poll-close").addEventListener("click", () => ask({ close_poll: { poll: this.#seen } }));
    $("poll-done").addEventListener("click", () => {
      this.#done = this.#seen;
      $("poll").hidden = true;
      $("say-input").focus();
    });
    face($("poll-done"), "close", "Put the result away");
    for (let number = 0; number < CHOICES_MIN; number += 1) this.#addChoice();
    $("poll-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const choices = choicesOf(this.#inputs.map((input) => input.value));
      if (choices !== null) ask({ open_poll: { question: $("poll-question").value.trim(), choices } });
    });
  }

  get #inputs() {
    return [...$("poll-choices").querySelectorAll("input")];
  }

  /** One's own poll stands: what was typed is done with. */
  asked() {
    $("poll-question").value = "";
    $("poll-choices").replaceChildren();
    for (let number = 0; number < CHOICES_MIN; number += 1) this.#addChoice();
  }

  /** Draws how it stands. */
  show(state, me, can) {
    const { poll } = state;
    if (poll?.open) this.#seen = poll.id;
    const view = poll !== null && poll.id === this.#seen && poll.id !== this.#done ? pollView(state, me, can) : null;
    $("poll").hidden = view === null;
    $("poll").classList.toggle("over", view !== null && !view.open);
    if (view === null) return;
    say($("poll-asks"), view.asks);
    say($("poll-question-text"), view.question);
    say($("poll-told"), view.told);
    $("poll-back").hidden = !view.mayTakeBack;
    $("poll-close").hidden = !view.mayClose;
    $("poll-done").hidden = view.open;
    const list = $("poll-list");
    // The rows stay while the poll does, so that a count that rises takes nobody's focus.
    if (this.#drawn !== String(poll.id)) {
      this.#drawn = String(poll.id);
      list.replaceChildren(...view.rows.map((_, choice) => this.#newRow(choice)));
    }
    view.rows.forEach((row, choice) => fillRow(list.children[choice].firstChild, row, view.mayAnswer));
  }

  #newRow(choice) {
    const button = make("button", "choice", make("span", "label"), make("span", "tally"), make("span", "unseen"));
    button.type = "button";
    // The pressed one takes itself back.
    button.addEventListener("click", () => this.#answer(button.getAttribute("aria-pressed") === "true" ? null : choice));
    return make("li", "", button);
  }

  #answer(choice) {
    this.#ask({ answer_poll: { poll: this.#seen, choice } });
  }

  /** Another field; the last one brings the next when something is typed into it. */
  #addChoice() {
    const number = this.#inputs.length + 1;
    const input = make("input", "");
    Object.assign(input, {
      type: "text", autocomplete: "off", maxLength: 2000, required: number <= CHOICES_MIN,
      placeholder: number === 1 ? "Choice 1, or a link to watch" : `Choice ${number}`,
    });
    input.addEventListener("input", () => {
      const inputs = this.#inputs;
      if (input.value !== "" && inputs.at(-1) === input && inputs.length < CHOICES_MAX) this.#addChoice();
    });
    const label = make("label", "grow", make("span", "unseen", `Choice ${number}`), input);
    $("poll-choices").append(make("li", "", label));
  }
}

function fillRow(button, { label, count, share, mine, won }, mayAnswer) {
  const [text, tally, told] = button.children;
  say(text, label);
  if (text.title !== label) text.title = label;
  say(tally, String(count));
  say(told, `${count === 1 ? " answer" : " answers"}${won ? ", won" : ""}`);
  button.style.setProperty("--share", `${share}%`);
  button.classList.toggle("won", won);
  button.setAttribute("aria-pressed", String(mine));
  button.disabled = !mayAnswer;
}
