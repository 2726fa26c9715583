// What the player should do about its drift: hold, slew or step. A port of the program's
// `engine/sync/controller.rs`; the reasons for the numbers stand there.
//
// Rules it keeps: it decides on the median of five samples and never on less than their
// spread or the player's noise; on fifteen where it might be noise all the same; it does not
// follow the line closer than the line is known; a slew is one dead-beat pulse, then rest; what it sees after each act teaches it
// this player's start and seek latency and whether it honours fine rates; steps are spaced
// by a cool-down of 5 s that doubles to 40 s, and three useless ones end stepping.
// Times in microseconds, rates of the room in thousandths.

const WINDOW = 5;
const LONG_WINDOW = 15;
const MIGHT_BE_NOISE = 3;
const DOUBT_SHARE = 8;
const DEAD_ZONE = 1_000;
const STEP_PAST = 1_000_000;
const STEP_PAST_SLEWLESS = 450_000;
const SLEW_MAX = 0.05;
const SLEW_MIN = 0.005;
const PULSE = 1_000_000;
/** Up to this drift the pulse is fine: slower, and so small that no ear hears it … */
const FINE_PAST = 50_000;
/** … at most a sixth of a semitone, for players that then need not keep the pitch (see `player/file.js`). */
export const FINE_MAX = 0.01;
const COST_MAX = 40_000;
const SETTLE = 150_000;
const SETTLE_COARSE = 300_000;
const LOOK_EVERY = 40_000;
const LOOK_EVERY_COARSE = 100_000;
const READ_BACK_AFTER = 250_000;
const PULSE_ASTRAY = 100_000;
const JUDGED_PAST = 10_000;
const COOL_MIN = 5_000_000;
const COOL_MAX = 40_000_000;
const CALM = 60_000_000;
const USELESS_MAX = 3;
const IDLE_PULSES_MAX = 2;
const STUTTERS_MAX = 3;
/** So long after that slewing is tried once more, and twice as long each further time. */
const SLEW_AGAIN_MIN = 20_000_000;
const SLEW_AGAIN_MAX = 960_000_000;
const START_MAX = 1_000_000;
const START_LESSON_MAX = 500_000;
const SURPRISE = 500_000;
const SEEK_MAX = 5_000_000;
const SEEK_FIRST = 150_000;
const PRIME_FIRST = 400_000;
const PRIME_MIN = 100_000;

const HOLD = Object.freeze({ order: "hold" });
const REST = Object.freeze({ order: "rest" });

/** A latency that is learned: wholly from the first measurement and from big surprises, else by halves. */
class Latency {
  known = false;
  constructor(micros) {
    this.micros = micros;
  }
  learn(late, shortest, longest) {
    const share = this.known && Math.abs(late) <= SURPRISE ? 2 : 1;
    const learned = this.micros + Math.trunc(late / share);
    this.micros = Math.min(Math.max(learned, shortest), longest);
    this.known = true;
  }
}

/** One player's controller. Made with the player and kept as long as it. */
export class Controller {
  #state = { name: "watching" };
  #window = [];
  #uneasy = false;
  /** Whether a long window is being filled, because a short one might have been noise. */
  #doubting = false;
  /** How far the line itself may be off. */
  #doubt = 0;
  /** About how much neighbouring samples of this player differ. */
  #noise = 0;
  #lesson = null;
  #room = 1000;
  /** A start from a standing frame, and one right after a seek, which takes a decoder longer. */
  #starts;
  #seek = new Latency(SEEK_FIRST);
  #prime = PRIME_FIRST;
  /** How much film a coarse pulse gains (negative: loses) beside what it is for. */
  #cost = new Latency(0);
  #slewless = false;
  /** Pulses in a row that moved nothing, and in which the player stalled. */
  #idlePulses = 0;
  #stutters = 0;
  /** When a player that stuttered is slewed again, and how long it is left alone next. */
  #slewAgainAt = null;
  #slewAgainAfter = SLEW_AGAIN_MIN;
  #cool = COOL_MIN;
  #stepFrom = 0;
  #steppedAt = null;
  #useless = 0;
  #gaveUp = false;
  #slewMin;

