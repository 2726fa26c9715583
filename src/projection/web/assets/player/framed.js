// A film inside a site's own player, in a frame, driven by messages; no script of theirs runs here.
//
// What every such player shares: the frame, the line through its ticks, what was asked and not
// yet answered, and whose doing a change of state was. How one site's player is spoken to is its
// *wire*, a file of its own. Whether a person clicked inside the frame cannot be seen from here,
// so a change of state counts as theirs only when nothing else explains it: no command of ours is
// unanswered, nothing stalled, no seek is under way, and the new state lasts.

import { localNow } from "../clock.js";

/** As often as a frame is knocked at until it answers. */
const KNOCK_EVERY_MILLIS = 250;
/** A frame that has not answered by now is blocked or offline. */
const ANSWER_MILLIS = 20_000;
/** A state a person chose lasts; those around seeks, ads and stalls do not. */
const STEADY_MILLIS = 300;
/** A pause this soon after a stall belongs to it. */
const STALL_SHADOW_MICROS = 1_500_000;
/** A command without its state by now is given up; it can only cause a correction. */
const COMMAND_MICROS = 10_000_000;
/** A command to do what is done already is answered by nothing; so long is long enough. */
const ANSWERED_MICROS = 1_000_000;
/** "Playing" this long without a tick, or with time standing still, is a stall or an advertisement. */
const SILENT_MICROS = 2_500_000;
/** A start gives no answer; still unstarted by now means the browser wants a click. */
const CLICK_MICROS = 2_500_000;
/** A seek lands on a key frame; further off than this it has not landed yet. */
const NEAR_MICROS = 3_000_000;
/** A paused film's seek may pass without a word; it is over by now. */
const SEEK_MILLIS = 2_000;
/** Ticks come some times a second; so many make a line. */
const TICKS = 8;
/** A tick further from the line than this is a seek, not noise. */
const JUMP_MICROS = 250_000;
/** What is finer than a tick's jitter is not asked for. */
const SLEW_MIN = 0.02;

export class FramedPlayer {
  /** Seeks land on key frames; nearer than this is not worth another. */
  frameMicros = 300_000;
  /** What the controller is told of this kind of player. */
  habits;
  ready = false;
  failed = null;
  actedAt = -Infinity;

  #frame;
  #wire;
  #hooks;
  #abort = new AbortController();
  #knocking = 0;
  #judging = 0;
  /** "unstarted", "playing", "paused", "buffering" or "ended". */
  #state = "unstarted";
  #rate = 1;
  #length = 0;
  #ticks = [];
  /** Whether the line is a guess yet: its one tick is older than the last change. */
  #rough = true;
  #heardAt = localNow();
  #movedAt = localNow();
  #stalledAt = -Infinity;
  /** The command that no state has answered yet: `{ state, since }`. */
  #expected = null;
  #wanted = "paused";
  #seekTo = null;
  #clickNeeded = false;
  #clicksAsked = 0;
  /** A live stream has no timeline: the room's line is followed by a clock, `{ at, since }`. */
  #live = null;

