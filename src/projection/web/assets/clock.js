// The session's clock, read from afar: a port of the program's `engine/clock/offset.rs`.
//
// Of the last exchanges the one whose bound (half its delay, and 100 ppm of its age) is
// smallest now is trusted. Only monotonic readings enter; nobody's wall clock is compared.

/** Exchanges kept. */
const KEEP = 16;
/** How fast two machines' clocks may part, in millionths. */
const SKEW_PPM = 100;
/** Exchanges in a burst: after joining, waking and a tab's return. */
const BURST = 8;
/** Between two exchanges of a burst, in microseconds. */
const BURST_EVERY = 100_000;
/** Between two afterwards. Shorter than the program's 10 s, because pings are also the page's heartbeat. */
const EVERY = 5_000_000;
/** A slower exchange says nothing worth knowing. */
const DELAY_MAX = 10_000_000;
/** Pings that may be under way at once; of more, the oldest are given up. */
const UNDER_WAY_MAX = 8;
/** All four readings are cut to whole microseconds, and halving cuts once more. */
const READING_ERROR = 2;

/** This machine's monotonic clock, in whole microseconds. */
export const localNow = () => Math.round(performance.now() * 1000);

/** One believed reading of the session's clock. */
class Estimate {
  constructor(offset, delay, sent, heard) {
    this.offset = offset;
    this.delay = delay;
    this.sent = sent;
    this.heard = heard;
  }

  /** How far off a conversion at `local` can be. */
  bound(local) {
    const age = Math.max(local - this.sent, this.heard - local);
    return Math.floor(this.delay / 2) + 1 + Math.ceil((age * SKEW_PPM) / 1e6) + READING_ERROR;
  }

  agrees(other, local) {
    return Math.abs(this.offset - other.offset) <= this.bound(local) + other.bound(local);
  }
}

/** One page's knowledge of the session's clock, and when to ask again. */
export class OffsetClock {
  #kept = [];
  #underWay = [];
  #burstLeft = BURST;
  /** When the next ping is due, in local time. */
  nextPingAt;

  constructor(now) {
    this.nextPingAt = now;
  }

  /** The `t0` to send at `now`, or null when no ping is due. */
  ping(now) {
    if (now < this.nextPingAt) return null;
    this.#burstLeft = Math.max(0, this.#burstLeft - 1);
    this.nextPingAt = now + (this.#burstLeft > 0 ? BURST_EVERY : EVERY);
    if (this.#underWay.length === UNDER_WAY_MAX) this.#underWay.shift();
    this.#underWay.push(now);
    return now;
  }

  /** Takes an answer heard at `t3`; false when it cannot be believed. */
  pong({ t0, t1, t2 }, t3) {
    const place = this.#underWay.indexOf(t0);
    if (place < 0) return false;
    this.#underWay.splice(place, 1);
    const delay = t3 - t0 - (t2 - t1);
    if (t3 < t0 || t2 < t1 || delay < 0 || delay > DELAY_MAX) return false;
    const heard = new Estimate(Math.floor((t1 - t0 + (t2 - t3)) / 2), delay, t0, t3);
    const known = this.estimate(t3);
    // Both cannot be true: a clock jumped, and what was known before is worthless.
    if (known && !known.agrees(heard, t3)) this.discard(t3);
    if (this.#kept.length === KEEP) this.#kept.shift();
    this.#kept.push(heard);
    return true;
  }

  /** Starts a burst without forgetting: a tab came back, a link changed. */
  hurry(now) {
    this.#burstLeft = BURST;
    this.nextPingAt = now;
  }

  /** Forgets everything and starts a burst: the machine slept. */
  discard(now) {
    this.#kept = [];
    this.#underWay = [];
    this.hurry(now);
  }

  /** The best estimate at `now`, or null. */
  estimate(now) {
    let best = null;
    for (const each of this.#kept) {
      if (!best || each.bound(now) <= best.bound(now)) best = each;
    }
    return best;
  }

  /** Session time at a local time, or null while it is not known. */
  session(local) {
    const best = this.estimate(local);
    return best && Math.max(0, local + best.offset);
  }

  /** Local time at a session time, or null. */
  local(session, now) {
    const best = this.estimate(now);
    return best && Math.max(0, session - best.offset);
  }
}
