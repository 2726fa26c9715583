// What comes next: the one line that is always there while something waits, the list behind it
// with its votes, how the queue plays, and who wants to skip what is on.

import { $, face, keyed, make, say } from "./dom.js";
import { currentItem, here, nameOf, skipsCast, skipsNeeded, upcoming } from "./fold.js";
import { MODES, REPEATS, itemLabel } from "./story.js";

/** What wanting to skip stands at, or null where there is nothing to skip or nothing to go on to. */
export function skipOffer(state, me) {
  const { queue } = state;
  const goesOn = queue.entries.length > 0 || queue.repeat === "all";
  if (currentItem(state) === null || !goesOn) return null;
  return { cast: skipsCast(state), here: here(state).length, needed: skipsNeeded(state), mine: queue.skips.includes(me) };
}

/** "1 of 4 wants to skip, 2 more needed". */
export function skipWords({ cast, here: present, needed }) {
  const missing = needed - cast;
  const more = missing > 0 ? `, ${missing} more needed` : "";
  return `${cast} of ${present} ${cast === 1 ? "wants" : "want"} to skip${more}`;
}

/** How the queue plays, in words, as far as it is not the plain way. */
export function queueWords({ queue: { mode, repeat } }) {
  const words = [];
  if (mode !== "manual") words.push(MODES[mode]);
  if (repeat !== "off") words.push(REPEATS[repeat]);
  return words.map((sentence) => `${sentence}.`).join(" ");
}

/** Once, at the beginning: `ask(intent)` is called by the controls around the list. */
export function listenToQueue(ask) {
  const choose = (id, intent) => $(id).addEventListener("change", () => {
    ask(intent($(id).value));
    // Shows what the room has until the room agrees.
    $(id).value = $(id).dataset.known;
  });
  choose("queue-mode", (mode) => ({ set_mode: { mode } }));
  choose("queue-repeat", (repeat) => ({ set_repeat: { repeat } }));
  $("shuffle").addEventListener("click", () => ask({ shuffle: {} }));
  for (const id of ["skip", "skip-too"]) {
    $(id).addEventListener("click", ({ currentTarget: { dataset } }) => {
      const item = Number(dataset.item);
      ask(dataset.mine === "yes" ? { unskip: { item } } : { skip: { item } });
    });
  }
}

/**
 * Draws the queue. `can(action)` tells what the viewer may do; `ask(intent)` is called by the
 * buttons of a row.
 */
export function showQueue(state, me, can, ask) {
  const { entries, mode } = state.queue;
  const next = upcoming(state.queue);
  const able = can("play") && can("queue");
  if (next !== null) {
    const more = entries.length > 1 ? ` · ${entries.length - 1} more` : "";
    const line = `Next: ${itemLabel(state, next.item)}${more}`;
    say($("queue-open"), line);
    if ($("queue-open").title !== line) $("queue-open").title = line;
  }
  $("queue-open").hidden = next === null;
  $("next").hidden = next === null || !able;
  const asked = showSkips(state, me, can, able);
  $("queue-line").hidden = next === null && !asked;
  $("queue-empty").hidden = entries.length > 0;
  showRules(state, can);
  keyed($("queue"), entries, ({ item }) => item, ({ item }) => newRow(item, ask),
    (row, entry) => fill(row, state, entry, me, can, mode === "vote"));
}

/** Who wants to skip, beside what comes next; whether there is anything to show there. */
function showSkips(state, me, can, able) {
  const offer = skipOffer(state, me);
  const votes = offer !== null && can("vote");
  // Who may simply go on is offered the vote with the queue, and beside it once somebody began.
  const asked = offer !== null && (offer.cast > 0 || (votes && !able));
  $("skips").hidden = offer === null || offer.cast === 0;
  if (offer !== null) say($("skips"), skipWords(offer));
  $("skip").hidden = !votes || asked;
  $("skip-too").hidden = !votes || !asked;
  if (offer === null) return false;
  const words = offer.mine ? "Do not skip" : "Vote to skip";
  say($("skip"), words);
  say($("skip-too"), offer.mine || offer.cast === 0 ? words : "Skip too");
  for (const id of ["skip", "skip-too"]) {
    $(id).dataset.item = String(state.timeline.anchor.item);
    $(id).dataset.mine = offer.mine ? "yes" : "no";
  }
  return asked;
}

/** The choosers for those who may, and for the others the words. */
function showRules(state, can) {
  const { mode, repeat, entries } = state.queue;
  for (const [id, known] of [["queue-mode", mode], ["queue-repeat", repeat]]) {
    if ($(id).dataset.known === known) continue;
    $(id).dataset.known = known;
    $(id).value = known;
  }
  $("queue-mode-line").hidden = !can("moderate");
  $("queue-repeat-line").hidden = !can("queue");
  $("shuffle").hidden = !can("queue") || entries.length < 2;
  const told = can("moderate") && can("queue") ? "" : queueWords(state);
  say($("queue-words"), told);
  $("queue-words").hidden = told === "";
}

function newRow(item, ask) {
  const vote = tool("up", "Vote", () => {
    const taken = vote.getAttribute("aria-pressed") === "true";
    ask(taken ? { unvote: { item } } : { vote: { item } });
  });
  vote.classList.add("vote");
  vote.append(make("span", "count"));
  const play = tool("play", "Play now", () => ask({ play_now: { item } }));
  const remove = tool("close", "Remove", () => ask({ queue_remove: { item } }));
  return make("li", "", make("span", "title"), make("span", "by"), vote, play, remove);
}

function tool(icon, label, act) {
  const button = make("button", "tool");
  button.type = "button";
  face(button, icon, label);
  button.addEventListener("click", act);
  return button;
}

function fill(row, state, { item, by, votes }, me, can, voting) {
  const [title, who, vote, play, remove] = row.children;
  const label = itemLabel(state, item);
  say(title, label);
  if (title.title !== label) title.title = label;
  say(who, by === null ? "" : by === me ? "you" : nameOf(state, by));
  vote.hidden = !voting;
  if (voting) {
    const mine = votes.includes(me);
    const count = votes.length === 1 ? "1 vote" : `${votes.length} votes`;
    say(vote.querySelector(".count"), String(votes.length));
    // A pressed button says by itself that the vote is cast.
    face(vote, "up", `Vote for ${label}, ${count}`, mine ? "Take your vote back" : "Vote for it");
    vote.setAttribute("aria-pressed", String(mine));
    vote.disabled = !can("vote");
  }
  face(play, "play", `Play ${label} now`, "Play now");
  face(remove, "close", `Remove ${label}`, "Remove");
  play.hidden = !(can("play") && can("queue"));
  remove.hidden = !(can("queue") && (by === me || can("moderate")));
}
