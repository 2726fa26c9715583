// The session's clock, read from afar: a port of the program's `engine/clock/offset.rs`.
//
// Each exchange says that the true offset lies in an interval (half its delay, and 100 ppm of
// its age, either way); what the last ones have in common is trusted, and its middle taken.
// Only monotonic readings enter; nobody's wall clock is compared.

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
/** The same on a line that leaves more doubt than `WIDE`: its least delays must be found anew before they are out of date. */
const EVERY_WIDE = 2_000_000;
const WIDE = 5_000;
/** And while it leaves more than `LOST`: a film started by such a clock slews for too long, and the line may be quick again. */
const EVERY_LOST = 500_000;
const LOST = 100_000;
/** A slower exchange says nothing worth knowing. */
const DELAY_MAX = 10_000_000;
/** Pings that may be under way at once; of more, the oldest are given up. */
const UNDER_WAY_MAX = 8;
/** An estimate that moved by less than this share of its doubt has not moved. */
const TREMOR_SHARE = 16;
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
  #best = null;
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
    this.nextPingAt = now + (this.#burstLeft > 0 ? BURST_EVERY : this.#pace(now));
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
    const known = this.estimate();
    // Both cannot be true: a clock jumped, and what was known before is worthless.
    if (known && !known.agrees(heard, t3)) this.discard(t3);
    if (this.#kept.length === KEEP) this.#kept.shift();
    this.#kept.push(heard);
    this.#best = this.#combine();
    // A burst that met a line in trouble settled on the slow pace too early.
    const pace = this.#pace(t3);
    if (this.#burstLeft === 0 && pace < EVERY) {
      this.nextPingAt = Math.min(this.nextPingAt, t3 + pace);
    }
    return true;
  }

  /** How long after a burst the next ping waits, by the doubt that is left. */
  #pace(now) {
    const best = this.estimate();
    // No answer at all tells nothing about the line: it may be gone.
    if (!best) return EVERY_WIDE;
    const doubt = best.bound(now);
    if (doubt > LOST) return EVERY_LOST;
    return doubt > WIDE ? EVERY_WIDE : EVERY;
  }

  /** Starts a burst without forgetting: a tab came back, a link changed. */
  hurry(now) {
    this.#burstLeft = BURST;
    this.nextPingAt = now;
  }

  /** Forgets everything and starts a burst: the machine slept. */
  discard(now) {
    this.#kept = [];
    this.#best = null;
    this.#underWay = [];
    this.hurry(now);
  }

  /** What the kept exchanges say together, or null. */
  estimate() {
    return this.#best;
  }

  /** What all kept exchanges have in common, as of the newest. */
  #combine() {
    const at = this.#kept.at(-1).heard;
    let least = -Infinity;
    let most = Infinity;
    for (const each of this.#kept) {
      const bound = each.bound(at);
      least = Math.max(least, each.offset - bound);
      most = Math.min(most, each.offset + bound);
    }
    const width = Math.max(0, most - least);
    const middle = least + Math.floor(width / 2);
    const before = this.#best?.offset ?? middle;
    const moved = Math.abs(middle - before);
    // Off the middle the far end is farther: the bound must hold it.
    return moved <= Math.floor(width / TREMOR_SHARE)
      ? new Estimate(before, width + 2 * moved, at, at)
      : new Estimate(middle, width, at, at);
  }

  /** Session time at a local time, or null while it is not known. */
  session(local) {
    const best = this.estimate();
    return best && Math.max(0, local + best.offset);
  }

  /** Local time at a session time, or null. */
  local(session) {
    const best = this.estimate();
    return best && Math.max(0, session - best.offset);
  }
}
