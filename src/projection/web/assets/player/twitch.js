// How Twitch's embedded player is spoken to: numbered commands out, partial states in.
//
// It knows no rates, so it is kept in step by jumps alone; a channel that is live has no common
// timeline, so there only playing and standing are shared. It opens on pages by https, and on
// `localhost`; elsewhere its own answer forbids the frame, and the guest is told before it tries.

import { FramedPlayer } from "./framed.js";

const ORIGIN = "https://player.twitch.tv";
const COMMANDS = "twitch-embed-player-proxy";
const EVENTS = ["twitch-embed", "twitch-embed-player"];
const [PAUSE, PLAY, SEEK, MUTED, VOLUME] = [2, 3, 4, 10, 11];
const STATES = { Idle: "paused", Ready: "paused", Buffering: "buffering", Playing: "playing", Ended: "ended" };

/** Whether Twitch lets its player be framed by this page; a sentence where it does not. */
export function twitchRefusal({ protocol, hostname }) {
  if (protocol === "https:" || hostname === "localhost") return null;
  return "Twitch shows its player only on pages opened by https. Ask the host for an https link, or join from the Séance program.";
}

export const twitch = (stage, media, startMicros, hooks) => new FramedPlayer(stage, wire(media, startMicros), startMicros, hooks);

function wire(media, startMicros) {
  const live = media.provider === "twitch_live";
  const query = new URLSearchParams({ parent: location.hostname, autoplay: "false", muted: "false" });
  if (live) query.set("channel", media.id);
  else query.set("video", `v${media.id}`);
  if (!live && startMicros > 0) query.set("time", `${Math.floor(startMicros / 1e6)}s`);
  const order = (eventName, params = null) => ({ eventName, params, namespace: COMMANDS });
  let started = false;
  return {
    site: "Twitch",
    origin: ORIGIN,
    src: `${ORIGIN}/?${query}`,
    allow: "autoplay; fullscreen",
    live,
    knock: null,
    hear(message, told) {
      if (message === null || typeof message !== "object") return;
      const { namespace, eventName, params } = message;
      if (namespace === COMMANDS && eventName === "UPDATE_STATE" && params !== null && typeof params === "object") {
        told.ready();
        told.length(params.duration);
        if (Object.hasOwn(STATES, params.playback)) {
          const state = STATES[params.playback];
          started ||= state === "playing" || state === "buffering";
          told.state(started ? state : "unstarted");
        }
        told.time(params.currentTime);
      } else if (EVENTS.includes(namespace)) {
        if (eventName === "ready") told.ready();
        if (eventName === "playbackBlocked") told.blocked();
        if (eventName === "offline" && live) told.failed("This channel is not live on Twitch at the moment.", "not_live");
      }
    },
    play: () => order(PLAY),
    pause: () => order(PAUSE),
    seek: (secs) => order(SEEK, secs),
    rate: null,
    volume: (part, muted) => [order(VOLUME, part), order(MUTED, muted)],
  };
}
