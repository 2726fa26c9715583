// A film file in our own <video>: full stage, no controls but ours.
//
// Because the element has no controls, a person reaches it only through our buttons and keys,
// the media keys (app.js hears those), picture-in-picture and an iPhone's own full screen.
// Only the last two make an unexpected pause or play a person's; every other one is the
// browser's doing and is corrected.

import { localNow } from "../clock.js";
import { fileUrl, siteOf } from "../media.js";
import { FINE_MAX } from "../sync.js";

/** The host of films that go by their name alone: each viewer's mpv finds its own copy. */
const ON_A_DISK = "film.invalid";
/** Of rates: nothing that is meant lies between `FINE_MAX` and this much more. */
const ROUNDING = 1e-3;
/** Readings kept to judge which of the two clocks runs smoother. */
const READINGS = 8;
/** A mobile browser pauses a film just before it says that the page is hidden; a person's act is judged later than that. */
const JUDGE_MILLIS = 300;

/** A film that broke off or did not open is tried again after so long, then later each time. */
const AGAIN_MIN_MILLIS = 2_000;
const AGAIN_MAX_MILLIS = 15_000;

/** What a media element's error means to the room: its network and its decoder, by number. */
const ERRORS = { 2: "unreachable", 3: "format" };

export class FilePlayer {
  /** A standing film is put right past this: what is off here would be off at the next start. */
  frameMicros = 4_000;
  /** Browsers honour any rate. Chromium's starts right after a seek took 65 to 95 ms in all measurements, others under 15. */
  habits = { seekStart: 80_000 };
  ready = false;
  failed = null;
  /** A click anywhere on the page will do. */
  clickInside = false;
  /** When a person last acted inside the player, in local time. */
  actedAt = -Infinity;

  #video;
  #hooks;
  #abort = new AbortController();
  /** The state we last asked for, by which an event is known as an echo. */
  #wanted = "paused";
  #seeking = false;
  #stalled = false;
  #needsClick = false;
  /** Whether it was open once, so that its address and its format are right. */
  #opened = false;
  /** Tries in a row that did not open the film. */
  #tries = 0;
  #again = 0;
  #clockReadings = [];
  #frameReadings = [];

  /**
   * `video`: the page's one element, blessed by the joining click.
   * `hooks`: `ready()`, `changed()`, `duration(micros)`, `act(kind, micros)`, `failed(sentence, why)`.
   */
  constructor(video, media, hooks) {
    this.#video = video;
    this.#hooks = hooks;
    const url = fileUrl(media);
    if (url === null) {
      this.#fail("This is no film address a browser can open. Ask for an https link to a film file.", "unavailable");
      return;
    }
    if (siteOf(media) === ON_A_DISK) {
      this.#fail("This film lies on somebody's disk, where no browser may look. Join from the Séance program, with mpv, to watch your own copy.", "other_player");
      return;
    }
    if (location.protocol === "https:" && url.startsWith("http:")) {
      this.#fail("This film's address is not secure (http), so a secure page cannot show it. Join from the Séance program instead.", "other_player");
      return;
    }
    this.#listen(siteOf(media));
    video.src = url;
    video.preload = "auto";
    video.hidden = false;
    video.load();
    this.#watchFrames();
  }

