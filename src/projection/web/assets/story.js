// What people read: times, drifts and the lines of the story, in the words of the program's
// `projection/view.rs`.

import { OWN_LINK, may, nameOf, statePosition } from "./fold.js";
import { labelOf } from "./media.js";

const two = (number) => String(number).padStart(2, "0");

/** `42:10`, `1:02:03`. */
export function clockFace(micros) {
  const secs = Math.floor(micros / 1e6);
  const [hours, minutes] = [Math.floor(secs / 3600), Math.floor(secs / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(secs % 60)}` : `${minutes}:${two(secs % 60)}`;
}

/** `0:42:10`: of one width all through a film, so that nothing jumps. */
export function longFace(micros) {
  const secs = Math.floor(micros / 1e6);
  return `${Math.floor(secs / 3600)}:${two(Math.floor(secs / 60) % 60)}:${two(secs % 60)}`;
}

/** `1×`, `1.25×`. */
export const rateFace = (rate) => `${rate / 1000}×`;

/** `4 s`, `12 min`, `3 h 5 min`. */
export function span(micros) {
  const secs = Math.floor(Math.abs(micros) / 1e6);
  if (secs < 90) return `${secs} s`;
  if (secs < 5400) return `${Math.floor(secs / 60)} min`;
  return `${Math.floor(secs / 3600)} h ${Math.floor(secs / 60) % 60} min`;
}

/** `+12 ms`, `-1.4 s`, `in step`. */
export function driftFace(micros) {
  const off = Math.abs(micros);
  const sign = micros < 0 ? "-" : "+";
  if (off < 1000) return "in step";
  if (off < 1_000_000) return `${sign}${Math.trunc(off / 1000)} ms`;
  return `${sign}${(off / 1e6).toFixed(1)} s`;
}

const LEFT = {
  quit: "left",
  lost: "lost the connection",
  dropped: "was disconnected",
  ended: "was there until the end",
};

/**
 * The line an event makes, given the state *before* it; null for events nobody needs to read.
 * `{ seq, at, moment, wall, by, name, kind: "talk" | "system", text }`.
 */
export function lineOf(before, event) {
  const kind = Object.keys(event.body)[0];
  const body = event.body[kind];
  const entry = {
    seq: event.seq,
    at: event.at,
    moment: statePosition(before, event.at),
    wall: event.wall,
    by: event.by,
    name: event.by === null ? "The room" : nameOf(before, event.by),
    kind: "system",
    text: "",
  };
  switch (kind) {
    case "opened":
      entry.text = `“${body.title}” was opened`;
      return entry;
    case "epoch_started":
      entry.text = `The host was away for ${span(body.gap)}`;
      return body.gap === 0 ? null : entry;
    case "joined":
      entry.name = body.name;
      entry.text = `${body.name} ${before.roster[body.member] ? "is back" : "joined"}`;
      return entry;
    case "left":
      entry.name = nameOf(before, body.member);
      entry.text = `${entry.name} ${LEFT[body.reason] ?? "left"}`;
      return entry;
    case "renamed":
      entry.text = `${entry.name} is now called ${body.name}`;
      return entry;
    case "media_set": {
      entry.moment = body.start;
      const from = body.start > 0 ? ` from ${clockFace(body.start)}` : "";
      entry.text = `${entry.name} loaded ${body.title ?? labelOf(body.media)}${from}`;
      return entry;
    }
    case "played":
      entry.moment = body.position;
      entry.text = `${entry.name} pressed play at ${clockFace(body.position)}`;
      return entry;
    case "paused":
      entry.moment = body.position;
      entry.text = event.by === null && event.cause !== null
        ? `Paused at ${clockFace(body.position)}, where the host was last seen`
        : `${entry.name} paused at ${clockFace(body.position)}`;
      return entry;
    case "seeked":
      entry.text = `${entry.name} went from ${clockFace(entry.moment)} to ${clockFace(body.position)}`;
      return entry;
    case "rate_set":
      entry.text = `${entry.name} set the speed to ${rateFace(body.rate)}`;
      return entry;
    case "said":
    case "replied":
      entry.kind = "talk";
      entry.moment = body.moment;
      entry.text = body.text;
      return entry;
    default: {
      const text = Object.hasOwn(TOLD, kind) ? TOLD[kind](before, body, entry.name, event) : null;
      if (text === null) return null; // measured, and kinds from a newer program
      entry.text = text;
      return entry;
    }
  }
}

/** `Ana`, `Ana and Bob`, `Ana, Bob and 3 others`. */
const people = (state, members) => listed(members.map((member) => nameOf(state, member)));

function listed(names) {
  const [first, second, third] = names;
  switch (names.length) {
    case 0: return "nobody";
    case 1: return first;
    case 2: return `${first} and ${second}`;
    case 3: return `${first}, ${second} and ${third}`;
    default: return `${first}, ${second} and ${names.length - 2} others`;
  }
}

const ON_THE_WAY = ["loading", "seeking", "stalled", "advert"];
/** Why the room waits, and the activities of those who are not ready yet. */
const WAITS = {
  load: [": loading", ON_THE_WAY],
  seek: [": seeking", ON_THE_WAY],
  stall: [": loading", ["stalled"]],
  ad: [": in an ad", ["advert"]],
};

/**
 * The sentence of the room's wait, or null: for whom, as far as their players tell, and why.
 * The fold knows who was not ready as the wait began; who still is not, `presence` (a Map) tells.
 */
export function waitingLine(state, presence, me) {
  const { hold } = state;
  if (hold === null) return null;
  const [why, late] = WAITS[hold.reason] ?? ["", null];
  const here = hold.waiting.filter((member) => state.roster[member]?.present);
  const notReady = here.filter((member) => {
    const activity = presence.get(member)?.activity ?? null;
    return activity === null || late === null || late.includes(activity);
  });
  const whom = notReady.length === 0 ? here : notReady;
  // The viewer first: that is whom they can do something about.
  const first = whom.includes(me) ? ["you"] : [];
  const names = [...first, ...whom.filter((member) => member !== me).map((member) => nameOf(state, member))];
  if (hold.reason === "ready_check") return `Is everybody ready? Waiting for ${listed(names)}`;
  return `Waiting for ${listed(names)}${why}`;
}

/** A film left nearer to its end than this ended, for those who watched it: as the room has it. */
const END_SHOWN = 3_000_000;

/**
 * The last thing somebody did to the film or the queue, if it is worth offering to take it back:
 * not where the room itself went on, at the end of a film. Null for nothing.
 */
export function undoable(state) {
  const deed = state.history.at(-1);
  if (!deed || deed.by === null) return null;
  const { cue } = deed.remedy;
  const length = cue ? state.timeline.items[cue.item]?.duration ?? null : null;
  return length !== null && length - cue.position <= END_SHOWN ? null : deed;
}

const OF_THE_FILM = ["pause", "play", "seek", "rate", "cue"];

/** The deed of that event while it can be taken back, or null: `undo_of` of the program. */
export function undoOf(state, seq) {
  const deed = state.history.find((one) => one.seq === seq);
  if (!deed) return null;
  const [remedy] = Object.keys(deed.remedy);
  return OF_THE_FILM.includes(remedy) && deed.item !== state.timeline.anchor.item ? null : deed;
}

const REMEDY_NEEDS = { pause: ["play"], play: ["play"], seek: ["seek"], rate: ["rate"], cue: ["play", "queue"] };

/** Whether that member may take that deed back; `Remedy::needs` of the program. */
export const mayUndo = (state, member, deed) =>
  (REMEDY_NEEDS[Object.keys(deed.remedy)[0]] ?? ["queue"]).every((action) => may(state, member, action));

/** Whom a link lets in. */
export const ROLE_PEOPLE = { host: "the host", co_host: "co-hosts", guest: "guests", viewer: "viewers" };

/** What a link's terms add to a sentence: "", ", for 2 h 0 min", ", for 3 people". */
export function inviteTerms(lasts, uses) {
  const time = lasts === null ? "" : `, for ${span(lasts)}`;
  if (uses === null) return time;
  return `${time}, for ${uses === 1 ? "one person" : `${uses} people`}`;
}

/** What people call a role. */
export const roleWord = (role) => (role === "co_host" ? "co-host" : role);

/** What people say for an action: "you may not …". */
export const ACTION_WORDS = {
  play: "play or pause",
  seek: "move the film",
  rate: "change the speed",
  queue: "choose what plays",
  vote: "vote",
  chat: "talk",
  invite: "invite people",
  moderate: "moderate",
};

const SUSPENDED = {
  ad: "sees an advertisement",
  stall: "ran out of data",
  needs_click: "has to click before the film plays",
  detached: "watches on their own for a while",
  cannot_play: "cannot play this",
};
/** Why somebody does not see the film, as the end of a sentence; `Inability::words` of the program. */
const UNABLE = {
  unavailable: "it is not available there",
  region: "it is not shown in their country",
  age: "the site wants to know their age",
  not_embeddable: "it plays on its own site only",
  sign_in: "the site wants them to sign in",
  asks: "the site asks them something first",
  not_live: "it has not begun, or is over",
  unreachable: "the site does not answer them",
  format: "their player cannot play this kind of film",
  protected: "their browser cannot open protected films",
  no_copy: "they have no copy of it",
  other_player: "it needs another player than theirs",
  left: "their player went elsewhere",
  other: "it does not play there",
};

/** The same of what is known of a member, or told. */
export const troubleWords = ({ why, words }) => words ?? UNABLE[why] ?? UNABLE.other;

/** How the queue plays. */
export const MODES = {
  manual: "The queue plays as it stands",
  vote: "The queue plays what has most votes",
  round_robin: "Everybody's films take turns",
};
/** What comes when a film ended. */
export const REPEATS = { off: "Nothing repeats", one: "The film repeats", all: "The queue repeats" };

/** The name of an item. */
export function itemLabel(state, item) {
  const known = state.timeline.items[item];
  return known ? known.title ?? labelOf(known.media) : `item ${item}`;
}

/** The sentences of what is neither talk nor a plain move of the film. */
const TOLD = {
  hold_started(before, { reason, waiting }, name, { by, cause }) {
    if (reason === "ready_check") return `${name} asks: is everybody ready?`;
    const pressed = by !== null && cause === null;
    const play = pressed ? `${name} pressed play; waiting for` : "Waiting for";
    const why = {
      load: " to load", seek: " to get there", stall: ", who ran out of data", ad: ", who sees an advertisement",
    };
    return `${play} ${people(before, waiting)}${why[reason]}`;
  },
  hold_ended(before, { how, missing }, name) {
    if (how === "ready") {
      return before.hold?.reason === "ready_check" ? "Everybody is ready: 3, 2, 1" : "Going on";
    }
    if (how === "expired") return `Not waiting any longer for ${people(before, missing)}`;
    if (how !== "forced") return null;
    return missing.length === 0 ? `${name} started` : `${name} started without ${people(before, missing)}`;
  },
  said_ready: (_before, _body, name) => `${name} is ready`,
  suspended: (before, { member, reason }) => `${nameOf(before, member)} ${SUSPENDED[reason]}`,
  unable: (_before, trouble, name) => (trouble.why === null
    ? `${name} sees the film now`
    : `${name} cannot see the film: ${troubleWords(trouble)}`),
  returned: (before, { member }) => `${nameOf(before, member)} is back in step`,
  awaited: (before, { member, awaited }) => (awaited
    ? `Waiting for ${nameOf(before, member)} again`
    : `Not waiting for ${nameOf(before, member)} for now`),
  host_gap: (_before, { gap }) => `The host's computer stood still for ${span(gap)}`,
  ruled(before, { member, action, allow, until }, name, { at }) {
    const who = nameOf(before, member);
    const what = ACTION_WORDS[action];
    const lasts = until === null ? "" : ` for ${span(until - at)}`;
    if (allow === null) return `What was ruled for ${who} is over: ${what}`;
    if (allow) return `${name} let ${who} ${what}${lasts}`;
    return action === "chat" ? `${name} muted ${who}${lasts}` : `${name} does not let ${who} ${what}${lasts}`;
  },
  requested: (_before, { action }, name) => `${name} asks to ${ACTION_WORDS[action]}`,
  role_set: (before, { member, role }, name) => `${name} made ${nameOf(before, member)} a ${roleWord(role)}`,
  host_changed: (before, { member }, name, { by }) => (by === null
    ? `${nameOf(before, member)} is the host now`
    : `${name} made ${nameOf(before, member)} the host`),
  kicked: (before, { member }, name) => `${name} sent ${nameOf(before, member)} out`,
  banned: (before, { member, banned }, name) => (banned
    ? `${name} shut ${nameOf(before, member)} out`
    : `${name} lets ${nameOf(before, member)} in again`),
  permitted: (_before, { role, action, allow }) =>
    `Every ${roleWord(role)} ${allow ? "may" : "may not"} ${ACTION_WORDS[action]} now`,
  slow_set: (_before, { every }) => (every === 0 ? "Slow mode is off" : `Slow mode: one line every ${span(every)}`),
  wait_set: (_before, { reason, wait }) =>
    `The room does ${wait ? "" : "not "}wait for ${reason === "ad" ? "advertisements" : "stalls"}`,
  queued: (_before, { media, title }, name) => `${name} queued ${title ?? labelOf(media)}`,
  unqueued: (before, { item }, name) => `${name} took ${itemLabel(before, item)} off the queue`,
  requeued: (before, { item }, name) => `${name} put ${itemLabel(before, item)} back`,
  queue_moved: (before, { item, place }, name) => `${name} moved ${itemLabel(before, item)} to place ${place + 1}`,
  cued: (before, { item }) => `Now on: ${itemLabel(before, item)}`,
  shuffled: (_before, _body, name) => `${name} shuffled the queue`,
  reordered: (_before, _body, name) => `${name} put the queue back in order`,
  mode_set: (_before, { mode }) => MODES[mode],
  repeat_set: (_before, { repeat }) => REPEATS[repeat],
  vote_cast: (before, { item }, name) => `${name} votes for ${itemLabel(before, item)}`,
  vote_withdrawn: (before, { item }, name) => `${name} no longer votes for ${itemLabel(before, item)}`,
  skip_voted: (_before, _body, name) => `${name} votes to skip`,
  skip_withdrawn: (_before, _body, name) => `${name} no longer votes to skip`,
  skip_share_set: (_before, { percent }) => `More than ${percent} % of those present skip a film`,
  poll_opened: (_before, { question, choices }, name) =>
    `${name} asks: ${question} (${choices.map((choice) => choice.label).join(" · ")})`,
  poll_answered(before, { choice }, name) {
    const chosen = choice === null ? null : before.poll?.choices[choice];
    return chosen ? `${name} chose ${chosen.label}` : `${name} takes their answer back`;
  },
  poll_closed(before, { winner }) {
    const won = winner === null ? null : before.poll?.choices[winner];
    return won ? `The poll is over: ${won.label}` : "The poll is over; nobody answered";
  },
  reacted: (before, { tallies }) => tallies
    .map(({ reaction, count, by }) => `${reaction} ${count === 1 ? people(before, by) : `×${count}`}`)
    .join("  "),
  invite_made: (_before, { role, until, uses }, name, { at }) =>
    `${name} made a link for ${ROLE_PEOPLE[role]}${inviteTerms(until === null ? null : until - at, uses)}`,
  invite_revoked: (_before, { invite }, name) =>
    (invite === OWN_LINK ? `${name} revoked the party's own link` : `${name} revoked link ${invite}`),
  approval_set: (_before, { on }) =>
    (on ? "Newcomers knock and wait to be let in" : "Newcomers come in without knocking"),
  passcode_set: (_before, { on }, name) =>
    (on ? `${name} set a passcode for newcomers` : "Newcomers need no passcode"),
  knock_answered: (_before, { name: who, let_in: letIn }, name) =>
    (letIn ? `${name} let ${who} in` : `${name} turned ${who} away`),
  redacted(before, { seq }, name, { by }) {
    const author = before.transcript.find((line) => line.seq === seq)?.by ?? null;
    return author === null || author === by ? `${name} took a line back` : `${name} took back a line of ${nameOf(before, author)}`;
  },
};
