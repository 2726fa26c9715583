// Keeps one player on the room's line: loads, starts on time, pauses on the frame, measures
// drift and carries out what the controller orders. Everything it does is local; nothing of
// it is told to the room but the report of what the player does.
//
// A newer line always wins over an older one that is still being followed: each carries a
// turn number, and whoever finds it changed after an await stops.

import { positionAt } from "./fold.js";
import { localNow } from "./clock.js";
import { Controller } from "./sync.js";

/** A player that does other than the room this long is set right; a person's click in it has been asked by then. */
const DEVIATION_MICROS = 400_000;
/** After a person's act inside the player, this long for the room to answer before it is set right. */
const ANSWER_MICROS = 2_500_000;
/** The longest a seek is waited for before the film goes on without it. */
const SEEK_WAIT_MILLIS = 8_000;
/** How early a timer is set before a start; the rest is spun, because timers are late by up to so much. */
const SPIN_MILLIS = 4;
/** An order later than this was not given on time. */
const LATE_MICROS = 2_000;

const sleep = (millis) => new Promise((done) => { setTimeout(done, Math.max(0, millis)); });

export class Driver {
  #clock;
  #player = null;
  #controller = new Controller();
  #anchor = null;
  #duration = null;
  #turn = 0;
  /** Whether a start or a settling is under way, so that no drift is measured. */
  #following = false;
  #timer = 0;
  #deviantSince = null;
  /** Whether the player has not run since its last seek: such a start takes a decoder longer. */
  #fresh = true;
  /** Counts the seeks before starts, by which a start that took its time knows that one came meanwhile. */
  #seeks = 0;
  /** Session-free drift of the last sample, or null while it means nothing. */
  drift = null;
  /** A sentence for the viewer, or null. */
  trouble = null;
  /** The `{ item, generation }` the player was brought to; null while it is on the way there. */
  stands = null;
  #changed;
  /** How often this player was brought back by its rate, and by a jump. */
  #slews = 0;
  #steps = 0;

  /** `clock`: an OffsetClock; `changed()`: called when activity, drift or trouble changed. */
  constructor(clock, changed) {
    this.#clock = clock;
    this.#changed = changed;
  }

  /** What the player does, as a report says it; null without a player. */
  get activity() {
    return this.#player ? this.#player.activity : null;
  }

  get player() {
    return this.#player;
  }

