// YouTube in its own iframe, by the messages its widget speaks; no script of theirs runs here.
//
// Messages are JSON strings. What comes back is partial and is merged. Only messages of our
// frame and of its origin are read. Whether a person clicked inside the frame cannot be seen
// from here, so a change of state counts as theirs only when nothing else explains it: no
// command of ours is unanswered, the film ran (or stood) steadily before, nothing stalled,
// and the new state lasts.

import { localNow } from "../clock.js";

const ORIGIN = "https://www.youtube-nocookie.com";
const UNSTARTED = -1;
const ENDED = 0;
const PLAYING = 1;
const PAUSED = 2;
const BUFFERING = 3;
const CUED = 5;

/** As often as the vendor's own script knocks until the frame answers. */
const LISTEN_EVERY_MILLIS = 250;
/** A frame that has not answered by now is blocked or offline. */
const ANSWER_MILLIS = 20_000;
/** A state a person chose lasts; those around seeks, ads and stalls do not. */
const STEADY_MILLIS = 300;
/** A pause this soon after a stall belongs to it (DESIGN §4). */
const STALL_SHADOW_MICROS = 1_500_000;
/** A command without its state by now is given up; it can only cause a correction. */
const COMMAND_MICROS = 10_000_000;
/** Commands travel in milliseconds; a second is long enough for each to have had its effect. */
const ANSWERED_MICROS = 1_000_000;
/** "Playing" this long without a tick, or with time standing still, is a stall or an ad. */
const SILENT_MICROS = 2_500_000;
/** `playVideo` gives no answer; still unstarted by now means the browser wants a click. */
const CLICK_MICROS = 2_500_000;
/** A seek lands on a key frame; further off than this it has not landed yet. */
const NEAR_MICROS = 3_000_000;
/** A paused film's seek may pass without a word; it is over by now unless the frame still fetches. */
const SEEK_MILLIS = 2_000;
/** Ticks come four a second; so many make a line. */
const TICKS = 8;
/** A tick further from the line than this is a seek, not noise. */
const JUMP_MICROS = 250_000;

const EVENTS = ["onReady", "onStateChange", "onError", "onPlaybackRateChange", "onAutoplayBlocked"];

const SENTENCES = {
  2: "This YouTube link names no video. Ask for the right link.",
  5: "YouTube's player failed. Reload this page, or open the video on YouTube.",
  100: "This video was removed from YouTube or made private. Ask for another one.",
  101: "YouTube does not show this video outside its own site.",
  150: "YouTube does not show this video outside its own site.",
  152: "YouTube did not accept this page. Open the video on YouTube, or join from the Séance program.",
  153: "YouTube wants to know which page shows its video, and the browser did not say. Allow referrers for this page, or open the video on YouTube.",
};

/** The same for the room. */
const REASONS = {
  2: "unavailable", 100: "unavailable", 101: "not_embeddable", 150: "not_embeddable", 152: "not_embeddable", 153: "not_embeddable",
};

