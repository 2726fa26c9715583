// Who is here and how their players do.

import { $, face, hueOf, make, say } from "./dom.js";
import { may } from "./fold.js";
import { ACTION_WORDS, driftFace, troubleWords } from "./story.js";

/** Further off than this is worth a colour. */
const OFF_MICROS = 100_000;

const DOING = {
  loading: ["◐", "warn", "loading"],
  paused: ["●", "good", "paused"],
  seeking: ["◐", "info", "seeking"],
  stalled: ["◐", "warn", "loading"],
  ended: ["●", "good", "at the end"],
  advert: ["◇", "info", "in an ad"],
  needs_click: ["○", "warn", "needs a click"],
};

/** The mark, its colour and the words for a report. */
export function doingOf(report) {
  if (!report || report.activity === null) return ["○", "", ""];
  if (report.activity !== "playing") return DOING[report.activity] ?? ["○", "", ""];
  if (report.drift === null) return ["●", "good", "playing"];
  const off = Math.abs(report.drift) > OFF_MICROS;
  return [off ? "◆" : "●", off ? "warn" : "good", driftFace(report.drift)];
}

const ROLES = { host: "host", co_host: "co-host", guest: "", viewer: "viewer" };

/** Whether `me` may moderate that member; the program's `authority` has the same rule. */
export const isBelow = (state, me, member) => may(state, me, "moderate")
  && (["guest", "viewer"].includes(member.role) || (state.roster[me].role === "host" && member.role === "co_host"));

/** What `me` may do about a member: words, a longer explanation, and the intent. */
export function deedsFor(state, me, id) {
  const member = state.roster[id];
  if (id === me || !member || !isBelow(state, me, member)) return [];
  const role = (words, about, role) => ({ words, about, intent: { set_role: { member: id, role } } });
  const roles = {
    co_host: role("Make co-host", "May do what you may, but for choosing co-hosts", "co_host"),
    guest: role("Make guest", "Watches, controls and talks", "guest"),
    viewer: role("Make viewer", "Watches and talks, but does not control", "viewer"),
  };
  const wanted = ["co_host", "guest", "viewer"].filter((name) => name !== member.role
    && (name !== "co_host" || state.roster[me].role === "host"));
  const ruling = { member: id, action: "chat", lasts: null };
  const mute = may(state, id, "chat")
    ? { words: "Mute", about: "They can no longer talk", intent: { revoke: ruling } }
    : { words: "Unmute", about: "They can talk again", intent: { grant: ruling } };
  const kick = { words: "Send out", about: "They leave the party, and may come back", intent: { kick: { member: id } } };
  const ban = {
    words: "Shut out", about: "They leave and stay out; newcomers by their link knock from now on", intent: { ban: { member: id } },
  };
  return [...wanted.map((name) => roles[name]), ...grants(state, id, me), mute, kick, ban];
}

/** What can be allowed and forbidden one by one, and in which words. */
const GRANTS = [
  ["seek", "Let them move the film", "No moving the film"],
  ["queue", "Let them choose films", "No choosing films"],
];

/** A moderator grants what they have, and forbids what others have; asked for, everything. */
function grants(state, id, me) {
  const member = state.roster[id];
  const asked = (member.requests ?? []).filter((action) => !GRANTS.some(([one]) => one === action));
  const all = [...GRANTS, ...asked.map((action) => [action, `Let them ${ACTION_WORDS[action]}`, ""])];
  return all.flatMap(([action, allow, forbid]) => {
    const ruling = { member: id, action, lasts: null };
    if (may(state, id, action)) {
      return forbid ? [{ words: forbid, about: `Forbid ${ACTION_WORDS[action]}`, intent: { revoke: ruling } }] : [];
    }
    const granting = state.roster[me].role === "host" || (action !== "moderate" && may(state, me, action));
    return granting ? [{ words: allow, about: `Allow ${ACTION_WORDS[action]}`, intent: { grant: ruling } }] : [];
  });
}

/**
 * Draws the list: `presence` maps member to report, `rename` is called by the viewer's own pen,
 * `ask(intent)` by what a moderator chooses for somebody.
 */
export function showPeople(state, presence, me, rename, ask) {
  const present = Object.entries(state.roster).filter(([, member]) => member.present);
  say($("people-count"), String(present.length));
  say($("tab-count"), String(present.length));
  const list = $("people");
  const rows = new Map([...list.children].map((row) => [row.dataset.member, row]));
  for (const [id, member] of present) {
    const row = rows.get(id) ?? newRow(Number(id), Number(id) === me, rename);
    rows.delete(id);
    fill(row, state, Number(id), presence.get(Number(id)), me);
    offerDeeds(row, deedsFor(state, me, Number(id)), member.name, ask);
    if (!row.isConnected) {
      const after = [...list.children].find((other) => Number(other.dataset.member) > Number(id));
      list.insertBefore(row, after ?? null);
    }
  }
  for (const gone of rows.values()) gone.remove();
}

function newRow(id, mine, rename) {
  const row = make("li", "",
    make("span", "mark"), make("span", `name ${hueOf(id)}`), make("span", "tag"));
  row.dataset.member = String(id);
  if (mine) {
    const pen = make("button", "tool");
    pen.type = "button";
    face(pen, "pen", "Change your name");
    pen.addEventListener("click", rename);
    row.append(pen);
  }
  row.append(make("span", "doing"));
  return row;
}

/** The button behind a name, and what it opens; neither where there is nothing to do. */
function offerDeeds(row, deeds, name, ask) {
  const known = row.querySelector(".more");
  if (deeds.length === 0) {
    known?.remove();
    row.querySelector(".deeds")?.remove();
    return;
  }
  const more = known ?? newMore(row);
  face(more, "more", `What to do about ${name}`);
  const list = row.querySelector(".deeds");
  const words = deeds.map((deed) => deed.words).join();
  if (list.dataset.words === words) return;
  list.dataset.words = words;
  list.replaceChildren(...deeds.map(({ words: text, about, intent }) => {
    const button = make("button", "quiet", text);
    button.type = "button";
    button.title = about;
    button.addEventListener("click", () => {
      openDeeds(row, false);
      ask(intent);
    });
    return button;
  }));
}

function newMore(row) {
  const more = make("button", "tool more");
  more.type = "button";
  more.addEventListener("click", () => {
    const open = row.querySelector(".deeds").hidden;
    for (const other of row.parentElement.children) openDeeds(other, false);
    openDeeds(row, open);
  });
  const list = make("div", "deeds");
  list.hidden = true;
  row.append(more, list);
  more.setAttribute("aria-expanded", "false");
  return more;
}

function openDeeds(row, open) {
  const list = row.querySelector(".deeds");
  if (!list) return;
  list.hidden = !open;
  row.querySelector(".more").setAttribute("aria-expanded", String(open));
}

function fill(row, state, id, report, me) {
  const member = state.roster[id];
  const muted = may(state, id, "chat") ? "" : "muted";
  const trouble = state.unable[id];
  const [mark, colour, words] = trouble ? ["○", "warn", "cannot see it"] : doingOf(report);
  const [markElement, name, tag] = row.children;
  say(markElement, mark);
  markElement.className = `mark ${colour}`;
  say(name, member.name);
  if (name.title !== member.name) name.title = member.name;
  const unawaited = member.awaited === false ? "not waited for" : "";
  say(tag, [ROLES[member.role] ?? "", muted, unawaited, id === me ? "you" : ""].filter(Boolean).join(", "));
  const doing = row.querySelector(".doing");
  say(doing, words);
  doing.title = trouble ? troubleWords(trouble) : "";
}
