// What is true now: the same fold as the program's `engine/fold`, so that a page and a
// desktop that hold the same events hold the same state, byte for byte of its JSON.
//
// Promises: total (any event gives some state), no clock, no fraction, no order that a
// Map or a locale could change. Times are whole microseconds below 2^53.
// Does not judge the order of events: that is `Replay` at the end of this file.

import { hostOf } from "./media.js";

/** The last whole number a double counts exactly; every time here stops there. */
export const MICROS_MAX = Number.MAX_SAFE_INTEGER;

/** How many accepted intents of a member keep their answer; `ANSWERS_KEPT` of the program. */
const ANSWERS_KEPT = 32;
/** How many lines of talk a state keeps; `LINES_KEPT` of the program. */
const LINES_KEPT = 100;
/** How many deeds can be taken back; `DEEDS_KEPT` of the program. */
const DEEDS_KEPT = 20;
/** How many items a session remembers; `ITEMS_KEPT` of the program. */
const ITEMS_KEPT = 1000;
/** What can be granted, in the program's order: its sets and maps are written in it. */
export const ACTIONS = ["play", "seek", "rate", "queue", "vote", "chat", "invite", "moderate"];
/** How many links there are besides the party's own; `INVITES_MAX` of the program. */
const INVITES_MAX = 64;
/** The number of the party's own link; `OWN_LINK` of the program. */
export const OWN_LINK = 0;
/** Roles, most trusted first. */
export const ROLES = ["host", "co_host", "guest", "viewer"];

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** A point on a time line, moved by an interval, held on the line. */
export const moved = (point, by) => clamp(point + by, 0, MICROS_MAX);

/** How much film passes in `elapsed` at `rate` thousandths, rounded down. */
export function filmIn(elapsed, rate) {
  // In two parts: the product of a long evening and a rate leaves the exact integers.
  const thousands = Math.floor(elapsed / 1000);
  const rest = elapsed - thousands * 1000;
  return clamp(thousands * rate + Math.floor((rest * rate) / 1000), -MICROS_MAX, MICROS_MAX);
}

/** Where the film of an anchor stands at session time `now`, inside `[0, duration]`. */
export function positionAt(anchor, now, duration) {
  const end = duration === null ? MICROS_MAX : moved(0, duration);
  if (!anchor.playing || now <= anchor.at) return Math.min(anchor.position, end);
  return Math.min(moved(anchor.position, filmIn(now - anchor.at, anchor.rate)), end);
}

/** The state before the first event. */
export function emptyState() {
  return {
    seq: 0,
    epoch: 0,
    stamp: 0,
    at: 0,
    session: null,
    title: null,
    opener: null,
    roster: Object.create(null),
    rules: { slow: 0, wait_stalls: true, wait_ads: false, skip_percent: 50, permits: {} },
    timeline: {
      anchor: { item: 0, generation: 0, at: 0, position: 0, rate: 1000, playing: false },
      items: Object.create(null),
      hosts: [],
    },
    hold: null,
    queue: { entries: [], mode: "manual", repeat: "off", turn: null, skips: [] },
    poll: null,
    history: [],
    transcript: [],
    entrance: {
      invites: Object.create(null), own_revoked: false, approval: false, passcode: false, came_by: Object.create(null),
    },
    unable: Object.create(null),
  };
}

/** The item that is on, or null. */
export const currentItem = (state) => state.timeline.items[state.timeline.anchor.item] ?? null;

/** The length of the item that is on in microseconds, or null. */
export const currentDuration = (state) => currentItem(state)?.duration ?? null;

/** Where the film stands at session time `now`. */
export const statePosition = (state, now) =>
  positionAt(state.timeline.anchor, now, currentDuration(state));

/** What a member is called; a plain word for one who is not known. */
export const nameOf = (state, member) => state.roster[member]?.name ?? "somebody";

/** Folds one event into `state`, in place. */
export function apply(state, event) {
  state.seq = event.seq;
  state.epoch = event.epoch;
  state.stamp = Math.max(state.stamp, event.stamp);
  state.at = event.at;
  if (event.by !== null && event.intent !== null) remember(state, event);
  const kind = Object.keys(event.body)[0];
  if (Object.hasOwn(FOLDS, kind)) FOLDS[kind](state, event.body[kind], event);
  if (Object.hasOwn(DEEDS, kind)) {
    const remedy = DEEDS[kind](state, event.body[kind], event);
    if (remedy !== null) note(state, event, remedy);
  }
}