  /**
   * What is known of this kind of player: `slewMin`, the finest change of rate worth asking for;
   * `start` and `seekStart`, guesses of how long its starts take.
   */
  constructor({ slewMin = SLEW_MIN, start = 0, seekStart = 0 } = {}) {
    this.#slewMin = Math.max(SLEW_MIN, slewMin);
    this.#starts = { start: new Latency(start), seek_start: new Latency(seekStart) };
  }

  /**
   * The room did something to the player: what was seen before no longer counts.
   * `by`: "start", "seek_start", "late_start", "seek" or "other".
   */
  disturbed(now, by, room) {
    this.#room = room;
    this.#lesson = by === "other" ? null : { of: by };
    this.#cool = COOL_MIN;
    this.#stepFrom = now;
    this.#steppedAt = null;
    this.#useless = 0;
    this.#gaveUp = false;
    this.#settle(now);
  }

  /** Another film: fine rates are worth trying again. */
  newFilm(now, room) {
    this.disturbed(now, "other", room);
    this.#slewless = false;
    this.#idlePulses = 0;
    this.#stutters = 0;
    this.#slewAgainAt = null;
    this.#slewAgainAfter = SLEW_AGAIN_MIN;
    this.#noise = 0;
  }

  /** How far the line may be off from now on, for what the clock knows. */
  doubts(doubt) {
    this.#doubt = doubt;
  }

