// The viewer's hands on the film: buttons, keys and media keys, and how the controls look.
//
// What is pressed here goes out as an ask; the film moves when the room's event comes back. Only
// the sound is the viewer's own.

import { localNow } from "./clock.js";
import { $, face, say, taste } from "./dom.js";
import { currentDuration, currentItem, upcoming } from "./fold.js";
import { clockFace, longFace, mayUndo, undoOf, undoable } from "./story.js";
import { labelOf } from "./media.js";
import { toast } from "./toast.js";

/** A frame somebody saw further from the room's line than this says nothing (the room's own limit). */
const FRAME_MICROS_MAX = 2_000_000;
/** Key presses that move the film are gathered this long, so that ten of them are one seek. */
const GATHER_MILLIS = 250;
/** The undo stays this long. */
const UNDO_MILLIS = 6_000;
/** Controls over a full-screen film hide after this long without a move. */
const REST_MILLIS = 3_000;

/** The width of a bar's thumb, as the stylesheet has it. */
const THUMB_PIXELS = 14;

/** What each control needs to be allowed. */
const NEEDS = { play: "play", pause: "play", seek: "seek", rate: "rate" };

export class Transport {
  #room;
  #dragging = false;
  /** Where quick presses add up to, before they are one seek. */
  #gathered = null;
  #undo = { timer: 0, seq: null };
  #resting = 0;
  /** Where the film was when the party was closed. */
  #left = null;
  #volume = Math.min(100, Math.max(0, Number(taste.get("volume") ?? 100) || 0));
  #muted = taste.get("muted") === "yes";

  /**
   * `room`: `state()`, `me()`, `live()`, `closed()` whether the host ended the party, `can(action)`,
   * `ask(intent, via, aim)`, `driver()`, `title()` and `length()` for what this page's player knows of the film,
   * and `redraw()`.
   */
  constructor(room) {
    this.#room = room;
    this.#listen();
    this.#listenToKeys();
    this.#listenToMediaKeys();
    face($("back"), "back", "Back 10 seconds", "Back 10 seconds (J)");
    face($("forward"), "forward", "Forward 10 seconds", "Forward 10 seconds (L)");
    face($("next"), "next", "Play the next film", "Play the next film (N)");
  }

  /** Whether the viewer wants no sound. */
  get muted() {
    return this.#muted;
  }

  /** The event whose undo is offered, or null. */
  get offered() {
    return this.#undo.seq;
  }

