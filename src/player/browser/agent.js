// The player's hands inside a page.
//
// Runs in a world of its own beside every document Chrome opens in our window:
// the page cannot see, call or patch it. It finds the film's <video>, does as
// it is told, measures, and tells what the *user* did; all else (whether a
// deviation matters, what to say to people) is decided in Rust, which takes
// nothing from here on trust.
//
// Echo by identity. `want` is the state this agent last wrote, recorded at the
// moment of writing. A media event that shows that state is its echo. One that
// shows another state is the user's act only if a trusted input on the player
// came before it; otherwise it is a deviation, which the next measurement shows
// and nobody is told.
//
// @TELL@ and @NONCE@ are filled in when Chrome is started.
(() => {
  "use strict";
  // Frames inside the page (advertisements, comments) are none of ours.
  if (window.top !== window || globalThis.seance) return;

  // -- numbers, with their reasons --
  const CREDIT_MS = 700; // an input's effect shows within this: a site's double-click wait (200-300 ms) and a slow page
  const SETTLE_OWN_MS = 40; // our own film page: the browser's controls act within one task
  const SETTLE_SITE_MS = 250; // sites wrap a seek in pause and play; wait for the wrapping's end
  const LANDING_MS = 2000; // some players never say `seeked`
  const BAR_PX = 100; // how high Chrome's control bar is, with room for larger letters
  const HOLD_MS = 5000; // a key whose release was lost (focus left) is not held for ever
  const SAME_PLACE_S = 0.05; // two positions that are one: a frame and its rounding
  const STANDS_S = 0.02; // a site's film this near its frame is not moved for it
  const LANDED_MS = 300; // a site's player may not have begun to seek before
  const LANDING_SITE_MS = 5000; // a seek that has not landed by then has, wherever it stands
  const LAST_S = 0.15; // so far from its end a site's film is stopped: past it the site shows something else
  const GUARD_S = 1.5; // from so far the end is watched; looks come four a second
  const UNMOVED_MS = 1500; // a player of its own that has not started by then was not allowed to
  const END_S = 0.25; // players stop this far from the end, and call it paused
  const SPIN_MS = 6; // timers are late by some ms: wait the last ones in a loop
  const NO_VIDEO_MS = 8000; // a page without a video for so long has none; should one come, it is taken all the same
  const NO_FILM_MS = 15000; // a site's player that is only slow has shown its film by then
  const TRIES_MAX = 3; // a player that lands elsewhere each time has its reasons (a film shorter than the start)
  const FINE_MAX = 0.01; // as in engine/sync/controller.rs: a change of rate whose pitch nobody hears
  const ROUNDING = 1e-3; // of rates: nothing that is meant lies between FINE_MAX and this
  const REASSERT_MAX = 3; // a site that writes its own rate is answered so often, then left alone

  const tell = (message) => globalThis["@TELL@"](JSON.stringify(message));
  const now = () => performance.now();

  // -- state --
  let load = 0; // the load in force; 0: none
  let kind = "page"; // "file" | "page" | "site": one with a player of its own, see sites/bridge.js
  let traits = {}; // what the site's player is like
  let address = ""; // where the film is
  let id = ""; // the site's name for the film
  let start = 0; // where the film is to stand when it is ready
  let el = null; // the film's element
  let ears = null; // ends the listeners on `el`
  let ready = false; // the film stood at its start once
  let shown = false; // "ready" was told
  let gone = false; // "failed" was told
  let halted = false; // this is not the film's page: nothing may play by itself
  let blocked = false; // Chrome wants a click before it plays
  let stalled = false; // `waiting` without `playing`
  let stalledAt = 0; // since when
  let over = false; // "ended" was told
  let adverts = false; // an advertisement ran when last looked
  let nudged = false; // a film that loads only when played was played once
  let since = 0; // when this load began
  let tries = 0; // seeks to the start so far
  let strange = 0; // since when the site shows another film
  let reasserts = 0;
  let watching = false; // the page is being looked at
  let sought = true; // the film has not run since it was last moved: such a start takes longer
  let movedAt = -Infinity; // when this agent last sought
  let doorstep = false; // this document asked to sign in, or the like
  const live = { on: false, at: 0, since: 0, runs: false }; // a stream without a timeline: a clock of our own
  const want = { playing: false, rate: 1, target: null };

  // -- the site's own player, asked across worlds --
  const ask = (order, value) => {
    let answer = null;
    const hear = (event) => {
      answer = event.detail;
    };
    document.addEventListener("seance-answer-@NONCE@", hear, { once: true });
    document.dispatchEvent(
      new CustomEvent("seance-ask-@NONCE@", { detail: JSON.stringify({ order, value }) }),
    );
    document.removeEventListener("seance-answer-@NONCE@", hear);
    try {
      const read = JSON.parse(answer);
      return read !== null && typeof read === "object" ? read : {};
    } catch {
      return {};
    }
  };
  const finite = (value) => typeof value === "number" && Number.isFinite(value);

  const hasPlayer = () => kind === "site";
  const does = (order) => hasPlayer() && Array.isArray(traits.does) && traits.does.includes(order);
  /** Asks the site's player for it; false where the element must be told instead. */
  const order = (name, value) => {
    if (!does(name)) return false;
    ask(name, value);
    return true;
  };

  // What the site's player says; an empty answer where there is none.
  const site = () => (hasPlayer() ? ask("read") : {});
  const livePosition = () => live.at + (live.runs ? (now() - live.since) / 1000 : 0);
  const markLive = (at = livePosition()) => {
    live.at = at;
    live.since = now();
    live.runs = el !== null && !el.paused;
  };
  const position = (said = site()) => {
    if (live.on) return Math.max(0, livePosition());
    // The element of a player of its own counts something else.
    const own = traits.own ? (want.target ?? start) : el ? el.currentTime : 0;
    const at = finite(said.time) ? said.time : own;
    return Math.max(0, finite(at) ? at : 0);
  };
  const duration = (said = site()) => {
    if (live.on) return null;
    const own = el && !traits.own ? el.duration : NaN;
    const length = finite(said.duration) && said.duration > 0 ? said.duration : own;
    // A day of film is a live stream's way of saying "no end".
    return finite(length) && length > 0 && length < 86400 ? length : null;
  };
  const atEnd = (said = site()) => {
    if (el && el.ended) return true;
    const length = duration(said);
    return length !== null && position(said) >= length - END_S;
  };
  const grid = () => (hasPlayer() ? (finite(traits.grid) ? traits.grid : 1) : SAME_PLACE_S);
  const samePlace = (a, b) => live.on || Math.abs(a - b) <= grid();

  const fail = (why) => {
    if (gone || load === 0) return;
    gone = true;
    tell({ say: "failed", load, why });
  };

  // -- writing: each records what it expects, then writes --
  const writePause = () => {
    want.playing = false;
    cancelStart();
    if (!el || adverts) return;
    order("pause");
    if (!traits.own && !el.paused) el.pause();
  };
  const writePlay = () => {
    want.playing = true;
    over = false;
    if (!el || adverts) return;
    if (live.on && el.paused) order("edge");
    order("play");
    if (!el.paused) return;
    if (traits.own) return watchStart();
    el.play().then(
      () => unblock(),
      (error) => {
        if (error.name === "NotAllowedError") block();
      },
    );
  };
  // A player of its own does not say that Chrome refused it.
  let starting = 0;
  const watchStart = () => {
    clearTimeout(starting);
    starting = setTimeout(() => {
      const refused = want.playing && ready && !adverts && !over && el && el.paused && !site().busy;
      if (refused && !navigator.userActivation.hasBeenActive) block();
    }, UNMOVED_MS);
  };
  const block = () => {
    if (blocked) return;
    blocked = true;
    sign.show();
    tell({ say: "needs_click", load });
  };
  const unblock = () => {
    blocked = false;
    sign.hide();
  };
  // One sentence over the film; clicks go through it to the page.
  const sign = {
    box: null,
    show() {
      if (this.box) return;
      this.box = document.createElement("div");
      this.box.textContent = "Click to join with sound";
      this.box.style.cssText =
        "all:initial;position:fixed;inset:0;margin:auto;width:fit-content;height:fit-content;padding:.8em 1.4em;" +
        "border-radius:.6em;background:#000c;color:#fff;font:600 22px system-ui,sans-serif;" +
        "pointer-events:none;z-index:2147483647";
      document.documentElement.append(this.box);
    },
    hide() {
      this.box?.remove();
      this.box = null;
    },
  };
  const writeSeek = (to) => {
    gesture.sought = null; // the user's own unfinished seek is overruled
    want.target = to;
    over = false;
    sought = true;
    movedAt = now();
    if (!el || adverts) return;
    if (live.on) {
      // There is nowhere to go but the edge.
      want.target = null;
      markLive(to);
      if (!el.paused) order("edge");
      return;
    }
    if (!order("seek", to) && !traits.own) el.currentTime = to;
  };
  const writeRate = (rate) => {
    want.rate = rate;
    if (!el || adverts || live.on) return;
    order("rate", rate);
    // Keeping the pitch costs Chromium some 20 ms of film each time it starts to, so a fine
    // pulse would never arrive; without it the same pulse is exact, and not heard.
    el.preservesPitch = Math.abs(rate - 1) > FINE_MAX + ROUNDING;
    // A new source falls back to the default rate: write both.
    el.defaultPlaybackRate = rate;
    el.playbackRate = rate;
  };

  // -- starting at a moment --
  let begin = null; // { at, timer }
  const cancelStart = () => {
    if (begin) clearTimeout(begin.timer);
    begin = null;
  };
  const startAt = (at) => {
    cancelStart();
    begin = { at, timer: 0 };
    waitForStart(begin);
  };
  const waitForStart = (mine) => {
    if (begin !== mine) return;
    const left = mine.at - now();
    if (left > SPIN_MS) {
      mine.timer = setTimeout(() => waitForStart(mine), Math.max(0, left - SPIN_MS));
      return;
    }
    while (now() < mine.at);
    begin = null;
    writePlay();
  };

  // -- the user's acts --
  let input = -Infinity; // when a trusted input last touched the player
  const held = new Map(); // pointers and keys that are down, since when
  const freshGesture = () => ({ toggled: false, stoodAt: null, sought: null, aim: null, rated: false, since: 0 });
  let gesture = freshGesture();
  let judging = 0;

  const isHeld = () => {
    for (const [what, since] of held) if (now() - since > HOLD_MS && what.startsWith("key")) held.delete(what);
    return held.size > 0;
  };
  const credited = () => isHeld() || now() - input < CREDIT_MS || byNativeControls();

  // Chrome keeps the events of its own control bar to itself: of a press on the bar's button the
  // page sees only that the user touched the page within the last seconds. On our own film page
  // nobody else could have acted; on others the pointer or the focus must be on the bar as well.
  let pointer = { x: -1, y: -1 };
  window.addEventListener(
    "pointermove",
    (event) => {
      if (event.isTrusted) pointer = { x: event.clientX, y: event.clientY };
    },
    { capture: true, passive: true },
  );
  const byNativeControls = () => {
    if (!el || !el.controls || !navigator.userActivation.isActive) return false;
    if (kind === "file" || document.activeElement === el) return true;
    const box = el.getBoundingClientRect();
    return (
      pointer.x >= box.left && pointer.x <= box.right && pointer.y <= box.bottom && pointer.y >= box.bottom - BAR_PX
    );
  };

  // Whether an input is meant for the player: on the element, its container, or the controls over it.
  const concerns = (event) => {
    if (!el) return false;
    const path = event.composedPath();
    if (path.includes(el)) return true;
    const player = typeof traits.box === "string" ? document.querySelector(traits.box) : null;
    if (player !== null && path.includes(player)) return true;
    const box = el.getBoundingClientRect();
    return (
      event.clientX >= box.left &&
      event.clientX <= box.right &&
      event.clientY >= box.top &&
      event.clientY <= box.bottom
    );
  };
  const writes = (target) =>
    target instanceof Element &&
    (target.isContentEditable || target.matches("input:not([type=range]), textarea, select"));

  const onInput = (event) => {
    if (!event.isTrusted || load === 0) return;
    const key = event.type.startsWith("key");
    // A drag on the timeline of Chrome's bar shows as a capture of the pointer by the element.
    const bar = event.type.endsWith("pointercapture") || event.type === "input";
    const up = ["pointerup", "pointercancel", "keyup", "lostpointercapture"].includes(event.type);
    const name = key ? `key ${event.code}` : bar ? "bar" : "pointer";
    const ours = bar ? event.target === el : key ? !writes(event.target) : concerns(event);
    if (up ? !held.has(name) : !ours) return;
    input = now();
    if (up) {
      held.delete(name);
      judgeSoon();
    } else if (["pointerdown", "keydown", "gotpointercapture"].includes(event.type) && !held.has(name)) {
      held.set(name, input);
    }
    // The click Chrome asked for may land on a page without controls of its own.
    // Controls of its own act first; ours on top would undo theirs.
    if (blocked && event.type === "click") {
      setTimeout(() => {
        if (blocked && want.playing && el && el.paused) writePlay();
      });
    }
  };
  const inputs = ["pointerdown", "pointerup", "pointercancel", "click", "keydown", "keyup"];
  for (const type of [...inputs, "gotpointercapture", "lostpointercapture", "input"]) {
    window.addEventListener(type, onInput, { capture: true, passive: true });
  }
  window.addEventListener("blur", () => {
    held.clear();
    judgeSoon();
  });
  // A media key or the system's media panel, which sites handle by themselves.
  document.addEventListener("seance-input-@NONCE@", () => {
    input = now();
  });

  // The film's own window has the keys of the guest page; they are the user's acts like any other.
  const keys = {
    " ": () => (el.paused ? el.play().catch(() => {}) : el.pause()),
    k: () => keys[" "](),
    j: () => keys.step(-10),
    l: () => keys.step(10),
    ArrowLeft: () => keys.step(-5),
    ArrowRight: () => keys.step(5),
    m: () => {
      el.muted = !el.muted;
    },
    f: () => (document.fullscreenElement ? document.exitFullscreen() : el.requestFullscreen()).catch(() => {}),
  };
  Object.defineProperty(keys, "step", {
    value(by) {
      el.currentTime = Math.min(Math.max(0, el.currentTime + by), duration() ?? Infinity);
    },
  });
  window.addEventListener(
    "keydown",
    (event) => {
      if (kind !== "file" || !ready || !event.isTrusted) return;
      if (event.ctrlKey || event.altKey || event.metaKey || !Object.keys(keys).includes(event.key)) return;
      // Chrome's controls would act as well, on some of these keys and with some focus.
      event.preventDefault();
      event.stopImmediatePropagation();
      if (event.repeat && !event.key.startsWith("Arrow")) return;
      keys[event.key]();
    },
    { capture: true },
  );

  // One gesture is one act: it is judged when it is over and the player is at rest.
  const judgeSoon = () => {
    if (!gesture.toggled && gesture.sought === null && !gesture.rated) return;
    if (gesture.since === 0) gesture.since = now();
    clearTimeout(judging);
    judging = setTimeout(judge, kind === "file" ? SETTLE_OWN_MS : SETTLE_SITE_MS);
  };
  const judge = () => {
    if (!el) return;
    const seeks = hasPlayer() && site().busy === true && now() - gesture.since < LANDING_SITE_MS;
    if (isHeld() || seeks || (el.seeking && now() - gesture.since < LANDING_MS)) {
      // Release and landing judge again; this is for those that never come.
      clearTimeout(judging);
      judging = setTimeout(judge, 250);
      return;
    }
    const act = gesture;
    gesture = freshGesture();
    if (adverts) return;
    // Focus left inside Chrome's bar would keep our keys from us.
    if (kind === "file") el.focus();
    const said = site();
    const playing = !el.paused;
    // One input explains one act: what a site does on its own soon after is not the user's as well.
    if (kind !== "file") input = -Infinity;
    const stands = position(said);
    const landedOurs = act.aim !== null && samePlace(stands, act.aim);
    if (act.sought !== null && !landedOurs && !live.on) {
      over = false;
      // A player may still have told the old place when it began to seek.
      const late = hasPlayer() && Math.abs(stands - act.sought) > 2 * grid();
      tell({ say: "seeked", load, to: late ? stands : act.sought });
    }
    if (act.toggled && playing !== want.playing && !(atEnd(said) && !playing)) {
      want.playing = playing;
      cancelStart();
      if (playing) over = false;
      tell(
        playing
          ? { say: "played", load }
          : { say: "paused", load, at: act.stoodAt === null ? position(said) : act.stoodAt },
      );
    }
    if (act.rated && !sameRate()) {
      want.rate = el.playbackRate;
      el.defaultPlaybackRate = el.playbackRate;
      tell({ say: "rated", load, rate: want.rate });
    }
  };
  const sameRate = () => el !== null && Math.abs(el.playbackRate - want.rate) < 1e-3;

  // -- the element's events --
  const heard = {
    pause() {
      markLive();
      if (!ready || adverts || over || !want.playing || atEnd()) return;
      if (!credited()) return;
      // Touched before the data ran out, paused after: the page waits for data.
      if (hasPlayer() && stalled && input < stalledAt && !isHeld()) return;
      gesture.toggled = true;
      gesture.stoodAt = position();
      judgeSoon();
    },
    play() {
      if (halted && !credited()) return el.pause();
      if (!ready) return prime();
      if (adverts || !credited()) return;
      if (want.playing && !gesture.toggled) return;
      gesture.toggled = true;
      judgeSoon();
    },
    playing() {
      stalled = false;
      unblock();
      sought = false;
      markLive();
    },
    waiting() {
      if (!stalled) stalledAt = now();
      stalled = true;
    },
    timeupdate() {
      if (el && el.readyState >= 3) stalled = false;
    },
    seeking() {
      sought = true;
      if (!ready || adverts) return;
      const at = position();
      const echo = want.target !== null && samePlace(at, want.target);
      const touched = input > movedAt || isHeld();
      // A site's player may tell the old place yet: after a touch, where it lands decides.
      if (echo && !(hasPlayer() && touched)) return;
      if (!credited()) return;
      // Sites answer late: until ours has landed, only a touch after it can be about another.
      if (hasPlayer() && want.target !== null && !touched) return;
      gesture.aim = echo ? want.target : null;
      want.target = null;
      gesture.sought = at;
      judgeSoon();
    },
    seeked() {
      stalled = false;
      if (adverts) return;
      // Landed, if perhaps not where it was sent: sites have grids of their own.
      if (el && !el.seeking && !traits.own) want.target = null;
      landed();
      if (!ready) return prime();
      judgeSoon();
    },
    ratechange() {
      if (!ready || adverts || sameRate()) return;
      if (credited()) {
        gesture.rated = true;
        judgeSoon();
      } else if (reasserts < REASSERT_MAX) {
        reasserts += 1;
        writeRate(want.rate);
      }
    },
    ended() {
      if (!ready || adverts || over || !atEnd()) return;
      over = true;
      cancelStart();
      tell({ say: "ended", load });
    },
    loadedmetadata() {
      prime();
    },
    loadeddata() {
      prime();
    },
    canplay() {
      prime();
    },
    emptied() {
      // The same element gets another source: a site's advertisement or next film.
      stalled = false;
      if (kind === "file") ready = false;
    },
    error() {
      if (hasPlayer() || !el || !el.error) return; // its player says why, or takes another source
      fail(el.error.code === MediaError.MEDIA_ERR_NETWORK ? "broken" : "undecodable");
    },
  };

  const take = (found) => {
    if (found === el) return;
    if (ears) ears.abort();
    el = found;
    ears = null;
    if (!el) return;
    ears = new AbortController();
    for (const type of Object.keys(heard)) {
      el.addEventListener(
        type,
        (event) => {
          if (event.target !== el) return;
          // Whose event it is depends on whether an advertisement has the element by now.
          if (hasPlayer()) look();
          heard[type]();
        },
        { signal: ears.signal },
      );
    }
    el.preservesPitch = true;
    if (ready && !adverts) {
      // The page swapped its element under us: what was wanted holds for the new one.
      writeRate(want.rate);
      if (!want.playing) writePause();
    }
    prime();
  };

  // -- finding the film --
  const area = (video) => {
    const box = video.getBoundingClientRect();
    const style = getComputedStyle(video);
    const visible = style.visibility !== "hidden" && style.display !== "none";
    return visible ? box.width * box.height : 0;
  };
  const find = () => {
    if (hasPlayer()) {
      let named = null;
      const hear = (event) => {
        const film = event.composedPath()[0];
        if (film instanceof HTMLVideoElement) named = film;
      };
      document.addEventListener("seance-film-@NONCE@", hear);
      ask("find");
      document.removeEventListener("seance-film-@NONCE@", hear);
      // A player that hides its film for a moment, as behind an advertisement's element, keeps it.
      return named ?? (el && el.isConnected ? el : null);
    }
    if (kind === "file") return document.querySelector("video");
    let best = null;
    let bestRank = -1;
    for (const video of document.querySelectorAll("video")) {
      const sourced = video.currentSrc !== "" || video.srcObject !== null;
      const rank = area(video) + (sourced ? 1e9 : 0);
      // Later in the document wins a tie.
      if (rank > 0 && rank >= bestRank) {
        best = video;
        bestRank = rank;
      }
    }
    // A film that plays is not dropped for one that merely appeared, unless its own element left.
    if (el && el.isConnected && area(el) * 1.5 >= (best ? area(best) : 0) && el.currentSrc) return el;
    return best;
  };

  // -- looking at the page --
  // The words of a site for why nothing plays; anything else it says is dropped.
  const REASONS = [
    "unavailable", "login", "profile", "age", "region", "not_yet", "consent", "gate", "wall", "press", "no_drm", "site_error",
  ];
  const reason = (word) => (REASONS.includes(word) ? word : null);
  const look = () => {
    if (load === 0) return;
    const said = site();
    const ad = said.ad === true;
    if (ad !== adverts) {
      adverts = ad;
      if (!ad) afterAdvert();
    }
    if (!hasPlayer()) return;
    if ((said.live === true) !== live.on && el && el.readyState > 0) {
      markLive(position(said));
      live.on = said.live === true;
    }
    const why = reason(said.status);
    if (why) {
      if (["login", "profile"].includes(why)) doorstep = true;
      return fail(why);
    }
    if (!ad && typeof said.id === "string" && said.id !== id && (said.id !== "" || doorstep)) {
      if (strange === 0) strange = now();
      // Right after a navigation the player may still name the film before.
      if (now() - strange > (ready ? 300 : 3000)) {
        // Signed in, and led elsewhere: the film is what was asked for.
        if (doorstep) {
          doorstep = false;
          strange = 0;
          location.assign(address);
          return;
        }
        writePause();
        fail(ready || !traits.own ? "left" : "other");
      }
    } else {
      strange = 0;
      doorstep = false;
      // Back from another video, or the site's message is answered.
      if (gone && ready) {
        gone = false;
        tell({ say: "ready", load });
      }
    }
    landed(said);
    guardEnd(said);
    if (!ad && ready && want.playing && !over && el && el.paused && !credited()) order("tidy");
  };
  // Where no `seeked` comes, or an early one, the place itself says that a seek has landed.
  const landed = (said = site()) => {
    if (want.target === null || !hasPlayer()) return;
    const age = now() - movedAt;
    const there = el && !el.seeking && said.busy !== true && samePlace(position(said), want.target);
    if ((there && age > LANDED_MS) || age > LANDING_SITE_MS) want.target = null;
  };
  // Past a film's end its site shows the next one. Stopped just before, it cannot; the room decides.
  let guard = 0;
  const left = (said) => {
    const length = duration(said);
    const runs = hasPlayer() && ready && !adverts && !over && el && !el.paused;
    return runs && length !== null ? (length - position(said)) / Math.max(el.playbackRate, 0.1) : Infinity;
  };
  const guardEnd = (said = site()) => {
    const rest = left(said);
    if (rest > GUARD_S) return;
    clearTimeout(guard);
    guard = setTimeout(() => {
      if (left(site()) > 2 * LAST_S) return;
      over = true;
      cancelStart();
      order("pause");
      if (!traits.own) el.pause();
      tell({ say: "ended", load });
    }, Math.max(0, (rest - LAST_S) * 1000));
  };
  // What was asked for during the advertisement is done now.
  const afterAdvert = () => {
    if (!ready) return prime();
    writeRate(want.rate);
    if (want.target !== null) writeSeek(want.target);
    if (want.playing) writePlay();
    else writePause();
  };

  // -- making ready --
  const show = () => {
    if (shown) return;
    shown = true;
    gone = false;
    tell({ say: "ready", load });
  };
  const prime = () => {
    if (load === 0 || ready || !el) return;
    if (adverts) return show(); // it has to run; measurements say what it is
    const said = site();
    if (!traits.own && (kind !== "page" || !el.currentSrc)) el.preload = "auto";
    if (hasPlayer() && ((typeof said.id === "string" && said.id !== id) || reason(said.status))) return;
    // The player's functions come some time after its element.
    if (traits.own && !finite(said.time)) return;
    if (el.readyState < 1) {
      if (said.idle === true && !nudged) {
        nudged = true;
        order("play");
      }
      return;
    }
    if (!el.paused) {
      writePause();
      return; // `pause` events are quick; the next look goes on
    }
    if (el.seeking || said.busy === true) return;
    if (live.on) markLive(start);
    if (!samePlace(position(said), start) && tries < TRIES_MAX) {
      if (want.target !== null) return;
      tries += 1;
      return writeSeek(start);
    }
    if (el.readyState < 2) return;
    writeRate(want.rate);
    want.target = null;
    ready = true;
    show();
  };

  const turn = () => {
    take(find());
    look();
    prime();
    const waited = now() - since;
    if (el || shown || waited < NO_VIDEO_MS) return;
    const hint = reason(site().hint);
    // A page that waits for a press waits for ever.
    if (!hasPlayer() || hint === "press" || waited > NO_FILM_MS) fail(hint ?? "no_video");
  };
  let turning = 0;
  const turnSoon = () => {
    if (turning === 0) {
      turning = setTimeout(
        () => {
          turning = 0;
          turn();
        },
        kind === "file" ? 20 : hasPlayer() ? 50 : 200,
      );
    }
  };

  // -- the orders, called from Rust; each answers JSON --
  const orders = {
    load(film) {
      ({ load, kind, id, start, url: address } = film);
      traits = {};
      if (kind === "site") traits = ask("traits");
      // A page of the site that has no player is one like any other.
      if (kind === "site" && !Array.isArray(traits.does)) kind = "page";
      live.on = doorstep = false;
      unblock();
      halted = ready = shown = gone = over = nudged = false;
      sought = true;
      want.playing = false;
      want.target = null;
      tries = 0;
      since = now();
      want.rate = film.rate;
      if (kind === "file") {
        const video = document.querySelector("video");
        video.src = location.href;
        video.focus();
        mediaKeys();
      }
      if (watching) return turn();
      watching = true;
      new MutationObserver(turnSoon).observe(document, {
        subtree: true,
        childList: true,
        attributes: true,
        attributeFilter: ["src", "class"],
      });
      setInterval(turn, hasPlayer() ? 250 : 1000);
      turn();
    },
    play({ at }) {
      startAt(at);
    },
    pause({ at }) {
      writePause();
      if (!samePlaceExactly(at)) writeSeek(at);
    },
    seek({ to }) {
      writeSeek(to);
    },
    rate({ rate }) {
      reasserts = 0;
      writeRate(rate);
    },
    halt() {
      halted = true;
      cancelStart();
      const hush = () => {
        for (const media of document.querySelectorAll("video, audio")) media.pause();
      };
      hush();
      document.addEventListener(
        "play",
        (event) => {
          if (halted && now() - input > CREDIT_MS) event.target.pause();
        },
        true,
      );
    },
    clock() {},
    go({ to }) {
      location.assign(to);
    },
  };
  const samePlaceExactly = (at) => Math.abs(position() - at) < (hasPlayer() ? STANDS_S : 0.0005);

  const sample = () => {
    if (load !== 0 && hasPlayer()) look();
    const said = load === 0 ? {} : site();
    const rate = el && el.playbackRate >= 0.0625 && el.playbackRate <= 16 ? el.playbackRate : 1;
    let activity = "loading";
    if (adverts) activity = "advert";
    else if (!el || !ready) activity = "loading";
    else if (blocked && el.paused) activity = "needs_click";
    else if (el.ended || (el.paused && over)) activity = "ended";
    else if (el.seeking || said.busy === true) activity = "seeking";
    else if (el.paused) activity = "paused";
    else if (el.readyState < 3 || stalled) activity = "stalled";
    else activity = "playing";
    // The clock is read on both sides of the position: what lies between them is no error.
    const before = now();
    const at = ready ? position(said) : start;
    const after = now();
    return { now: (before + after) / 2, position: at, rate, activity, duration: duration(said) };
  };

  // Our own film page has no one else to answer the media keys.
  const mediaKeys = () => {
    const session = navigator.mediaSession;
    if (!session) return;
    const act = (what) => (details) => {
      input = now();
      if (el && ready) what(details);
    };
    const step = (by) => () => {
      el.currentTime = Math.max(0, el.currentTime + by);
    };
    const actions = {
      play: () => el.play().catch(() => {}),
      pause: () => el.pause(),
      seekbackward: step(-10),
      seekforward: step(10),
      seekto: ({ seekTime }) => {
        if (finite(seekTime)) el.currentTime = seekTime;
      },
    };
    for (const [action, what] of Object.entries(actions)) {
      try {
        session.setActionHandler(action, act(what));
      } catch {
        // An older Chrome does not know this action.
      }
    }
  };

  globalThis.seance = {
    order(name, order) {
      orders[name](order);
      return JSON.stringify({ now: now(), sought });
    },
    sample() {
      return JSON.stringify(sample());
    },
  };
  // Documents without a body yet are fine: the orders come later.
  const hello = () => tell({ say: "hello", href: location.href.slice(0, 2048) });
  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", hello, { once: true });
  } else {
    hello();
  }
  // A page that comes back from Chrome's cache of pages left kept its agent, not its orders' truth.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) hello();
  });
})();