  /** How long before its time a start (`start` or `seek_start`) must be ordered. */
  startLatency(kind) { return this.#starts[kind].micros; }
  get seekLatency() { return this.#seek.micros; }
  /** How far ahead of the line to aim when a start comes late. */
  get primeLatency() { return this.#prime; }
  get slewless() { return this.#slewless; }

  /** The rate to play at now, as a factor of the film's own speed. */
  get rate() {
    const room = this.#room / 1000;
    return this.#state.name === "pulsing" ? room * this.#state.factor : room;
  }

  /** When `tick` must be called, or null. */
  get deadline() {
    return this.#state.name === "pulsing" ? this.#state.until : null;
  }

  /** How soon the next sample is wanted. */
  get cadence() {
    switch (this.#state.name) {
      case "settling": return this.#lookEvery;
      case "pulsing": return 250_000;
      default: return this.#uneasy || this.#doubting || this.#window.length < WINDOW ? this.#lookEvery : 500_000;
    }
  }

  /** A player that speaks a few times a second is looked at more slowly. */
  get #coarse() { return this.#slewMin > SLEW_MIN; }
  get #lookEvery() { return this.#coarse ? LOOK_EVERY_COARSE : LOOK_EVERY; }

  /** Ends a pulse whose time has come. */
  tick(now) {
    if (this.#state.name !== "pulsing" || now < this.#state.until) return HOLD;
    this.#lesson = { of: "pulse", before: this.#state.drift };
    this.#stutters = 0;
    if (this.#idlePulses === 0) this.#slewAgainAfter = SLEW_AGAIN_MIN;
    this.#settle(now);
    return REST;
  }

  /**
   * One sample: `{ drift, rate }` of a running film; "busy" (it starts, seeks, loads), "stalled"
   * (too little data) or "away" (an ad, a click needed, the end). What to do about it.
   */
  observe(now, sight) {
    if (this.deadline !== null && now >= this.deadline) return this.tick(now);
    if (typeof sight === "string") return this.#interrupted(now, sight);
    if (this.#state.name === "pulsing") return this.#during(now, sight.drift, sight.rate);
    if (this.#state.name === "settling") {
      if (now < this.#state.until) return HOLD;
      this.#state = { name: "watching" };
      this.#window = [];
    }
    return this.#watch(now, sight.drift);
  }

  #settle(now) {
    this.#window = [];
    this.#uneasy = false;
    this.#doubting = false;
    this.#state = { name: "settling", until: now + (this.#coarse ? SETTLE_COARSE : SETTLE) };
  }

  #interrupted(now, sight) {
    const pulsing = this.#state.name === "pulsing";
    if (pulsing && sight === "stalled") {
      this.#stutters += 1;
      if (this.#stutters >= STUTTERS_MAX) this.#stopSlewing(now);
    }
    if (sight === "away") {
      this.#lesson = null;
    } else if (sight === "stalled" && this.#lesson) {
      // A start's and a pulse's effect are spoilt; a seek's latency includes refilling, but
      // whether it helped can no longer be told.
      if (this.#lesson.of in this.#starts || this.#lesson.of === "pulse") this.#lesson = null;
      else if (this.#lesson.of === "step") this.#lesson = { of: "seek" };
    }
    this.#settle(now);
    return pulsing ? REST : HOLD;
  }

  /** Rates do not help for now. */
  #stopSlewing(now) {
    this.#slewless = true;
    this.#slewAgainAt = now + this.#slewAgainAfter;
    this.#slewAgainAfter = Math.min(2 * this.#slewAgainAfter, SLEW_AGAIN_MAX);
  }

  #watch(now, drift) {
    if (this.#slewAgainAt !== null && now >= this.#slewAgainAt) {
      this.#slewAgainAt = null;
      this.#slewless = false;
      // One stall or one idle pulse more, and it is left alone again.
      this.#stutters = STUTTERS_MAX - 1;
      this.#idlePulses = IDLE_PULSES_MAX - 1;
    }
    const enough = this.#doubting ? LONG_WINDOW : WINDOW;
    if (this.#window.length === enough) this.#window.shift();
    this.#window.push(drift);
    if (this.#window.length >= WINDOW) this.#hearNoise();
    if (this.#window.length < enough) return HOLD;
    const sorted = [...this.#window].sort((a, b) => a - b);
    const median = sorted[(enough - 1) / 2];
    const least = Math.max(DEAD_ZONE, Math.trunc(this.#doubt / DOUBT_SHARE));
    const spread = sorted[enough - 1] - sorted[0];
    const zone = this.#doubting ? Math.max(least, this.#noise) : Math.max(least, spread, 2 * this.#noise);
    if (this.#lesson) {
      const lesson = this.#lesson;
      this.#lesson = null;
      this.#learn(now, lesson, median, zone);
    }
    // Also where noise hides it: only further looks tell whether the noise is over.
    this.#uneasy = Math.abs(drift) > least;
    if (Math.abs(median) <= zone) {
      this.#stopDoubting();
      this.#calm(now);
      return HOLD;
    }
    if (!this.#doubting && Math.abs(median) <= zone + MIGHT_BE_NOISE * this.#noise) {
      this.#doubting = true;
      this.#window = [];
      return HOLD;
    }
    this.#stopDoubting();
    if (Math.abs(median) > this.#stepPast) return this.#step(now);
    if (this.#slewless) {
      this.#calm(now);
      return HOLD;
    }
    return this.#pulse(now, median);
  }

  /** Back to the short window, with the newest of the long one. */
  #stopDoubting() {
    this.#doubting = false;
    this.#window = this.#window.slice(-WINDOW);
  }

  /** By the median of the last four differences; it rises by a quarter of what is new, and falls by a sixteenth. */
  #hearNoise() {
    const recent = this.#window.slice(-WINDOW);
    const steps = recent.slice(1).map((drift, place) => Math.abs(drift - recent[place]));
    steps.sort((a, b) => a - b);
    const more = steps[steps.length / 2] - this.#noise;
    this.#noise += Math.trunc(more / (more > 0 ? 4 : 16));
  }

  get #stepPast() {
    return this.#slewless ? STEP_PAST_SLEWLESS : STEP_PAST;
  }

  /** A long time without a step forgives the earlier ones. */
  #calm(now) {
    if (this.#steppedAt !== null && now - this.#steppedAt >= CALM) {
      this.#cool = COOL_MIN;
      this.#steppedAt = null;
      this.#useless = 0;
    }
  }

  #step(now) {
    if (this.#gaveUp) return HOLD;
    if (this.#useless >= USELESS_MAX) {
      this.#gaveUp = true;
      return { order: "give_up" };
    }
    if (now < this.#stepFrom) return HOLD;
    this.#stepFrom = now + this.#cool;
    this.#cool = Math.min(this.#cool * 2, COOL_MAX);
    this.#steppedAt = now;
    this.#lesson = { of: "step" };
    this.#settle(now);
    return { order: "step", lead: this.#seek.micros };
  }

  /** One dead-beat pulse: (factor − 1) · room rate · time = −drift. */
  #pulse(now, drift) {
    const room = this.#room / 1000;
    const coarse = Math.abs(drift) > FINE_PAST;
    const most = Math.max(this.#slewMin, coarse ? SLEW_MAX : FINE_MAX);
    // What the pulse itself will cost is made good with it.
    const error = coarse ? drift + this.#cost.micros : drift;
    const wanted = Math.min(Math.max(Math.abs(error) / (room * PULSE), this.#slewMin), most);
    const change = error > 0 ? -wanted : wanted;
    const lasts = Math.floor(-error / (room * change));
    this.#state = {
      name: "pulsing", from: now, until: now + lasts, factor: 1 + change, drift, unlike: 0,
    };
    this.#window = [];
    return { order: "slew", factor: 1 + change, lasts };
  }

  #during(now, drift, rate) {
    const pulse = this.#state;
    const ran = now - pulse.from;
    if (ran < READ_BACK_AFTER) return HOLD;
    const room = this.#room / 1000;
    const change = room * (pulse.factor - 1);
    if (Math.abs(rate - room - change) > Math.abs(change) / 2) {
      pulse.unlike += 1;
      if (pulse.unlike >= 2) {
        this.#stopSlewing(now);
        this.#settle(now);
        return REST;
      }
    }
    const cancelled = Math.trunc(change * ran);
    const astray = Math.abs(drift - (pulse.drift + cancelled));
    // A player that ignores rates strays as the pulse goes on; that is judged at the end.
    const ignored = Math.abs(drift - pulse.drift) <= JUDGED_PAST;
    if (astray > PULSE_ASTRAY && !ignored) {
      this.#settle(now);
      return REST;
    }
    return HOLD;
  }

  #learnSeek(late) {
    // Farther off than the longest seek, it was no seek at all.
    if (Math.abs(late) <= SEEK_MAX) this.#seek.learn(late, 0, SEEK_MAX);
  }

  #learn(now, lesson, drift, zone) {
    // Behind by `drift` of film means late by so much time.
    const late = Math.trunc((-drift * 1000) / this.#room);
    switch (lesson.of) {
      case "start":
      case "seek_start":
        if (Math.abs(drift) <= START_LESSON_MAX) this.#starts[lesson.of].learn(late, 0, START_MAX);
        break;
      case "late_start":
        // Too little time set aside shows as a late start; too much does not, so it is given back bit by bit.
        this.#prime = late > zone
          ? Math.min(this.#prime + late, SEEK_MAX)
          : Math.max(this.#prime - Math.trunc(this.#prime / 10), PRIME_MIN);
        break;
      case "seek":
        this.#learnSeek(late);
        break;
      case "step":
        this.#useless = Math.abs(drift) > this.#stepPast ? this.#useless + 1 : 0;
        this.#learnSeek(late);
        break;
      case "pulse": {
        const before = Math.abs(lesson.before);
        if (before < JUDGED_PAST || before < 4 * zone) return;
        const cancelled = (lesson.before - drift) * Math.sign(lesson.before);
        if (cancelled * 4 < before) {
          this.#idlePulses += 1;
          if (this.#idlePulses >= IDLE_PULSES_MAX) this.#stopSlewing(now);
        } else if (cancelled * 2 > before) {
          this.#idlePulses = 0;
          if (before > FINE_PAST) this.#cost.learn(drift, -COST_MAX, COST_MAX);
        }
        break;
      }
    }
  }
}