  /** Asks for a move of the film that is on. */
  control(intent, via) {
    const { can, ask } = this.#room;
    if (!can(NEEDS[Object.keys(intent)[0]]) || !this.#item) return;
    const { item, generation } = this.#anchor;
    ask(intent, via, { item, generation });
  }

  /** Gives a player the viewer's volume. */
  tune(player) {
    player?.setVolume(this.#volume / 100, this.#muted);
  }

  offerUndo(entry) {
    clearTimeout(this.#undo.timer);
    this.#undo = { seq: entry.seq, timer: setTimeout(() => this.hideUndo(), UNDO_MILLIS) };
    say($("undo-text"), entry.text);
    $("undo").hidden = false;
    $("undo-button").hidden = !mayUndo(this.#state, this.#room.me(), undoable(this.#state));
  }

  hideUndo() {
    clearTimeout(this.#undo.timer);
    this.#undo.seq = null;
    $("undo").hidden = true;
  }

  /** An offer that the room would refuse by now goes. */
  checkUndo() {
    if (this.#undo.seq !== null && undoOf(this.#state, this.#undo.seq) === null) this.hideUndo();
  }

  /** Draws everything but the time. */
  draw() {
    const { can, closed, live, title } = this.#room;
    const item = this.#item;
    const able = (action) => item !== null && can(action);
    const running = this.#anchor.playing && !this.#atEnd && !closed();
    face($("play"), running ? "pause" : "play", running ? "Pause" : "Play", running ? "Pause (Space)" : "Play (Space)");
    $("play").disabled = !able("play");
    // What somebody may not do at all is not shown; what cannot be done now is.
    const never = (action) => live() && !can(action);
    for (const id of ["back", "forward"]) {
      $(id).disabled = !able("seek");
      $(id).hidden = never("seek");
    }
    $("speed").disabled = !able("rate");
    $("speed-line").hidden = never("rate");
    $("seek").disabled = !able("seek") || this.#length === null;
    showSpeed(this.#anchor.rate);
    const name = item ? item.title ?? title() ?? labelOf(item.media) : "";
    say($("film"), name);
    if ($("film").title !== name) $("film").title = name;
    const silent = this.#muted || this.#volume === 0;
    face($("mute"), silent ? "silent" : "sound", this.#muted ? "Unmute" : "Mute", this.#muted ? "Unmute (M)" : "Mute (M)");
    const shown = this.#muted ? 0 : this.#volume;
    $("volume").value = shown;
    $("volume").style.setProperty("--fill", `${shown}%`);
    face($("full"), document.fullscreenElement ? "small" : "full", "Full screen", "Full screen (F)");
  }

  drawTime() {
    const seek = $("seek");
    const duration = this.#length;
    const here = this.#dragging ? Number(seek.value) * 1e6 : this.#gathered?.to ?? this.#position;
    say($("time"), longFace(here));
    say($("duration"), duration === null ? "–:––:––" : longFace(duration));
    const end = duration === null ? 1 : duration / 1e6;
    if (Number(seek.max) !== end) seek.max = String(end);
    if (!this.#dragging) seek.value = String(duration === null ? 0 : Math.floor(here / 1e6));
    seek.style.setProperty("--fill", `${duration === null ? 0 : Math.min(100, (here / duration) * 100)}%`);
    seek.setAttribute("aria-valuetext", duration === null ? clockFace(here) : `${clockFace(here)} of ${clockFace(duration)}`);
  }

  get #state() {
    return this.#room.state();
  }

  get #anchor() {
    return this.#state.timeline.anchor;
  }

  get #item() {
    return currentItem(this.#state);
  }

  /** Where the film is for this viewer, in microseconds. */
  get #position() {
    const here = this.#room.driver()?.target() ?? this.#anchor.position;
    this.#left = this.#room.closed() ? this.#left ?? here : null;
    return this.#left ?? here;
  }

  /** How long the film is: as the room has it, or, where nobody told it yet, as it is here. */
  get #length() {
    return currentDuration(this.#state) ?? (this.#item ? this.#room.length() : null);
  }

  get #atEnd() {
    const duration = currentDuration(this.#state);
    return duration !== null && this.#position >= duration;
  }

  #pause(via) {
    const player = this.#room.driver().player;
    const here = player?.activity === "playing" ? Math.round(player.sample(localNow()).position) : null;
    const believable = here !== null && here >= 0 && Math.abs(here - this.#position) < FRAME_MICROS_MAX;
    this.control({ pause: { at: believable ? here : null } }, via);
  }

  #toggle(via) {
    if (this.#anchor.playing && !this.#atEnd) this.#pause(via);
    else this.control(this.#atEnd ? { seek: { to: 0 } } : { play: {} }, via);
  }

  /** Moves by some microseconds; quick presses add up to one seek. */
  #nudge(by, via) {
    if (!this.#room.can("seek") || !this.#item) return;
    clearTimeout(this.#gathered?.timer);
    const end = currentDuration(this.#state) ?? Number.MAX_SAFE_INTEGER;
    const to = Math.min(Math.max(0, Math.round((this.#gathered?.to ?? this.#position) + by)), end);
    this.#gathered = { to, timer: setTimeout(() => {
      this.#gathered = null;
      this.control({ seek: { to } }, via);
    }, GATHER_MILLIS) };
    this.drawTime();
  }

  /** Takes back what the offer names; without one, whatever was done last. */
  #takeBack(via) {
    const { seq } = this.#undo;
    this.hideUndo();
    this.#room.ask({ undo: { seq } }, via);
  }

  /** Goes on to what comes next. */
  #playNext(via) {
    const { can, ask } = this.#room;
    const next = upcoming(this.#state.queue);
    if (next === null || !can("play") || !can("queue")) return;
    ask(this.#item ? { next: { item: this.#anchor.item } } : { play_now: { item: next.item } }, via);
  }

  #setVolume(value, silent) {
    this.#volume = Math.min(100, Math.max(0, value));
    this.#muted = silent;
    taste.set("volume", String(this.#volume));
    taste.set("muted", this.#muted ? "yes" : "no");
    this.tune(this.#room.driver()?.player);
    this.#room.redraw();
  }

  #listen() {
    const press = (id, act) => $(id).addEventListener("click", act);
    press("play", () => this.#toggle("page"));
    press("back", () => this.#nudge(-10e6, "page"));
    press("forward", () => this.#nudge(10e6, "page"));
    press("next", () => this.#playNext("page"));
    press("mute", () => this.#setVolume(this.#volume, !this.#muted));
    press("full", toggleFull);
    press("undo-button", () => this.#takeBack("page"));
    press("hold-stop", () => this.control({ pause: { at: null } }, "page"));
    press("hold-start", () => this.control({ play: {} }, "page"));
    press("video", () => this.#toggle("page"));
    $("video").addEventListener("dblclick", toggleFull);
    $("volume").addEventListener("input", () => this.#setVolume(Number($("volume").value), false));
    $("speed").addEventListener("change", () => {
      this.control({ rate: { rate: Number($("speed").value) } }, "page");
      this.draw(); // shows the room's speed until the room agrees
    });
    $("seek").addEventListener("input", () => {
      this.#dragging = true; // a preview: only what is let go is asked for
      this.drawTime();
    });
    // Where a click would go, before it takes everybody there.
    $("seek").addEventListener("pointermove", (event) => this.#point(event));
    for (const name of ["pointerleave", "pointercancel"]) {
      $("seek").addEventListener(name, () => { $("there").hidden = true; });
    }
    $("seek").addEventListener("change", () => {
      this.#dragging = false;
      this.control({ seek: { to: Math.round(Number($("seek").value) * 1e6) } }, "page");
    });
    document.addEventListener("fullscreenchange", () => this.#room.redraw());
    const theatre = $("theatre");
    for (const name of ["pointermove", "pointerdown", "keydown"]) {
      theatre.addEventListener(name, () => {
        theatre.classList.remove("resting");
        clearTimeout(this.#resting);
        this.#resting = setTimeout(() => theatre.classList.add("resting"), REST_MILLIS);
      });
    }
  }

  #point({ clientX, pointerType }) {
    const seek = $("seek");
    $("there").hidden = seek.disabled || (pointerType !== "mouse" && !this.#dragging);
    if ($("there").hidden) return;
    const { left, width } = seek.getBoundingClientRect();
    // The thumb stays within the bar, so its middle goes from one radius to the other.
    const part = Math.min(1, Math.max(0, (clientX - left - THUMB_PIXELS / 2) / (width - THUMB_PIXELS)));
    say($("there"), longFace(Math.round(part * Number(seek.max)) * 1e6));
    $("there").style.setProperty("--there", `${clientX - left}px`);
  }

  #listenToKeys() {
    const keys = {
      " ": () => this.#toggle("key"),
      k: () => this.#toggle("key"),
      j: () => this.#nudge(-10e6, "key"),
      l: () => this.#nudge(10e6, "key"),
      ArrowLeft: () => this.#nudge(-5e6, "key"),
      ArrowRight: () => this.#nudge(5e6, "key"),
      ArrowUp: () => this.#setVolume(this.#volume + 5, false),
      ArrowDown: () => this.#setVolume(this.#volume - 5, this.#muted),
      f: toggleFull,
      m: () => this.#setVolume(this.#volume, !this.#muted),
      n: () => this.#playNext("key"),
      u: () => this.#takeBack("key"),
      c: () => document.fullscreenElement || $("say-input").focus(),
      r: () => {
        if (this.#state.hold?.waiting.includes(this.#room.me())) this.#room.ask({ say_ready: {} }, "key");
      },
    };
    document.addEventListener("keydown", (event) => {
      if (event.altKey || $("room").hidden) return;
      const { target } = event;
      if (target.matches("input[type=text], textarea, select")) return;
      if (event.ctrlKey || event.metaKey) {
        if (event.shiftKey || event.key.toLowerCase() !== "z") return;
        event.preventDefault();
        this.#takeBack("key");
        return;
      }
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      // What the focused control itself does with a key, it does.
      if (target.matches("button, a") && key === " ") return;
      if (target.matches("input[type=range], #story, [role=tab]") && key.startsWith("Arrow")) return;
      if (!Object.hasOwn(keys, key)) return;
      event.preventDefault();
      keys[key]();
    });
  }

  #listenToMediaKeys() {
    if (!("mediaSession" in navigator)) return;
    const on = (action, run) => {
      try {
        navigator.mediaSession.setActionHandler(action, run);
      } catch {
        // an action this browser does not know
      }
    };
    on("play", () => this.control({ play: {} }, "media_key"));
    on("pause", () => this.#pause("media_key"));
    on("stop", () => this.#pause("media_key"));
    on("seekbackward", ({ seekOffset }) => this.#nudge(-(seekOffset ?? 10) * 1e6, "media_key"));
    on("seekforward", ({ seekOffset }) => this.#nudge((seekOffset ?? 10) * 1e6, "media_key"));
    on("seekto", ({ seekTime }) => this.control({ seek: { to: Math.round(seekTime * 1e6) } }, "media_key"));
  }
}

function toggleFull() {
  const [theatre, video] = [$("theatre"), $("video")];
  if (document.fullscreenElement) {
    document.exitFullscreen();
  } else if (theatre.requestFullscreen) {
    theatre.requestFullscreen().catch(() => toast("The browser did not allow full screen."));
  } else if (video.webkitEnterFullscreen && !video.hidden) {
    video.webkitEnterFullscreen(); // iPhones show only the film itself
  } else {
    toast("This browser has no full screen for this film.");
  }
}

/** Speeds set elsewhere may be none of ours; then they join the list. */
function showSpeed(rate) {
  const select = $("speed");
  const value = String(rate);
  if (![...select.options].some((option) => option.value === value)) {
    select.add(new Option(`${rate / 1000}×`, value));
  }
  if (select.value !== value) select.value = value;
}
