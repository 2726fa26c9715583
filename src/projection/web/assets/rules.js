// The rules a moderator sets for everybody: slow mode, when a film is skipped, whom the room waits for.

import { $ } from "./dom.js";
import { span } from "./story.js";

/** How far apart two lines of a guest are, in microseconds. */
const SLOWS = [0, 5e6, 10e6, 30e6, 60e6, 300e6];
/** More than so many percent of those here skip a film. */
const SHARES = [[0, "one wants it"], [50, "more than half want it"], [75, "more than three quarters want it"], [100, "everybody wants it"]];

/** What the message field says to who may talk: with slow mode, how often. */
export function sayHint({ rules: { slow }, roster }, me) {
  const held = slow > 0 && ["guest", "viewer"].includes(roster[me]?.role);
  return held ? `Message (one every ${span(slow)})` : "Message";
}

/** Once, at the beginning: `ask(intent)` is called by what is chosen. */
export function listenToRules(ask) {
  const choose = (id, intent) => $(id).addEventListener("change", () => {
    ask(intent(Number($(id).value)));
    $(id).value = $(id).dataset.known; // until the room agrees
  });
  choose("rule-slow", (every) => ({ set_slow: { every } }));
  choose("rule-skip", (percent) => ({ set_skip_share: { percent } }));
  for (const [id, reason] of [["rule-stall", "stall"], ["rule-ad", "ad"]]) {
    $(id).addEventListener("change", () => ask({ set_wait: { reason, wait: $(id).checked } }));
  }
}

/** Draws them for those who may set them. */
export function showRules({ rules }, can) {
  $("rules").hidden = !can("moderate");
  if ($("rules").hidden) return;
  choices($("rule-slow"), SLOWS.map((every) => [every, every === 0 ? "off" : `one line every ${span(every)}`]),
    [rules.slow, `one line every ${span(rules.slow)}`]);
  choices($("rule-skip"), SHARES, [rules.skip_percent, `more than ${rules.skip_percent} % want it`]);
  for (const [id, wait] of [["rule-stall", rules.wait_stalls], ["rule-ad", rules.wait_ads]]) {
    if ($(id).checked !== wait) $(id).checked = wait;
  }
}

/** What can be chosen, and what was set elsewhere, which may be none of ours. */
function choices(select, offered, known) {
  const all = offered.some(([value]) => value === known[0]) ? offered : [...offered, known];
  const drawn = JSON.stringify([all, known[0]]);
  if (select.dataset.drawn === drawn) return;
  select.dataset.drawn = drawn;
  select.dataset.known = String(known[0]);
  select.replaceChildren(...all.map(([value, words]) => new Option(words, String(value))));
  select.value = String(known[0]);
}
