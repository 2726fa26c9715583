// Asking for a grant and answering it: "May I control the film?", "Allow", "Not now".

import { $, keyed, make, say, wordButton } from "./dom.js";
import { ACTIONS, may } from "./fold.js";
import { isBelow } from "./people.js";
import { ACTION_WORDS } from "./story.js";

/** "Not now" holds for so long; for good would outlast whatever the role is allowed later. */
const NOT_NOW_MICROS = 600_000_000;

/** What is asked for in one breath, and what it is called. */
const WISHES = [
  { id: "control", words: "May I control the film?", deed: "control the film", actions: ["play", "seek", "rate"] },
  { id: "choose", words: "May I choose films?", deed: "choose what plays", actions: ["queue"] },
  { id: "talk", words: "May I talk?", deed: "talk", actions: ["chat"] },
  { id: "vote", words: "May I vote?", deed: "vote", actions: ["vote"] },
  { id: "invite", words: "May I invite people?", deed: "invite people", actions: ["invite"] },
];

/** What `me` may not do and can ask for: `[{ id, words, deed, actions, asked, denied }]`; `now` is session time. */
export function wishesOf(state, me, now) {
  const member = state.roster[me];
  if (!member) return [];
  return WISHES.flatMap(({ id, words, deed, actions }) => {
    const missing = actions.filter((action) => !may(state, me, action));
    if (missing.length === 0) return [];
    const open = missing.filter((action) => !member.requests.includes(action));
    // A "not now" stands for a while; a ruling for good may be asked about.
    const denied = open.length > 0 && open.every((action) => {
      const until = member.rulings[action]?.until ?? null;
      return until !== null && until > now;
    });
    return [{ id, words, deed, actions: open, asked: open.length === 0, denied }];
  });
}

/** What `me` is to answer: `[{ member, name, id, deed, allow, refuse }]`, the last two the intents of both answers. */
export function requestsFor(state, me) {
  const mine = state.roster[me];
  return Object.entries(state.roster).flatMap(([id, member]) => {
    if (!member.present || member.requests.length === 0 || Number(id) === me || !isBelow(state, me, member)) return [];
    const grouped = new Set(WISHES.flatMap(({ actions }) => actions));
    const others = ACTIONS.filter((action) => !grouped.has(action))
      .map((action) => ({ id: action, deed: ACTION_WORDS[action], actions: [action] }));
    return [...WISHES, ...others].flatMap(({ id: wish, deed, actions }) => {
      // What they were allowed in the meantime, by a better role, is answered.
      const asked = actions.filter((action) => member.requests.includes(action) && !may(state, Number(id), action));
      if (asked.length === 0) return [];
      const grantable = asked.filter((action) => mine.role === "host" || (action !== "moderate" && may(state, me, action)));
      const ruling = (action) => ({ member: Number(id), action });
      return [{
        member: Number(id), name: member.name, id: wish,
        deed: asked.length > 1 ? deed : ACTION_WORDS[asked[0]],
        allow: grantable.map((action) => ({ grant: { ...ruling(action), lasts: null } })),
        refuse: asked.map((action) => ({ revoke: { ...ruling(action), lasts: NOT_NOW_MICROS } })),
      }];
    });
  });
}

/** "Kim asks to control the film". */
export const requestWords = ({ name, deed }) => `${name} asks to ${deed}`;

/** Draws what the viewer may ask for: the film's control in its place, the rest in `asking`; answers how many those are. */
export function showWishes(state, me, now, ask) {
  const wishes = me === null || now === null ? [] : wishesOf(state, me, now);
  const control = wishes.find(({ id }) => id === "control") ?? null;
  $("may-i").hidden = control === null;
  if (control !== null) dress($("may-i"), control, "Not now", ask);
  const rows = wishes.filter(({ id }) => id !== "control");
  $("wishes").hidden = rows.length === 0;
  keyed($("wishes"), rows, ({ id }) => id, () => wordButton(""),
    (button, wish) => dress(button, wish, `${wish.words} Not now`, ask));
  return rows.length;
}

function dress(button, { words, deed, actions, asked, denied }, no, ask) {
  say(button, asked ? `Asked to ${deed}` : denied ? no : words);
  const title = asked ? "Waiting for an answer" : denied ? `${words} Not now; ask again later` : words;
  if (button.title !== title) button.title = title;
  button.disabled = asked || denied;
  button.onclick = () => actions.forEach((action) => ask({ request: { action } }));
}

/** Draws what the viewer has to answer. */
export function showRequests(state, me, ask) {
  const requests = me === null ? [] : requestsFor(state, me);
  $("requests").hidden = requests.length === 0;
  keyed($("requests"), requests, ({ member, id }) => `${member} ${id}`,
    () => make("li", "", make("span", "grow"), wordButton("Allow"), wordButton("Not now")),
    (row, request) => {
      const [text, allow, refuse] = row.children;
      const words = requestWords(request);
      say(text, words);
      allow.hidden = request.allow.length === 0;
      for (const [button, intents] of [[allow, request.allow], [refuse, request.refuse]]) {
        const label = `${button.textContent}: ${words}`;
        if (button.getAttribute("aria-label") !== label) button.setAttribute("aria-label", label);
        button.onclick = () => intents.forEach((intent) => ask(intent));
      }
    });
}