  /** What the host's trace wants of the player. */
  vitals(now) {
    const rate = this.#player?.ready ? this.#player.sample(now).rate : null;
    return { rate_ppm: rate === null ? null : Math.round(rate * 1e6), slews: this.#slews, steps: this.#steps };
  }

  /** Puts another player in; null for none. The caller has loaded it. */
  mount(player) {
    this.#turn += 1;
    this.#player = player;
    this.#controller = new Controller(player?.habits);
    this.#deviantSince = null;
    this.drift = null;
    this.trouble = null;
    this.stands = null;
    this.#fresh = true;
    this.#slews = 0;
    this.#steps = 0;
    clearTimeout(this.#timer);
    if (player) this.follow();
  }

  /** The room's line changed. */
  line(anchor, duration) {
    const old = this.#anchor;
    this.#anchor = { ...anchor };
    this.#duration = duration;
    if (!this.#player) return;
    const rateOnly = old && old.item === anchor.item && old.generation === anchor.generation
      && old.playing && anchor.playing && old.rate !== anchor.rate;
    if (rateOnly && !this.#following) this.#applyRate();
    else this.follow();
  }

  /** The film's length became known; the line itself is as before. */
  measured(duration) {
    this.#duration = duration;
  }

  /** Where the room's line is now, or null while the clock is unknown. */
  target(local = localNow()) {
    const session = this.#clock.session(local);
    return session === null || !this.#anchor ? null : positionAt(this.#anchor, session, this.#duration);
  }

  /** Brings the player onto the line, whatever it does now. */
  async follow() {
    const turn = (this.#turn += 1);
    const player = this.#player;
    const anchor = this.#anchor;
    const stale = () => turn !== this.#turn;
    if (!player || !anchor || anchor.item === 0) return;
    if (!player.ready || this.#clock.estimate() === null) return; // either's arrival follows again
    this.#following = true;
    this.#deviantSince = null;
    this.drift = null;
    this.stands = null;
    try {
      player.setRate(anchor.rate / 1000);
      if (!anchor.playing) await this.#settle(player, anchor, stale);
      else await this.#start(player, anchor, stale);
    } finally {
      if (!stale()) {
        this.#following = false;
        this.stands = { item: anchor.item, generation: anchor.generation };
        this.#changed();
        this.#schedule();
      }
    }
  }

  async #settle(player, anchor, stale) {
    player.pause();
    const frame = positionAt(anchor, 0, this.#duration);
    if (Math.abs(player.sample(localNow()).position - frame) > player.frameMicros) {
      await this.#seek(player, frame);
    }
    if (!stale()) this.#controller.disturbed(localNow(), "other", anchor.rate);
  }

  async #start(player, anchor, stale) {
    const scheduled = this.#clock.local(anchor.at);
    if (scheduled > localNow()) {
      // Everybody starts together: stand on the frame until then.
      player.pause();
      if (Math.abs(player.sample(localNow()).position - anchor.position) > player.frameMicros) {
        await this.#seek(player, anchor.position);
        if (stale()) return;
      }
      const moment = this.#clock.local(anchor.at);
      if (moment - this.#controller.startLatency(this.#startKind) > localNow()) {
        await this.#begin(player, moment, this.#startKind, stale);
        return;
      }
    }
    const target = this.target();
    if (this.#duration !== null && target >= this.#duration) {
      await this.#settle(player, { ...anchor, playing: false, position: target }, stale);
      return;
    }
    const running = player.activity === "playing";
    const off = player.sample(localNow()).position - target;
    if (running && Math.abs(off) < 1_000_000) {
      this.#controller.disturbed(localNow(), "other", anchor.rate); // close enough to slew
      return;
    }
    // Late: seek to where the line will be, then start on time.
    const moment = localNow() + this.#controller.primeLatency;
    player.pause();
    await this.#seek(player, this.target(moment));
    if (!stale()) await this.#begin(player, moment, "late_start", stale);
  }

  /** Starts the player so that it moves at local time `moment`. */
  async #begin(player, moment, lesson, stale) {
    const order = moment - this.#controller.startLatency(this.#startKind);
    await sleep((order - localNow()) / 1000 - SPIN_MILLIS);
    if (stale()) return;
    while (localNow() < order); // at most SPIN_MILLIS
    // A busy page wakes late. What that start then shows is not how long this player takes,
    // and learning it would order the next one as much too early.
    const punctual = localNow() - order <= LATE_MICROS;
    const seeks = this.#seeks;
    await player.play();
    // A busy browser takes its time to start. A player that was paused or sought meanwhile starts
    // from a seek again; taken for one that ran, it would be ordered those 80 ms too late.
    const overtaken = stale() && (this.#seeks !== seeks || this.#player !== player || player.activity !== "playing");
    if (!overtaken) this.#fresh = false;
    if (stale()) return;
    this.#controller.disturbed(localNow(), punctual ? lesson : "other", this.#anchor.rate);
    player.setRate(this.#anchor.rate / 1000); // some players forget it until they run
  }

  get #startKind() {
    return this.#fresh ? "seek_start" : "start";
  }

  async #seek(player, position) {
    this.#fresh = true;
    this.#seeks += 1;
    await Promise.race([player.seek(position), sleep(SEEK_WAIT_MILLIS)]);
  }

  #applyRate() {
    this.#player.setRate(this.#anchor.rate / 1000);
    this.#controller.disturbed(localNow(), "other", this.#anchor.rate);
    this.#schedule();
  }

  #schedule() {
    clearTimeout(this.#timer);
    if (!this.#player || this.#following) return;
    const { cadence, deadline } = this.#controller;
    const wait = deadline === null ? cadence : Math.min(cadence, Math.max(0, deadline - localNow()));
    this.#timer = setTimeout(() => this.measure(), wait / 1000);
  }

  /** Takes one sample and carries out what it calls for. Also called when a hidden page is woken by a message. */
  measure() {
    const player = this.#player;
    if (!player || this.#following || !this.#anchor) return;
    const now = localNow();
    const { sight, drift } = this.#look(player, now);
    const changed = drift !== this.drift;
    this.drift = drift;
    const clock = this.#clock.estimate();
    if (clock !== null) this.#controller.doubts(clock.bound(now));
    if (sight !== null) this.#obey(player, this.#controller.observe(now, sight));
    this.#setRight(player, now);
    if (changed) this.#changed();
    this.#schedule();
  }

  #look(player, now) {
    const nothing = (sight) => ({ sight, drift: null });
    const session = this.#clock.session(now);
    if (session === null || !this.#anchor.playing || session < this.#anchor.at) return nothing(null);
    if (player.activity === "seeking" || player.activity === "loading") return nothing("busy");
    if (player.activity === "stalled") return nothing("stalled");
    if (player.activity !== "playing") return nothing("away");
    const sample = player.sample(now);
    const target = this.target(sample.at);
    if (this.#duration !== null && target >= this.#duration) return nothing(null);
    const drift = Math.round(sample.position - target);
    return { sight: { drift, rate: sample.rate }, drift };
  }

  #obey(player, order) {
    const room = this.#anchor.rate / 1000;
    switch (order.order) {
      case "slew":
        this.#slews += 1;
        player.setRate(room * order.factor);
        break;
      case "rest":
        player.setRate(room);
        break;
      case "step":
        this.#steps += 1;
        player.seek(this.target(localNow() + order.lead));
        this.#say(null);
        break;
      case "give_up":
        this.#say("This player cannot keep up. Try a lower quality, or close other tabs.");
        break;
    }
  }

  #say(trouble) {
    if (this.trouble === trouble) return;
    this.trouble = trouble;
    this.#changed();
  }

  /** A deviation nobody meant (a browser that paused a hidden tab, a player that started itself) is undone. */
  #setRight(player, now) {
    const plays = player.activity === "playing";
    const stands = player.activity === "paused" || player.activity === "ended";
    const over = this.#duration !== null && this.target() >= this.#duration - 500_000;
    const deviant = this.#anchor.playing ? stands && !over : plays;
    const session = this.#clock.session(now);
    const early = session === null || session < this.#anchor.at;
    const answered = now - player.actedAt > ANSWER_MICROS;
    if (!deviant || early || !answered) {
      this.#deviantSince = null;
    } else if (this.#deviantSince === null) {
      this.#deviantSince = now;
    } else if (now - this.#deviantSince > DEVIATION_MICROS) {
      this.follow();
    }
  }
}
