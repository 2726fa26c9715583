// What people read: times, drifts and the lines of the story, in the words of the program's
// `projection/view.rs`.

import { nameOf, statePosition } from "./fold.js";
import { labelOf } from "./media.js";

const two = (number) => String(number).padStart(2, "0");

/** `42:10`, `1:02:03`. */
export function clockFace(micros) {
  const secs = Math.floor(micros / 1e6);
  const [hours, minutes] = [Math.floor(secs / 3600), Math.floor(secs / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(secs % 60)}` : `${minutes}:${two(secs % 60)}`;
}

/** `0:42:10`: of one width all through a film, so that nothing jumps. */
export function longFace(micros) {
  const secs = Math.floor(micros / 1e6);
  return `${Math.floor(secs / 3600)}:${two(Math.floor(secs / 60) % 60)}:${two(secs % 60)}`;
}

/** `1×`, `1.25×`. */
export const rateFace = (rate) => `${rate / 1000}×`;

/** `4 s`, `12 min`, `3 h 5 min`. */
export function span(micros) {
  const secs = Math.floor(Math.abs(micros) / 1e6);
  if (secs < 90) return `${secs} s`;
  if (secs < 5400) return `${Math.floor(secs / 60)} min`;
  return `${Math.floor(secs / 3600)} h ${Math.floor(secs / 60) % 60} min`;
}

/** `+12 ms`, `-1.4 s`, `in step`. */
export function driftFace(micros) {
  const off = Math.abs(micros);
  const sign = micros < 0 ? "-" : "+";
  if (off < 1000) return "in step";
  if (off < 1_000_000) return `${sign}${Math.trunc(off / 1000)} ms`;
  return `${sign}${(off / 1e6).toFixed(1)} s`;
}

const LEFT = {
  quit: "left",
  lost: "lost the connection",
  dropped: "was disconnected",
  ended: "was there until the end",
};

/**
 * The line an event makes, given the state *before* it; null for events nobody needs to read.
 * `{ seq, at, moment, wall, by, name, kind: "talk" | "system", text }`.
 */
export function lineOf(before, event) {
  const kind = Object.keys(event.body)[0];
  const body = event.body[kind];
  const entry = {
    seq: event.seq,
    at: event.at,
    moment: statePosition(before, event.at),
    wall: event.wall,
    by: event.by,
    name: event.by === null ? "The room" : nameOf(before, event.by),
    kind: "system",
    text: "",
  };
  switch (kind) {
    case "opened":
      entry.text = `“${body.title}” was opened`;
      return entry;
    case "epoch_started":
      entry.text = `The host was away for ${span(body.gap)}`;
      return body.gap === 0 ? null : entry;
    case "joined":
      entry.name = body.name;
      entry.text = `${body.name} ${before.roster[body.member] ? "is back" : "joined"}`;
      return entry;
    case "left":
      entry.name = nameOf(before, body.member);
      entry.text = `${entry.name} ${LEFT[body.reason] ?? "left"}`;
      return entry;
    case "renamed":
      entry.text = `${entry.name} is now called ${body.name}`;
      return entry;
    case "media_set": {
      entry.moment = body.start;
      const from = body.start > 0 ? ` from ${clockFace(body.start)}` : "";
      entry.text = `${entry.name} loaded ${body.title ?? labelOf(body.media)}${from}`;
      return entry;
    }
    case "played":
      entry.moment = body.position;
      entry.text = `${entry.name} pressed play at ${clockFace(body.position)}`;
      return entry;
    case "paused":
      entry.moment = body.position;
      entry.text = event.by === null && event.cause !== null
        ? `Paused at ${clockFace(body.position)}, where the host was last seen`
        : `${entry.name} paused at ${clockFace(body.position)}`;
      return entry;
    case "seeked":
      entry.text = `${entry.name} went from ${clockFace(entry.moment)} to ${clockFace(body.position)}`;
      return entry;
    case "rate_set":
      entry.text = `${entry.name} set the speed to ${rateFace(body.rate)}`;
      return entry;
    case "said":
      entry.kind = "talk";
      entry.moment = body.moment;
      entry.text = body.text;
      return entry;
    default:
      return null; // measured, and kinds from a newer program
  }
}