/** What an error code means to a person, and whether opening it on YouTube helps. */
export function errorSentence(code, host) {
  const byAddress = /^(\d+\.){3}\d+$|^\[/.test(host);
  if ((code === 101 || code === 150) && byAddress) {
    return `${SENTENCES[code]} It also refuses pages opened by number (${host}); ask the host for a link with a name.`;
  }
  return SENTENCES[code] ?? `YouTube's player stopped with error ${code}. Open the video on YouTube.`;
}

export class YoutubePlayer {
  /** Seeks land on key frames; nearer than this is not worth another. */
  frameMicros = 300_000;
  /** Rates are rounded to twentieths. */
  habits = { slewMin: 0.05 };
  ready = false;
  failed = null;
  actedAt = -Infinity;

  #frame;
  #hooks;
  #abort = new AbortController();
  #knocking = 0;
  #judging = 0;
  #info = {};
  #id;
  #ticks = [];
  #heardAt = localNow();
  #movedAt = localNow();
  #stalledAt = -Infinity;
  /** The command that no state has answered yet: `{ state, since }`. */
  #expected = null;
  #wanted = PAUSED;
  #seekTo = null;
  #clickNeeded = false;
  #clicksAsked = 0;

  /** `stage`: where the frame goes; `hooks` as for a file. */
  constructor(stage, media, startMicros, hooks) {
    this.#hooks = hooks;
    this.#id = `seance-${Date.now()}`;
    const frame = document.createElement("iframe");
    const query = new URLSearchParams({
      enablejsapi: "1",
      origin: location.origin,
      playsinline: "1",
      rel: "0",
      controls: "0",
      disablekb: "1",
      fs: "0",
      iv_load_policy: "3",
      start: String(Math.floor(startMicros / 1e6)),
    });
    frame.title = "YouTube";
    frame.allow = "autoplay; encrypted-media; fullscreen; picture-in-picture";
    // Their player refuses a page that does not say who it is (error 153); ours says nothing else.
    frame.referrerPolicy = "strict-origin-when-cross-origin";
    frame.className = "embed";
    frame.src = `${ORIGIN}/embed/${encodeURIComponent(media.id)}?${query}`;
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
    switch (this.#info.playerState) {
      case PLAYING:
        if (now - this.#heardAt > SILENT_MICROS) return "stalled";
        return now - this.#movedAt > SILENT_MICROS ? "advert" : "playing";
      case BUFFERING: return "stalled";
      case ENDED: return "ended";
      default: return "paused";
    }
  }

  /** A click on our page was not enough: Firefox and Safari may want one in the frame. */
  get clickInside() {
    return this.#clicksAsked > 1;
  }

  sample(now) {
    const rate = this.#info.playbackRate ?? 1;
    if (this.#ticks.length === 0) return { at: now, position: (this.#info.currentTime ?? 0) * 1e6, rate };
    // The mean of what each tick says about now: their jitter is a message's way.
    const offs = this.#ticks.map(({ at, position }) => position - at * rate);
    const line = offs.reduce((sum, off) => sum + off, 0) / offs.length;
    const { at } = this.#ticks.at(-1);
    return { at, position: line + at * rate, rate };
  }

  async play() {
    this.#clickNeeded = false;
    this.#expect(PLAYING);
    this.#command("playVideo");
    const { signal } = this.#abort;
    setTimeout(() => {
      const state = this.#info.playerState ?? UNSTARTED;
      const still = this.#wanted === PLAYING && (state === UNSTARTED || state === CUED);
      if (still && !signal.aborted) this.#needClick();
    }, CLICK_MICROS / 1000);
  }

  pause() {
    const stood = this.#wanted === PAUSED && !this.#expected
      && [PAUSED, CUED, UNSTARTED].includes(this.#info.playerState ?? UNSTARTED);
    if (stood) return; // a command that changes nothing would never be answered
    this.#expect(PAUSED);
    this.#command("pauseVideo");
  }

  seek(micros) {
    this.#ticks = [];
    const cued = [UNSTARTED, CUED, ENDED].includes(this.#info.playerState ?? UNSTARTED);
    this.#seekTo?.done(); // overtaken
    const landed = new Promise((done) => {
      const aim = { micros, since: localNow(), done };
      this.#seekTo = aim;
      setTimeout(() => {
        if (this.#seekTo === aim && this.#info.playerState !== BUFFERING) this.#landed(aim);
      }, SEEK_MILLIS);
    });
    this.#command("seekTo", micros / 1e6, true);
    // From these states a seek starts the film; where it should stand, it is stopped again.
    if (cued && this.#wanted === PAUSED) {
      this.#expected = null;
      this.#expect(PAUSED);
      this.#command("pauseVideo");
    }
    return landed;
  }

  setRate(factor) {
    if (Math.abs((this.#info.playbackRate ?? 1) - factor) < 1e-3) return;
    this.#ticks = [];
    this.#command("setPlaybackRate", factor);
  }

  setVolume(volume, muted) {
    this.#command("setVolume", Math.round(volume * 100));
    this.#command(muted ? "mute" : "unMute");
  }

  destroy() {
    this.#abort.abort();
    clearInterval(this.#knocking);
    clearTimeout(this.#judging);
    this.#frame.remove();
  }

  #post(message) {
    this.#frame.contentWindow?.postMessage(JSON.stringify({ ...message, id: this.#id, channel: "widget" }), ORIGIN);
  }

  #command(func, ...args) {
    this.#post({ event: "command", func, args });
  }

  /** Each load is a new player that has heard nothing yet. */
  #knock() {
    clearInterval(this.#knocking);
    const since = localNow();
    this.#knocking = setInterval(() => {
      this.#post({ event: "listening" });
      if (localNow() - since > ANSWER_MILLIS * 1000) {
        clearInterval(this.#knocking);
        this.#fail("YouTube does not answer. Check your connection and your blockers, then reload this page.", "unreachable");
      }
    }, LISTEN_EVERY_MILLIS);
    this.#post({ event: "listening" });
  }

  #heard({ origin, source, data }) {
    if (origin !== ORIGIN || source !== this.#frame.contentWindow || typeof data !== "string") return;
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    this.#heardAt = localNow();
    const info = message?.info;
    switch (message?.event) {
      case "readyToListen":
        this.#knock();
        break;
      case "initialDelivery":
      case "infoDelivery":
        if (info !== null && typeof info === "object") this.#merge(info);
        break;
      case "onReady":
        break;
      case "onStateChange":
        if (typeof info === "number") this.#merge({ playerState: info });
        break;
      case "onError":
        this.#fail(errorSentence(Number(info), location.hostname), REASONS[Number(info)]);
        break;
      case "onAutoplayBlocked":
        this.#needClick();
        break;
      default:
        return;
    }
    if (!this.ready && this.failed === null && (message.event === "onReady" || message.event === "initialDelivery")) {
      this.#becomeReady();
    }
  }

  #becomeReady() {
    clearInterval(this.#knocking);
    for (const name of EVENTS) this.#command("addEventListener", name);
    this.ready = true;
    this.#hooks.ready();
  }

  #merge(info) {
    const before = this.#info;
    this.#info = { ...before, ...info };
    if (typeof info.currentTime === "number") this.#tick(info);
    if (typeof info.playerState === "number" && info.playerState !== before.playerState) {
      this.#moved(before.playerState ?? UNSTARTED, info.playerState);
    }
    if (typeof info.duration === "number" && info.duration > 0 && info.duration !== before.duration
      && !this.#info.videoData?.isLive) {
      this.#hooks.duration(Math.round(info.duration * 1e6));
    }
    if (typeof info.playbackRate === "number" && info.playbackRate !== before.playbackRate) this.#ticks = [];
    if (info.videoData?.title) this.#hooks.title(String(info.videoData.title));
  }

  #tick(info) {
    const now = localNow();
    // The stamp is this machine's own wall clock, so its age is known; nonsense is not believed.
    const age = Date.now() / 1000 - (info.currentTimeLastUpdated_ ?? this.#info.currentTimeLastUpdated_ ?? 0);
    const at = age >= 0 && age < 5 ? now - Math.round(age * 1e6) : now;
    const position = info.currentTime * 1e6;
    const last = this.#ticks.at(-1);
    if (last && position === last.position) return;
    this.#movedAt = now;
    const rate = this.#info.playbackRate ?? 1;
    if (last && Math.abs(position - last.position - (at - last.at) * rate) > JUMP_MICROS) this.#ticks = [];
    this.#ticks.push({ at, position });
    if (this.#ticks.length > TICKS) this.#ticks.shift();
    this.#arrived(position);
  }

  /** A seek has landed when time is near its aim and the frame is not fetching. */
  #arrived(position) {
    const aim = this.#seekTo;
    if (!aim || this.#info.playerState === BUFFERING) return;
    if (Math.abs(position - aim.micros) > NEAR_MICROS) return;
    this.#landed(aim);
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
    this.#ticks = [];
    this.#movedAt = now;
    if (state === PLAYING) {
      this.#clickNeeded = false;
      this.#clicksAsked = 0;
    }
    if (before === BUFFERING || state === BUFFERING) this.#stalledAt = now;
    clearTimeout(this.#judging);
    // A command to do what is done already is answered by nothing; having stood in its state long enough is the answer.
    const stood = this.#expected?.state === before && now - this.#expected.since > ANSWERED_MICROS;
    if (stood) this.#expected = null;
    const given = this.#expected;
    if (given && (given.state === state || now - given.since > COMMAND_MICROS)) this.#expected = null;
    const chosen = state === PAUSED || state === PLAYING;
    const explained = given || this.#seekTo || state === this.#wanted
      || now - this.#stalledAt < STALL_SHADOW_MICROS || before === UNSTARTED || before === CUED || before === ENDED;
    if (chosen && !explained) this.#judge(state, now);
    this.#hooks.changed();
  }

  /** Nothing explains this state; if it lasts, a person chose it. */
  #judge(state, since) {
    this.actedAt = since;
    this.#judging = setTimeout(() => {
      if (this.#info.playerState !== state || document.visibilityState === "hidden") return;
      this.#wanted = state;
      this.#hooks.act(state === PAUSED ? "pause" : "play", Math.round(this.sample(localNow()).position));
    }, STEADY_MILLIS);
  }

  #needClick() {
    if (!this.#clickNeeded) this.#clicksAsked += 1;
    this.#clickNeeded = true;
    this.#hooks.changed();
  }

  #fail(sentence, why) {
    clearInterval(this.#knocking);
    this.failed = sentence;
    this.ready = false;
    this.#hooks.failed(sentence, why);
  }
}