/** Whether a role may do that while nobody ruled otherwise; `Role::may` of the program. */
const roleMay = (role, action) =>
  role === "host" || role === "co_host"
  || (role === "guest" ? action !== "moderate" : action === "vote" || action === "chat");

/** Whether that member may do that, here and now; `RoomState::may` of the program. */
export function may(state, id, action) {
  const member = state.roster[id];
  if (!member) return false;
  if (member.role === "host") return true;
  return member.rulings[action]?.allow
    ?? state.rules.permits[member.role]?.[action]
    ?? roleMay(member.role, action);
}

/** Whether a link opens at session time `now`; `Invite::opens` of the program. */
export const opens = ({ until, uses, used }, now) =>
  (until === null || now < until) && (uses === null || used < uses);

/** What comes next by the queue's mode, or null; `Queue::upcoming` of the program. */
export function upcoming({ entries, mode, turn }) {
  if (entries.length === 0) return null;
  if (mode === "vote") {
    return entries.reduce((best, entry) => (entry.votes.length > best.votes.length ? entry : best));
  }
  if (mode === "round_robin") {
    // The room itself (null) comes in front of everybody.
    const rank = (by) => by ?? -1;
    const ranks = entries.map((entry) => rank(entry.by));
    const after = ranks.filter((one) => one > rank(turn));
    const least = Math.min(...(after.length > 0 ? after : ranks));
    return entries.find((entry) => rank(entry.by) === least);
  }
  return entries[0];
}

/** The numbers of those who are here. */
export const here = ({ roster }) => Object.keys(roster).filter((id) => roster[id].present).map(Number);

/** How many skip votes of those present skip what is on; `RoomState::skips_needed` of the program. */
export function skipsNeeded(state) {
  const present = here(state).length;
  return Math.max(1, Math.min(present, Math.floor((present * state.rules.skip_percent) / 100) + 1));
}

/** How many of those present want what is on to be skipped; `RoomState::skips_cast` of the program. */
export const skipsCast = (state) => here(state).filter((id) => state.queue.skips.includes(id)).length;

const insert = (list, place, value) => list.splice(Math.min(place, list.length), 0, value);
const without = (list, value) => list.filter((one) => one !== value);
const withNumber = (list, value) =>
  (list.includes(value) ? list : [...list, value].sort((a, b) => a - b));
/** The same entries, in the order of `names`, with one more. */
function ordered(map, names, name, value) {
  const all = { ...map, [name]: value };
  const sorted = {};
  for (const key of names) if (Object.hasOwn(all, key)) sorted[key] = all[key];
  return sorted;
}
const placeOf = (queue, item) => queue.entries.findIndex((entry) => entry.item === item);
const running = ({ timeline, hold }) => timeline.anchor.playing || hold !== null;

function gone(state, id) {
  away(state.roster[id], state.at);
  delete state.unable[id];
  state.queue.skips = without(state.queue.skips, id);
}

function away(member, at) {
  if (!member) return;
  Object.assign(member, { present: false, since: at, requests: [], suspended: null });
}

function change(state, id, fields) {
  if (id !== null && state.roster[id]) Object.assign(state.roster[id], fields);
}

/** Keeps what takes a deed back; `History::note` of the program. */
function note(state, header, remedy) {
  const deeds = state.history;
  if (header.cause !== null) {
    const place = deeds.findIndex((deed) => deed.seq === header.cause);
    const undone = place >= 0
      && (deeds[place].by !== header.by || deeds[place].intent !== header.intent);
    // What one intent calls for besides its first event is taken back with that.
    if (!undone) return;
    deeds.splice(place, 1);
  }
  if (deeds.length === DEEDS_KEPT) deeds.shift();
  const { seq, by, intent } = header;
  deeds.push({ seq, by, intent, item: state.timeline.anchor.item, remedy });
}

/** What brings back the item that is about to be replaced, if one is on. */
function cueBack(state, place) {
  if (currentItem(state) === null) return null;
  const { item } = state.timeline.anchor;
  return {
    cue: { item, position: statePosition(state, state.at), playing: running(state), place },
  };
}

function addItem(state, { item, media, title, start }, { by }) {
  const { roster, timeline } = state;
  const host = hostOf(media);
  const byHost = by === null || roster[by]?.role === "host";
  if (byHost && host !== null && !timeline.hosts.includes(host)) {
    timeline.hosts.push(host);
    timeline.hosts.sort(); // by code unit, as the program's set of ASCII host names
  }
  timeline.items[item] = { media: { ...media }, title, start, duration: null, seen: false };
}