  get activity() {
    const video = this.#video;
    if (this.failed !== null) return null;
    if (this.#needsClick) return "needs_click";
    if (!this.ready) return "loading";
    if (this.#seeking) return "seeking";
    if (video.ended) return "ended";
    if (video.paused) return "paused";
    return this.#stalled ? "stalled" : "playing";
  }

  /** Where the film is: `{ at, position, rate }`, `at` the local time the position belongs to. */
  sample(now) {
    const rate = this.#video.playbackRate;
    if (this.activity === "playing") {
      const reading = this.#smoother();
      if (reading) return { at: reading.at, position: reading.position, rate };
    }
    return { at: now, position: this.#video.currentTime * 1e6, rate };
  }

  async play() {
    this.#wanted = "playing";
    this.#forget();
    try {
      await this.#video.play();
      this.#needsClick = false;
    } catch (error) {
      // AbortError: a newer pause or load came first. NotSupportedError: `error` fires too.
      if (error.name === "NotAllowedError") this.#needsClick = true;
    }
    this.#hooks.changed();
  }

  pause() {
    this.#wanted = "paused";
    this.#needsClick = false;
    this.#video.pause();
  }

  /** Resolves when the picture stands there and can go on. */
  seek(micros) {
    const video = this.#video;
    this.#forget();
    this.#seeking = true;
    const settled = new Promise((done) => {
      const { signal } = this.#abort;
      const check = () => {
        if (video.seeking || video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA && !video.ended) return;
        for (const name of ["seeked", "canplay", "ended"]) video.removeEventListener(name, check);
        done();
      };
      for (const name of ["seeked", "canplay", "ended"]) video.addEventListener(name, check, { signal });
    });
    video.currentTime = micros / 1e6;
    return settled;
  }

  setRate(factor) {
    if (Math.abs(this.#video.playbackRate - factor) < 1e-6) return;
    this.#forget();
    // Keeping the pitch costs Chromium 20 ms of film each time it starts to (measured: the
    // stretcher fills its window), so a fine pulse would never arrive. Without it the same
    // pulse is exact to 0.5 ms, and a hundredth of the pitch is not heard.
    this.#video.preservesPitch = Math.abs(factor - 1) > FINE_MAX + ROUNDING;
    // A new source would fall back to the default rate, so both are set.
    this.#video.defaultPlaybackRate = factor;
    this.#video.playbackRate = factor;
  }

  setVolume(volume, muted) {
    this.#video.volume = volume;
    this.#video.muted = muted;
  }

  destroy() {
    this.#abort.abort();
    clearTimeout(this.#again);
    this.#video.pause();
    this.#video.removeAttribute("src");
    this.#video.load();
    this.#video.hidden = true;
  }

  #listen(site) {
    const video = this.#video;
    const { signal } = this.#abort;
    const on = (name, act) => video.addEventListener(name, act, { signal });
    const changed = () => this.#hooks.changed();
    on("loadedmetadata", () => {
      this.ready = true;
      this.failed = null;
      this.#opened = true;
      this.#tries = 0;
      if (Number.isFinite(video.duration)) this.#hooks.duration(Math.round(video.duration * 1e6));
      this.#hooks.ready();
    });
    on("seeking", () => { this.#seeking = true; changed(); });
    on("seeked", () => { this.#seeking = false; this.#forget(); changed(); });
    on("waiting", () => { this.#stalled = true; changed(); });
    on("playing", () => { this.#stalled = false; this.#needsClick = false; this.#forget(); this.#observed("playing"); changed(); });
    on("pause", () => { this.#forget(); this.#observed("paused"); changed(); });
    on("ended", changed);
    on("error", () => this.#broke(site));
  }

  /** Says why it does not play, and tries again by itself: most networks come back. */
  #broke(site) {
    const code = this.#video.error?.code;
    this.#seeking = false;
    this.#stalled = false;
    this.#fail(this.#errorSentence(site), ERRORS[code] ?? (this.#opened ? "unreachable" : "unavailable"));
    // What cannot be decoded is not mended by asking for it again.
    if (code === MediaError.MEDIA_ERR_DECODE) return;
    const wait = Math.min(AGAIN_MAX_MILLIS, AGAIN_MIN_MILLIS * 2 ** this.#tries);
    this.#tries += 1;
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#video.load(), wait);
  }

  /** An event equal to what we asked for is an echo; another is a person's only where one can reach the element. */
  #observed(state) {
    const video = this.#video;
    if (state === this.#wanted || video.ended || video.seeking) return;
    const reachable = document.pictureInPictureElement === video || video.webkitDisplayingFullscreen === true;
    if (!reachable) return;
    this.actedAt = localNow();
    setTimeout(() => {
      const now = video.paused ? "paused" : "playing";
      if (this.#abort.signal.aborted || now !== state || now === this.#wanted) return;
      this.#hooks.act(state === "paused" ? "pause" : "play", Math.round(video.currentTime * 1e6));
    }, JUDGE_MILLIS);
  }

  #errorSentence(site) {
    const code = this.#video.error?.code;
    if (code === MediaError.MEDIA_ERR_DECODE) {
      return "This browser cannot decode the film. Join from the Séance program, or try another browser.";
    }
    return this.#opened || code === MediaError.MEDIA_ERR_NETWORK
      ? `The film broke off while loading from ${site}. Check your connection; it goes on by itself.`
      : `The film could not be opened from ${site}, and is tried again by itself. Its address may be wrong, or this browser cannot play its format.`;
  }

  #fail(sentence, why) {
    this.failed = sentence;
    this.ready = false;
    this.#hooks.failed(sentence, why);
  }

  #forget() {
    this.#clockReadings = [];
    this.#frameReadings = [];
  }

  /** Reads both clocks at each shown frame: the element's, and the frame's own stamp. */
  #watchFrames() {
    const video = this.#video;
    if (!("requestVideoFrameCallback" in video)) return;
    const shown = (_now, frame) => {
      if (this.#abort.signal.aborted) return;
      if (this.activity === "playing") {
        keep(this.#frameReadings, Math.round(frame.expectedDisplayTime * 1000), frame.mediaTime * 1e6);
        keep(this.#clockReadings, localNow(), video.currentTime * 1e6);
      }
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  }

  /**
   * The newest frame reading where frames run smoother than `currentTime` (Firefox rounds
   * that to 2 ms or worse); null where `currentTime`, read afresh, is the better clock, as in Chromium.
   */
  #smoother() {
    const frames = this.#frameReadings;
    if (frames.length < READINGS || frames.at(-1).at < localNow() - 250_000) return null;
    const rate = this.#video.playbackRate;
    return spread(frames, rate) < spread(this.#clockReadings, rate) ? frames.at(-1) : null;
  }
}

function keep(readings, at, position) {
  if (readings.length === READINGS) readings.shift();
  readings.push({ at, position });
}

/** How far readings stray from one line of slope `rate`. */
function spread(readings, rate) {
  const offs = readings.map(({ at, position }) => position - at * rate);
  return Math.max(...offs) - Math.min(...offs);
}
