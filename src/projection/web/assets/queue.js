// What comes next: the one line that is always there while something waits, and the list behind it.

import { $, face, make, say } from "./dom.js";
import { nameOf, upcoming } from "./fold.js";
import { itemLabel } from "./story.js";

/**
 * Draws the queue. `can(action)` tells what the viewer may do; `ask(intent)` is called by the
 * buttons of a row.
 */
export function showQueue(state, me, can, ask) {
  const { entries } = state.queue;
  const next = upcoming(state.queue);
  $("queue-line").hidden = next === null;
  $("next").disabled = !(can("play") && can("queue"));
  if (next !== null) {
    const more = entries.length > 1 ? ` · ${entries.length - 1} more` : "";
    const line = `Next: ${itemLabel(state, next.item)}${more}`;
    say($("queue-open"), line);
    $("queue-open").title = line;
  }
  $("queue-empty").hidden = entries.length > 0;
  const list = $("queue");
  const rows = new Map([...list.children].map((row) => [row.dataset.item, row]));
  entries.forEach((entry, place) => {
    const key = String(entry.item);
    const row = rows.get(key) ?? newRow(entry.item, ask);
    rows.delete(key);
    fill(row, state, entry, me, can);
    if (list.children[place] !== row) list.insertBefore(row, list.children[place] ?? null);
  });
  for (const gone of rows.values()) gone.remove();
}

function newRow(item, ask) {
  const play = tool("play", "Play now", () => ask({ play_now: { item } }));
  const remove = tool("close", "Remove", () => ask({ queue_remove: { item } }));
  const row = make("li", "", make("span", "title"), make("span", "by"), play, remove);
  row.dataset.item = String(item);
  return row;
}

function tool(icon, label, act) {
  const button = make("button", "tool");
  button.type = "button";
  face(button, icon, label);
  button.addEventListener("click", act);
  return button;
}

function fill(row, state, { item, by }, me, can) {
  const [title, who, play, remove] = row.children;
  const label = itemLabel(state, item);
  say(title, label);
  if (title.title !== label) title.title = label;
  say(who, by === null ? "" : by === me ? "you" : nameOf(state, by));
  face(play, "play", `Play ${label} now`, "Play now");
  face(remove, "close", `Remove ${label}`, "Remove");
  play.hidden = !(can("play") && can("queue"));
  remove.hidden = !(can("queue") && (by === me || can("moderate")));
}
