// How YouTube's embedded player is spoken to: JSON strings both ways, in the words of its widget.
//
// What comes back is partial: a delivery says only what changed since the last one.

import { FramedPlayer } from "./framed.js";

const ORIGIN = "https://www.youtube-nocookie.com";
const EVENTS = ["onReady", "onStateChange", "onError", "onPlaybackRateChange", "onAutoplayBlocked"];
/** By its numbers; 5 is a film that is only cued. */
const STATES = { [-1]: "unstarted", 0: "ended", 1: "playing", 2: "paused", 3: "buffering", 5: "unstarted" };
/** Rates are rounded to twentieths. */
const SLEW_MIN = 0.05;
/** A stamp of another age than this is not the time of its delivery. */
const AGE_MAX_SECS = 5;

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
function errorSentence(code, host) {
  const byAddress = /^(\d+\.){3}\d+$|^\[/.test(host);
  if ((code === 101 || code === 150) && byAddress) {
    return `${SENTENCES[code]} It also refuses pages opened by number (${host}); ask the host for a link with a name.`;
  }
  return SENTENCES[code] ?? `YouTube's player stopped with error ${code}. Open the video on YouTube.`;
}

export const youtube = (stage, media, startMicros, hooks) => new FramedPlayer(stage, wire(media, startMicros), startMicros, hooks);

function wire(media, startMicros) {
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
  const id = `seance-${Date.now()}`;
  const post = (message) => JSON.stringify({ ...message, id, channel: "widget" });
  const order = (func, ...args) => post({ event: "command", func, args });
  let stamp = 0;
  let live = false;

  /** The stamp is this machine's own wall clock, so its age is known; nonsense is not believed. */
  const age = () => {
    const secs = Date.now() / 1000 - stamp;
    return secs >= 0 && secs < AGE_MAX_SECS ? secs : 0;
  };
  const state = (number, told) => {
    if (Object.hasOwn(STATES, number)) told.state(STATES[number]);
  };
  const delivery = (info, told) => {
    if (info === null || typeof info !== "object") return;
    stamp = info.currentTimeLastUpdated_ ?? stamp;
    live = info.videoData ? Boolean(info.videoData.isLive) : live;
    // The time last: it is measured in the state and at the rate that came with it.
    state(info.playerState, told);
    told.rate(info.playbackRate);
    told.time(info.currentTime, age());
    if (!live) told.length(info.duration);
    if (info.videoData?.title) told.title(info.videoData.title);
  };
  const ready = (told) => told.ready(EVENTS.map((name) => order("addEventListener", name)));
  const hear = {
    readyToListen: (_, told) => told.deaf(),
    initialDelivery(info, told) {
      delivery(info, told);
      ready(told);
    },
    infoDelivery: delivery,
    onReady: (_, told) => ready(told),
    onStateChange: state,
    onError: (code, told) => told.failed(errorSentence(Number(code), location.hostname), REASONS[Number(code)]),
    onAutoplayBlocked: (_, told) => told.blocked(),
  };
  return {
    site: "YouTube",
    origin: ORIGIN,
    src: `${ORIGIN}/embed/${encodeURIComponent(media.id)}?${query}`,
    allow: "autoplay; encrypted-media; fullscreen; picture-in-picture",
    slewMin: SLEW_MIN,
    knock: () => post({ event: "listening" }),
    hear(data, told) {
      if (typeof data !== "string") return;
      let message;
      try {
        message = JSON.parse(data);
      } catch {
        return;
      }
      if (Object.hasOwn(hear, message?.event)) hear[message.event](message.info, told);
    },
    play: () => order("playVideo"),
    pause: () => order("pauseVideo"),
    seek: (secs) => order("seekTo", secs, true),
    rate: (factor) => order("setPlaybackRate", factor),
    volume: (part, muted) => [order("setVolume", Math.round(part * 100)), order(muted ? "mute" : "unMute")],
  };
}