function forget({ timeline, queue }) {
  const ids = Object.keys(timeline.items);
  let over = ids.length - ITEMS_KEPT;
  for (const id of ids) {
    if (over <= 0) return;
    const item = Number(id);
    if (item === timeline.anchor.item || placeOf(queue, item) >= 0) continue;
    delete timeline.items[id];
    over -= 1;
  }
}

function cue(state, item, position, at) {
  const { timeline, queue } = state;
  state.hold = null;
  if (timeline.items[item]) timeline.items[item].seen = true;
  const { generation, rate } = timeline.anchor;
  timeline.anchor = { item, generation: generation + 1, at, position, rate, playing: false };
  queue.skips = [];
  const place = placeOf(queue, item);
  if (place >= 0) queue.turn = queue.entries.splice(place, 1)[0].by;
  for (const member of Object.values(state.roster)) {
    if (member.suspended === "cannot_play") member.suspended = null;
  }
  state.unable = Object.create(null);
  forget(state);
}

function putInQueue(queue, item, by, place) {
  const known = placeOf(queue, item);
  if (known >= 0) queue.entries.splice(known, 1);
  insert(queue.entries, place ?? queue.entries.length, { item, by, votes: [] });
}

function vote({ queue }, item, by, wants) {
  const entry = queue.entries[placeOf(queue, item)];
  if (!entry || by === null) return;
  entry.votes = wants ? withNumber(entry.votes, by) : without(entry.votes, by);
}

/** The program's generator: 32 bits, its upper half in front. */
function nextRandom(random) {
  const next = (Math.imul(random, 1664525) + 1013904223) >>> 0;
  return ((next << 16) | (next >>> 16)) >>> 0;
}

function speak(state, { text, moment }, { seq, at, by }, replyTo) {
  if (state.transcript.length === LINES_KEPT) state.transcript.shift();
  state.transcript.push({ seq, at, moment, by, text, reply_to: replyTo });
  change(state, by, { spoke: at });
}