  /**
   * `stage`: where the frame goes; `wire`: `{ site, origin, src, allow, live, slewMin, knock, hear(data, told),
   * play, pause, seek(secs), rate(factor), volume(part, muted) }`, whose orders answer a message or a list of
   * them; without `slewMin` the ticks are what is coarsest. `hooks` as for a file.
   */
  constructor(stage, wire, startMicros, hooks) {
    this.#wire = wire;
    this.habits = { slewMin: wire.slewMin ?? SLEW_MIN };
    this.#hooks = hooks;
    if (wire.live) this.#live = { at: startMicros, since: localNow() };
    else this.#ticks = [{ at: localNow(), position: startMicros }];
    const frame = document.createElement("iframe");
    frame.title = wire.site;
    frame.allow = wire.allow;
    // Players that are shown on some sites only ask where they are; ours says nothing else.
    frame.referrerPolicy = "strict-origin-when-cross-origin";
    frame.className = "embed";
    frame.src = wire.src;
    this.#frame = frame;
    const { signal } = this.#abort;
    window.addEventListener("message", (message) => this.#heard(message), { signal });
    frame.addEventListener("load", () => this.#knock(), { signal });
    // A click into the frame takes the keyboard with it, where it can do nothing; it is taken back.
    window.addEventListener("blur", () => setTimeout(() => {
      if (document.activeElement === frame) frame.blur();
    }, STEADY_MILLIS), { signal });
    stage.append(frame);
  }

  get activity() {
    const now = localNow();
    if (this.failed !== null) return null;
    if (this.#clickNeeded) return "needs_click";
    if (!this.ready) return "loading";
    if (this.#seekTo !== null && now - this.#seekTo.since < COMMAND_MICROS) return "seeking";
    switch (this.#state) {
      case "playing":
        if (this.#live) return "playing";
        if (now - this.#heardAt > SILENT_MICROS) return "stalled";
        return now - this.#movedAt > SILENT_MICROS ? "advert" : "playing";
      case "buffering": return "stalled";
      case "ended": return "ended";
      default: return "paused";
    }
  }

  /** A click on our page was not enough: Firefox and Safari may want one in the frame. */
  get clickInside() {
    return this.#clicksAsked > 1;
  }

  sample(now) {
    if (this.#live) return { at: now, position: this.#livePosition(now), rate: 1 };
    const rate = this.#rate;
    const last = this.#ticks.at(-1);
    if (this.#state !== "playing" || !last) return { at: now, position: last?.position ?? 0, rate };
    // The mean of what each tick says about now: their jitter is a message's way.
    const offs = this.#ticks.map(({ at, position }) => position - at * rate);
    const line = offs.reduce((sum, off) => sum + off, 0) / offs.length;
    return { at: last.at, position: line + last.at * rate, rate };
  }

  async play() {
    this.#clickNeeded = false;
    this.#expect("playing");
    this.#post(this.#wire.play());
    const { signal } = this.#abort;
    setTimeout(() => {
      if (this.#wanted === "playing" && this.#state === "unstarted" && !signal.aborted) this.#needClick();
    }, CLICK_MICROS / 1000);
  }

  pause() {
    const stands = this.#state === "paused" || this.#state === "unstarted";
    if (this.#wanted === "paused" && !this.#expected && stands) return; // it would never be answered
    this.#expect("paused");
    this.#post(this.#wire.pause());
  }

  seek(micros) {
    if (this.#live) {
      this.#live = { at: micros, since: localNow() };
      return Promise.resolve();
    }
    // Until it lands, it stands where it is sent.
    this.#ticks = [{ at: localNow(), position: micros }];
    this.#rough = true;
    this.#seekTo?.done(); // overtaken
    const landed = new Promise((done) => {
      const aim = { micros, since: localNow(), done };
      this.#seekTo = aim;
      setTimeout(() => {
        if (this.#seekTo === aim && this.#state !== "buffering") this.#landed(aim);
      }, SEEK_MILLIS);
    });
    this.#post(this.#wire.seek(micros / 1e6));
    // Before its first start a seek may start the film; where it should stand, it is stopped again.
    if (this.#wanted === "paused" && (this.#state === "unstarted" || this.#state === "ended")) {
      this.#expect("paused");
      this.#post(this.#wire.pause());
    }
    return landed;
  }

  setRate(factor) {
    if (this.#live || !this.#wire.rate || Math.abs(this.#rate - factor) < 1e-3) return;
    this.#bend();
    this.#post(this.#wire.rate(factor));
  }

  setVolume(volume, muted) {
    this.#post(this.#wire.volume(volume, muted));
  }

  destroy() {
    this.#abort.abort();
    this.#stopKnocking();
    clearTimeout(this.#judging);
    this.#frame.remove();
  }

  #livePosition(now) {
    const { at, since } = this.#live;
    return at + (this.#state === "playing" ? now - since : 0);
  }

  #post(messages) {
    for (const message of [messages].flat()) this.#frame.contentWindow?.postMessage(message, this.#wire.origin);
  }

  /** Each load is a new player that has heard nothing yet; one that speaks by itself may have spoken before. */
  #knock() {
    this.#stopKnocking();
    if (this.ready && !this.#wire.knock) return;
    const since = localNow();
    const knock = () => {
      if (this.#wire.knock) this.#post(this.#wire.knock());
      if (localNow() - since > ANSWER_MILLIS * 1000) {
        this.#fail(`${this.#wire.site} does not answer. Check your connection and your blockers, then reload this page.`, "unreachable");
      }
    };
    this.#knocking = setInterval(knock, KNOCK_EVERY_MILLIS);
    knock();
  }

  #stopKnocking() {
    clearInterval(this.#knocking);
    this.#knocking = 0;
  }

  #heard({ origin, source, data }) {
    if (origin !== this.#wire.origin || source !== this.#frame.contentWindow) return;
    this.#heardAt = localNow();
    this.#wire.hear(data, this.#told);
  }

  /** What a wire may tell of its player. */
  #told = {
    ready: (subscriptions = []) => {
      if (this.failed !== null || (this.ready && this.#knocking === 0)) return;
      this.#stopKnocking();
      this.#post(subscriptions);
      if (this.ready) return; // it loaded again, and has heard nothing yet
      this.ready = true;
      this.#hooks.ready();
    },
    state: (state) => {
      if (state !== this.#state) this.#moved(this.#state, state);
    },
    /** It has only now begun to listen. */
    deaf: () => this.#knock(),
    /** `age`: how many seconds ago it stood there, where the player says so. */
    time: (secs, age = 0) => {
      if (Number.isFinite(secs) && secs >= 0 && !this.#live) this.#tick(secs * 1e6, Math.round(age * 1e6));
    },
    seeked: (secs) => {
      const aim = this.#seekTo;
      if (aim && Number.isFinite(secs) && Math.abs(secs * 1e6 - aim.micros) <= NEAR_MICROS) this.#landed(aim);
    },
    rate: (rate) => {
      if (!Number.isFinite(rate) || rate <= 0 || rate === this.#rate) return;
      this.#rate = rate;
      this.#bend();
    },
    length: (secs) => {
      // A day of film is a live stream's way of saying "no end".
      if (!Number.isFinite(secs) || secs <= 0 || secs >= 86_400 || secs === this.#length || this.#live) return;
      this.#length = secs;
      this.#hooks.duration(Math.round(secs * 1e6));
    },
    title: (title) => this.#hooks.title(String(title)),
    blocked: () => this.#needClick(),
    failed: (sentence, why) => this.#fail(sentence, why),
  };

  #tick(position, age) {
    const now = localNow();
    const at = now - age;
    const aim = this.#seekTo;
    if (aim) {
      // A tick from before the landing says nothing, for as long as a landing is waited for.
      const near = this.#state !== "buffering" && Math.abs(position - aim.micros) <= NEAR_MICROS;
      if (!near && now - aim.since < COMMAND_MICROS) return;
      this.#landed(aim);
    }
    const last = this.#ticks.at(-1);
    if (last && position === last.position && !this.#rough) return;
    this.#movedAt = now;
    if (this.#rough) this.#ticks = [];
    this.#rough = false;
    if (last && Math.abs(position - last.position - (at - last.at) * this.#rate) > JUMP_MICROS) this.#ticks = [];
    this.#ticks.push({ at, position });
    if (this.#ticks.length > TICKS) this.#ticks.shift();
  }

  /** The line goes on at another slope: it is drawn anew from the next tick, and guessed from the last until then. */
  #bend() {
    this.#ticks = this.#ticks.slice(-1);
    this.#rough = true;
  }

  #landed(aim) {
    this.#seekTo = null;
    aim.done();
    this.#hooks.changed();
  }

  #expect(state) {
    this.#wanted = state;
    this.#expected = { state, since: localNow() };
    clearTimeout(this.#judging);
  }

  #moved(before, state) {
    const now = localNow();
    if (this.#live) this.#live = { at: this.#livePosition(now), since: now };
    this.#state = state;
    this.#ticks = this.#ticks.slice(-1).map(({ position }) => ({ at: now, position }));
    this.#rough = true;
    this.#movedAt = now;
    if (state === "playing") {
      this.#clickNeeded = false;
      this.#clicksAsked = 0;
    }
    if (before === "buffering" || state === "buffering") this.#stalledAt = now;
    clearTimeout(this.#judging);
    if (this.#expected?.state === before && now - this.#expected.since > ANSWERED_MICROS) this.#expected = null;
    const given = this.#expected;
    if (given && (given.state === state || now - given.since > COMMAND_MICROS)) this.#expected = null;
    const chosen = state === "paused" || state === "playing";
    const explained = given || this.#seekTo || state === this.#wanted
      || now - this.#stalledAt < STALL_SHADOW_MICROS || before === "unstarted" || before === "ended";
    if (chosen && !explained) this.#judge(state, now);
    this.#hooks.changed();
  }

  /** Nothing explains this state; if it lasts, a person chose it. */
  #judge(state, since) {
    this.actedAt = since;
    this.#judging = setTimeout(() => {
      if (this.#state !== state || document.visibilityState === "hidden") return;
      this.#wanted = state;
      this.#hooks.act(state === "paused" ? "pause" : "play", Math.round(this.sample(localNow()).position));
    }, STEADY_MILLIS);
  }

  #needClick() {
    if (!this.#clickNeeded) this.#clicksAsked += 1;
    this.#clickNeeded = true;
    this.#hooks.changed();
  }

  #fail(sentence, why) {
    this.#stopKnocking();
    if (this.failed !== null) return;
    this.failed = sentence;
    this.ready = false;
    this.#hooks.failed(sentence, why);
  }
}
