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
    roster: Object.create(null),
    timeline: {
      anchor: { item: 0, generation: 0, at: 0, position: 0, rate: 1000, playing: false },
      items: Object.create(null),
      hosts: [],
    },
    transcript: [],
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
  // A kind from a newer program changes nothing here but the header's numbers.
  if (Object.hasOwn(FOLDS, kind)) FOLDS[kind](state, event.body[kind], event);
}

const FOLDS = {
  opened(state, { session, title }) {
    state.session = session;
    state.title = title;
  },
  epoch_started(state) {
    for (const member of Object.values(state.roster)) member.present = false;
  },
  joined(state, { member, name, role, client }) {
    const answers = state.roster[member]?.answers ?? [];
    state.roster[member] = { name, role, client, present: true, answers };
  },
  left(state, { member }) {
    if (state.roster[member]) state.roster[member].present = false;
  },
  renamed(state, { member, name }) {
    if (state.roster[member]) state.roster[member].name = name;
  },
  media_set({ roster, timeline }, { item, media, title, start }, { by, at }) {
    const host = hostOf(media);
    const byHost = by === null || roster[by]?.role === "host";
    if (byHost && host !== null && !timeline.hosts.includes(host)) {
      timeline.hosts.push(host);
      timeline.hosts.sort(); // by code unit, as the program's set of ASCII host names
    }
    timeline.items[item] = { media: { ...media }, title, start, duration: null };
    const { generation, rate } = timeline.anchor;
    timeline.anchor = {
      item, generation: generation + 1, at, position: start, rate, playing: false,
    };
  },
  measured({ timeline }, { item, duration }) {
    if (timeline.items[item]) timeline.items[item].duration = duration;
  },
  played({ timeline }, { position, start }) {
    Object.assign(timeline.anchor, { at: start, position, playing: true });
  },
  paused({ timeline }, { position }, { at }) {
    Object.assign(timeline.anchor, { at, position, playing: false });
  },
  seeked({ timeline: { anchor } }, { position, start }) {
    Object.assign(anchor, { at: start, position, generation: anchor.generation + 1 });
  },
  rate_set({ timeline: { anchor } }, { rate, position }, { at }) {
    // A scheduled start that is still ahead stays where it was.
    Object.assign(anchor, { at: anchor.playing ? Math.max(anchor.at, at) : at, position, rate });
  },
  said(state, { text, moment }, { seq, at, by }) {
    if (state.transcript.length === LINES_KEPT) state.transcript.shift();
    state.transcript.push({ seq, at, moment, by, text });
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
    apply(this.state, event);
    return true;
  }
}