const FOLDS = {
  opened(state, { session, title }) {
    state.session = session;
    state.title = title;
  },
  epoch_started(state) {
    for (const member of Object.values(state.roster)) if (member.present) away(member, state.at);
    state.unable = Object.create(null);
  },
  joined(state, { member, name, role, client }) {
    if (role === "host") state.opener ??= member;
    const known = state.roster[member];
    state.roster[member] = {
      name, role, client,
      present: true,
      since: state.at,
      rulings: known?.rulings ?? {},
      requests: known?.requests ?? [],
      suspended: null,
      awaited: true,
      banned: known?.banned ?? false,
      spoke: known?.spoke ?? null,
      answers: known?.answers ?? [],
    };
    delete state.unable[member];
  },
  left(state, { member }) {
    gone(state, member);
  },
  kicked(state, { member }) {
    gone(state, member);
  },
  banned(state, { member, banned }) {
    change(state, member, { banned });
    if (banned) gone(state, member);
  },
  renamed(state, { member, name }) {
    change(state, member, { name });
  },
  role_set(state, { member, role }) {
    change(state, member, { role });
  },
  host_changed({ roster }, { member }) {
    if (!roster[member]) return;
    for (const known of Object.values(roster)) if (known.role === "host") known.role = "co_host";
    roster[member].role = "host";
  },
  ruled({ roster }, { member, action, allow, until }) {
    const known = roster[member];
    if (!known) return;
    known.requests = without(known.requests, action);
    if (allow === null) delete known.rulings[action];
    else known.rulings = ordered(known.rulings, ACTIONS, action, { allow, until });
  },
  requested({ roster }, { action }, { by }) {
    const known = by === null ? null : roster[by];
    if (!known) return;
    known.requests = ACTIONS.filter((one) => one === action || known.requests.includes(one));
  },
  suspended(state, { member, reason }) {
    change(state, member, { suspended: reason });
  },
  returned(state, { member }) {
    change(state, member, { suspended: null });
  },
  awaited(state, { member, awaited }) {
    change(state, member, { awaited });
  },
  permitted({ rules }, { role, action, allow }) {
    const ofRole = ordered(rules.permits[role] ?? {}, ACTIONS, action, allow);
    rules.permits = ordered(rules.permits, ROLES, role, ofRole);
  },
  slow_set({ rules }, { every }) {
    rules.slow = every;
  },
  wait_set({ rules }, { reason, wait }) {
    if (reason === "stall") rules.wait_stalls = wait;
    if (reason === "ad") rules.wait_ads = wait;
  },
  skip_share_set({ rules }, { percent }) {
    rules.skip_percent = percent;
  },
  said(state, body, header) {
    speak(state, body, header, null);
  },
  replied(state, body, header) {
    speak(state, body, header, body.to);
  },
  redacted({ transcript }, { seq }) {
    const line = transcript.find((one) => one.seq === seq);
    if (line) line.text = null;
  },
  poll_opened(state, { question, choices }, { seq, by }) {
    state.poll = { id: seq, by, question, choices, answers: Object.create(null), open: true, winner: null };
  },
  poll_answered({ poll: known }, { poll, choice }, { by }) {
    if (by === null || known === null || known.id !== poll || !known.open) return;
    if (choice !== null && choice < known.choices.length) known.answers[by] = choice;
    else delete known.answers[by];
  },
  poll_closed({ poll: known }, { poll, winner }) {
    if (known?.id === poll) Object.assign(known, { open: false, winner });
  },
  vote_cast(state, { item }, { by }) {
    vote(state, item, by, true);
  },
  vote_withdrawn(state, { item }, { by }) {
    vote(state, item, by, false);
  },
  skip_voted({ queue, timeline }, { item }, { by }) {
    if (by !== null && item === timeline.anchor.item) queue.skips = withNumber(queue.skips, by);
  },
  skip_withdrawn({ queue }, _body, { by }) {
    queue.skips = without(queue.skips, by);
  },
  invite_made({ entrance: { invites }, at }, { role, until, uses }, { seq, by }) {
    if (Object.keys(invites).length >= INVITES_MAX) {
      for (const [old, invite] of Object.entries(invites)) if (!opens(invite, at)) delete invites[old];
    }
    invites[seq] = { by, role, until, uses, used: 0 };
  },
  invite_revoked({ entrance }, { invite }) {
    if (invite === OWN_LINK) entrance.own_revoked = true;
    else delete entrance.invites[invite];
  },
  invite_used({ entrance: { invites, came_by: cameBy } }, { invite, member }) {
    if (invites[invite]) invites[invite].used += 1;
    cameBy[member] = invite;
  },
  approval_set({ entrance }, { on }) {
    entrance.approval = on;
  },
  passcode_set({ entrance }, { on }) {
    entrance.passcode = on;
  },
  unable({ roster, timeline, unable }, { item, why, words }, { by }) {
    if (by === null || !roster[by]?.present || item !== timeline.anchor.item) return;
    if (why === null) delete unable[by];
    else unable[by] = { why, words };
  },
  mode_set({ queue }, { mode }) {
    queue.mode = mode;
  },
  repeat_set({ queue }, { repeat }) {
    queue.repeat = repeat;
  },
  measured({ timeline }, { item, duration }) {
    if (timeline.items[item]) timeline.items[item].duration = duration;
  },
  said_ready({ hold }, _body, { by }) {
    if (hold?.reason === "ready_check") hold.waiting = without(hold.waiting, by);
  },
  hold_ended(state, { start }) {
    if (state.hold === null) return;
    state.hold = null;
    if (start !== null) Object.assign(state.timeline.anchor, { at: start, playing: true });
  },
};

