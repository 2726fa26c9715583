// How Vimeo's embedded player is spoken to: objects `{ method, value }` out, `{ event, data }` in.
//
// Replies carry no id, so nothing that is asked waits for one: all that is known comes from events.

import { FramedPlayer } from "./framed.js";

const ORIGIN = "https://player.vimeo.com";
const EVENTS = [
  "play", "playing", "pause", "ended", "timeupdate", "seeking", "seeked", "bufferstart", "bufferend",
  "playbackratechange", "loaded", "error",
];

const ERRORS = {
  PasswordError: ["sign_in", "This video wants a password, which Vimeo asks for on its own site."],
  PrivacyError: ["not_embeddable", "Vimeo does not show this video outside its own site."],
  NotFoundError: ["unavailable", "This video was removed from Vimeo or made private. Ask for another one."],
};

export const vimeo = (stage, media, startMicros, hooks) => new FramedPlayer(stage, wire(media), startMicros, hooks);

function wire(media) {
  const [id, hash] = media.id.split(":");
  const query = new URLSearchParams({ playsinline: "1", autopause: "0", controls: "0", dnt: "1" });
  if (hash) query.set("h", hash);
  const order = (method, value) => ({ method, value });
  const hear = {
    play: (_, told) => told.state("playing"),
    playing: (_, told) => told.state("playing"),
    pause: (_, told) => told.state("paused"),
    ended: (_, told) => told.state("ended"),
    bufferstart: (_, told) => told.state("buffering"),
    bufferend: () => {}, // `playing` or `pause` says into what
    timeupdate(data, told) {
      told.length(data.duration);
      told.time(data.seconds);
    },
    seeked: (data, told) => told.seeked(data.seconds),
    loaded: (_, told) => told.state("unstarted"),
    playbackratechange: (data, told) => told.rate(data.playbackRate),
    error(data, told) {
      if (data.name === "NotAllowedError" && data.method === "play") told.blocked();
      else if (Object.hasOwn(ERRORS, data.name)) {
        const [why, sentence] = ERRORS[data.name];
        told.failed(sentence, why);
      }
    },
  };
  return {
    site: "Vimeo",
    origin: ORIGIN,
    src: `${ORIGIN}/video/${encodeURIComponent(id)}?${query}`,
    allow: "autoplay; encrypted-media; fullscreen; picture-in-picture",
    knock: () => order("ping"),
    hear(message, told) {
      if (message === null || typeof message !== "object") return;
      if (message.method === "ping" || message.event === "ready") {
        told.ready([...EVENTS.map((name) => order("addEventListener", name)), order("getDuration"), order("getVideoTitle")]);
      } else if (message.method === "getDuration") {
        told.length(message.value);
      } else if (message.method === "getVideoTitle" && typeof message.value === "string") {
        told.title(message.value);
      } else if (Object.hasOwn(hear, message.event)) {
        const { data } = message;
        hear[message.event](data !== null && typeof data === "object" ? data : {}, told);
      }
    },
    play: () => order("play"),
    pause: () => order("pause"),
    seek: (secs) => order("setCurrentTime", secs),
    rate: (factor) => order("setPlaybackRate", Math.min(2, Math.max(0.5, factor))),
    volume: (part, muted) => [order("setVolume", part), order("setMuted", muted)],
  };
}