/** What moves the film or the queue; each answers with what takes it back, or null. */
const DEEDS = {
  media_set(state, body, header) {
    const remedy = cueBack(state, null);
    addItem(state, body, header);
    cue(state, body.item, body.start, header.at);
    return remedy;
  },
  cued(state, { item, position }, { at }) {
    const place = placeOf(state.queue, item);
    const remedy = cueBack(state, place < 0 ? null : place);
    cue(state, item, position, at);
    return remedy;
  },
  played(state, { position, start }) {
    const { anchor } = state.timeline;
    const remedy = running(state) ? null : { pause: { position: anchor.position } };
    state.hold = null;
    Object.assign(anchor, { at: start, position, playing: true });
    return remedy;
  },
  paused(state, { position }, { at }) {
    const remedy = running(state) ? { play: {} } : null;
    state.hold = null;
    Object.assign(state.timeline.anchor, { at, position, playing: false });
    return remedy;
  },
  seeked(state, { position, start }, { at }) {
    const { anchor } = state.timeline;
    const remedy = { seek: { to: statePosition(state, at) } };
    // The film of a hold stands; what follows says whether it waits on or runs.
    state.hold = null;
    Object.assign(anchor, { at: start, position, generation: anchor.generation + 1 });
    return remedy;
  },
  rate_set({ timeline: { anchor } }, { rate, position }, { at }) {
    const remedy = { rate: { rate: anchor.rate } };
    // A scheduled start that is still ahead stays where it was.
    Object.assign(anchor, { at: anchor.playing ? Math.max(anchor.at, at) : at, position, rate });
    return remedy;
  },
  hold_started(state, { reason, position, deadline, waiting }, { seq, at }) {
    const remedy = running(state) ? null : { pause: { position } };
    Object.assign(state.timeline.anchor, { at, position, playing: false });
    state.hold = { seq, reason, since: at, deadline, waiting: [...waiting] };
    return remedy;
  },
  queued(state, body, header) {
    addItem(state, body, header);
    putInQueue(state.queue, body.item, header.by, body.place);
    forget(state);
    return { unqueue: { item: body.item } };
  },
  requeued({ queue }, { item, place, by }) {
    putInQueue(queue, item, by, place);
    return { unqueue: { item } };
  },
  unqueued({ queue }, { item }) {
    const place = placeOf(queue, item);
    if (place < 0) return null;
    const [{ by }] = queue.entries.splice(place, 1);
    return { requeue: { item, place, by } };
  },
  queue_moved({ queue }, { item, place: to }) {
    const place = placeOf(queue, item);
    if (place < 0) return null;
    insert(queue.entries, to, queue.entries.splice(place, 1)[0]);
    return { move: { item, place } };
  },
  shuffled({ queue }, { seed }) {
    const items = queue.entries.map((entry) => entry.item);
    const { entries } = queue;
    for (let last = entries.length - 1, random = seed; last > 0; last -= 1) {
      random = nextRandom(random);
      const other = random % (last + 1);
      [entries[last], entries[other]] = [entries[other], entries[last]];
    }
    return { reorder: { items } };
  },
  reordered({ queue }, { items: order }) {
    const items = queue.entries.map((entry) => entry.item);
    const rank = ({ item }) => (order.includes(item) ? order.indexOf(item) : order.length);
    queue.entries.sort((a, b) => rank(a) - rank(b));
    return { reorder: { items } };
  },
};

function remember(state, { by, intent, seq }) {
  const answers = state.roster[by]?.answers;
  if (!answers) return;
  let place = answers.length;
  while (place > 0 && answers[place - 1][0] > intent) place -= 1;
  if (place > 0 && answers[place - 1][0] === intent) return;
  answers.splice(place, 0, [intent, seq]);
  if (answers.length > ANSWERS_KEPT) answers.shift();
}

/** Why an event does not follow; `why` is `gap`, `fork`, `backwards` or `unreadable`. */
/** Kinds that change nothing but the header's numbers. */
const SILENT = new Set(["host_gap", "reacted", "knock_answered"]);

/** Whether this page knows what such an event means. */
const isKnown = (body) => {
  const kinds = Object.keys(body);
  const [kind] = kinds;
  return kinds.length === 1
    && (SILENT.has(kind) || Object.hasOwn(FOLDS, kind) || Object.hasOwn(DEEDS, kind));
};

export class ReplayError extends Error {
  constructor(why, text) {
    super(text);
    this.why = why;
  }
}

const whole = (value) => Number.isSafeInteger(value) && value >= 0;

/** A fold in progress: drops what it holds, refuses what does not follow. */
export class Replay {
  state = emptyState();

  /** The next seq wanted. */
  get cursor() {
    return this.state.seq + 1;
  }

  /** Takes one event; false for one held already. Throws `ReplayError`, the state unchanged. */
  take(event) {
    const shaped = event !== null && typeof event === "object" && event.body !== null
      && typeof event.body === "object"
      && whole(event.seq) && whole(event.epoch) && whole(event.stamp) && whole(event.at);
    if (!shaped) throw new ReplayError("unreadable", "not an event");
    const wanted = this.cursor;
    if (event.seq < wanted) return false;
    if (event.seq > wanted) {
      throw new ReplayError("gap", `events are missing: wanted ${wanted}, got ${event.seq}`);
    }
    if (event.epoch < this.state.epoch) {
      throw new ReplayError("fork",
        `event ${event.seq} comes from epoch ${event.epoch}, which ended before epoch ${this.state.epoch}`);
    }
    if (event.at < this.state.at) {
      throw new ReplayError("backwards", `event ${event.seq} lies before the one it follows`);
    }
    // Guessing would show another evening than everybody else's.
    if (!isKnown(event.body)) {
      throw new ReplayError("newer",
        `The host's Séance is newer than this page (event ${event.seq}). Reload the page.`);
    }
    apply(this.state, event);
    return true;
  }
}
