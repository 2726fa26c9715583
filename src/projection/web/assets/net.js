// One member's connection to the room: says hello, hands frames on, asks until answered,
// and comes back by itself.
//
// Liveness is the clock's pings: they are answered at once, so silence means that the
// connection is gone, whatever the browser says of it (phones keep dead sockets "open").
// An unanswered ask is sent again, under its own counter, after every return: the room does
// nothing twice.

import { OffsetClock, localNow } from "./clock.js";

const PROTOCOL = 1;
const SUBPROTOCOL = "seance.v1.json";
/** A dial that has brought no connection by now is given up, and so is a connection without a welcome. */
const DIAL_MILLIS = 8_000;
/** No answer for so long: the connection is dead. */
const SILENCE_MICROS = 12_000_000;
/** After a return from hiding or sleep an answer must come sooner. */
const RETURN_MICROS = 4_000_000;
/** How often somebody at the door is heard. */
const WAITING_MILLIS = 3_000;
const BACK_OFF_MIN_MILLIS = 1_000;
const BACK_OFF_MAX_MILLIS = 30_000;
const TICK_MILLIS = 1_000;
/**
 * How often somebody who was never let in is tried for, as in the program: once for the network's
 * bad moment, once for the host's; then the link or the host is wrong.
 */
const FIRST_DIALS_MAX = 3;
/** Dials after which it is said that the host may be somewhere else by now, as in the program. */
const STRANDED_AFTER = 5;
/** Control that waited longer than this for an answer is no longer meant, as in the program. */
const CONTROL_AGE_MICROS = 10_000_000;
/** What moves the film. */
const CONTROL = new Set(["play", "pause", "seek", "rate", "ready_check"]);
/** Asks that may wait for an answer; more than anybody types during an outage. */
const ASKS_MAX = 64;
/** The wall clock parting from the monotonic one by more: the machine slept, or its time was set. */
const JUMP_MILLIS = 250;
/** Closings after which dialling again cannot help. */
const FINAL = new Set(["replaced", "unruly", "not_admitted", "kicked"]);

/** Refusals that would be no other for somebody new. */
const SAME_FOR_STRANGERS = new Set([
  "name_taken", "wrong_version", "banned", "turned_away", "passcode_needed", "passcode_wrong", "passcode_wait",
]);

const NOBODY_THERE = "The host does not answer. Check the link, or ask whether the party is still on.";
const NOT_DONE = "The connection was gone for too long, so that was not done. Do it again if you still want it.";

/** What each closing means to a person. */
export const CLOSINGS = {
  host_left: "The host closed the party.",
  slow: "The connection was too slow.",
  replaced: "You joined again from somewhere else.",
  unruly: "The connection broke the protocol.",
  not_admitted: "The host did not let you in.",
  log_failed: "The host's disk failed; the party cannot go on there.",
  kicked: "A moderator sent you out of the party.",
};

export class Connection {
  /** The room's clock, kept across connections. */
  clock = new OffsetClock(localNow());
  /** `idle`, `connecting`, `waiting`, `catching_up`, `live`, `lost` or `over`. */
  status = "idle";
  /** Why it is lost or over. */
  reason = "";
  /** When the next dial is, in local time; 0 while none is planned. */
  redialAt = 0;
  member = null;
  roundTrip = null;
  /** How the host closed the last connection, while there is no other; null for a connection that broke. */
  closing = null;
  /** The name of the refusal that brought it back to `idle`, if one did. */
  refusal = "";

  #link;
  #hooks;
  #name = "";
  #passcode = "";
  #socket = null;
  #tail = Infinity;
  #heardAt = 0;
  /** By when something must have been heard, after a return; 0 for no such date. */
  #answerBy = 0;
  #attempts = 0;
  /** Dials in a row that did not bring somebody in who never was in. */
  #unanswered = 0;
  #redialTimer = 0;
  #pingTimer = 0;
  #tickTimer = 0;
  #tickAt = 0;
  #wallGap = Date.now() - performance.now();
  #counter = Date.now();
  /** Asks without an answer yet, each with when it was asked, by counter, in order. */
  #asks = new Map();
  #freshTry = false;
  /** What names us after a broken connection; the browser keeps a copy over a reload, unless it may not. */
  #resume;

  /**
   * `hooks`: `cursor()`, `stamp()`, `event(event)`, `presence(list)`, `moved(to)`, `refused(refused, ask)`,
   * `accepted(ask)`, `knocks(list)`, `secret(invite, secret)`, `status()`, `clock()`, `start_over()`.
   */
  constructor(link, hooks) {
    this.#link = link;
    this.#hooks = hooks;
    this.#resume = this.#kept();
    addEventListener("online", () => this.#returned());
    addEventListener("pageshow", (shown) => { if (shown.persisted) this.#dial(); });
    addEventListener("pagehide", () => this.#send({ bye: {} }));
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#returned();
    });
    document.addEventListener("resume", () => this.#returned());
  }

  /** Whether everything that had happened when we came is folded in, so that asks may go out. */
  get live() {
    return this.status === "live";
  }

  /** Whether it was tried for so long that the host may have another address by now. */
  get stranded() {
    return this.status === "lost" && this.#attempts >= STRANDED_AFTER;
  }

  /** `passcode` is what the party asks newcomers for; empty for nothing. */
  open(name, passcode = "") {
    this.#name = name;
    this.#passcode = passcode;
    this.refusal = "";
    this.#attempts = 0;
    this.#unanswered = 0;
    this.#dial();
    clearInterval(this.#tickTimer);
    this.#tickAt = localNow();
    this.#tickTimer = setInterval(() => this.#tick(), TICK_MILLIS);
  }

  /** Asks the room for something; false while it must not be asked. */
  ask(intent, via, aim) {
    if (!this.live && !this.#keeps(intent)) return false;
    this.#counter += 1;
    const ask = { counter: this.#counter, stamp: this.#hooks.stamp() + 1, via, aim: aim ?? null, intent };
    this.#asks.set(ask.counter, { ask, at: localNow() });
    if (this.live) this.#send({ ask });
    return true;
  }

  /** What is said while the connection is gone is said when it is back; anything else is decided on what is seen then. */
  #keeps(intent) {
    return ("say" in intent || "reply" in intent) && this.member !== null && this.#asks.size < ASKS_MAX
      && (this.status === "lost" || this.status === "catching_up");
  }

  /**
   * Tells the room what a player saw, and waits for no answer: a "no" to it is nobody's business,
   * and what a connection swallowed is told anew, if it still holds. False while it is not heard.
   */
  tell(intent) {
    if (!this.live) return false;
    this.#counter += 1;
    const stamp = this.#hooks.stamp() + 1;
    this.#send({ ask: { counter: this.#counter, stamp, via: "player", aim: null, intent } });
    return true;
  }

  /** Tells the others what our player does. */
  report(report) {
    if (this.live) this.#send({ report });
  }

  /** Tells the host's trace how our player and our clock do. */
  vitals(vitals) {
    if (this.live) this.#send({ vitals });
  }

  /** Dials now instead of waiting. */
  retry() {
    if (this.status === "lost") this.#dial();
  }

  /** Says goodbye for good. */
  leave() {
    this.#send({ bye: {} });
    this.#keep(null);
    this.#end("You left the party.");
  }

  /** Stops dialling; somebody has to press the button again. */
  giveUp(reason) {
    this.#end(reason, "idle");
  }

  /** An event was folded in: perhaps that was the tail. */
  caughtUp(cursor) {
    if (this.status !== "catching_up" || cursor < this.#tail) return;
    this.#attempts = 0;
    this.#set("live");
    const now = localNow();
    for (const [counter, { ask, at }] of this.#asks) {
      if (CONTROL.has(Object.keys(ask.intent)[0]) && now - at > CONTROL_AGE_MICROS) {
        this.#asks.delete(counter);
        this.#hooks.refused({ counter, refusal: "too_old", sentence: NOT_DONE }, ask);
      } else {
        this.#send({ ask });
      }
    }
  }

  /** Counters of this member that the log already knows are never used again; what they asked was done. */
  seenCounter(counter) {
    this.#counter = Math.max(this.#counter, counter);
    this.#answered(counter, (ask) => this.#hooks.accepted(ask));
  }

  /** What came does not follow what we hold: everything is fetched anew. */
  startOver() {
    this.#hooks.start_over();
    this.#lose("What came did not follow; reading everything again.");
  }

  get #storageKey() {
    return `seance.resume.${this.#link.session}`;
  }

  #kept() {
    try {
      return JSON.parse(sessionStorage.getItem(this.#storageKey));
    } catch {
      return null;
    }
  }

  #keep(resume) {
    this.#resume = resume;
    try {
      if (resume === null) sessionStorage.removeItem(this.#storageKey);
      else sessionStorage.setItem(this.#storageKey, JSON.stringify(resume));
    } catch {
      // A browser that keeps nothing for pages: a reload is then somebody new.
    }
  }

  #set(status, reason = "") {
    this.status = status;
    this.reason = reason;
    this.#hooks.status();
  }

  #send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #dial() {
    this.#drop();
    if (this.status === "over") return;
    clearTimeout(this.#redialTimer);
    this.redialAt = 0;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    let socket;
    try {
      socket = new WebSocket(`${scheme}//${location.host}/ws`, SUBPROTOCOL);
    } catch {
      this.#lose("This browser would not connect.");
      return;
    }
    this.#socket = socket;
    this.#set(this.member === null ? "connecting" : "lost", this.member === null ? "" : "Connecting again");
    this.#answerBy = localNow() + DIAL_MILLIS * 1000;
    socket.addEventListener("open", () => {
      if (socket !== this.#socket) return;
      // A passcode is slow to judge, on purpose; a busy host takes its time.
      this.#answerBy = localNow() + DIAL_MILLIS * 1000;
      const { session, secret } = this.#link;
      // Whoever was let in before is not asked again.
      if (this.#passcode && this.member === null) this.#send({ passcode: { passcode: this.#passcode } });
      this.#send({
        hello: {
          version: PROTOCOL, session, secret, name: this.#name, client: "page",
          resume: this.#resume, cursor: this.#hooks.cursor(),
        },
      });
    });
    socket.addEventListener("message", ({ data }) => {
      if (socket === this.#socket) this.#heard(data);
    });
    const gone = () => {
      if (socket === this.#socket) this.#lose("The connection to the host is gone.");
    };
    socket.addEventListener("close", gone);
    socket.addEventListener("error", gone);
  }

  /** Forgets the socket; one that hangs is not waited for. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#pingTimer);
    if (socket) try { socket.close(); } catch { /* it is gone either way */ }
  }

  /** `told`: what the host itself said, by its name; null for what we found out without it. */
  #lose(reason, told = null) {
    this.#drop();
    if (this.status === "over") return;
    if (this.member === null) {
      // Whom the host asks to wait it will let in.
      this.#unanswered = told === "too_fast" ? 0 : this.#unanswered + 1;
      if (this.#unanswered >= FIRST_DIALS_MAX) {
        this.#end(told === null ? NOBODY_THERE : reason, "idle");
        return;
      }
      if (told === null) reason = "The host does not answer yet.";
    }
    const ceiling = Math.min(BACK_OFF_MAX_MILLIS, BACK_OFF_MIN_MILLIS * 2 ** this.#attempts);
    this.#attempts += 1;
    // Jitter, so that a room of pages does not come back as one.
    const wait = ceiling * (0.5 + Math.random() / 2);
    this.redialAt = localNow() + wait * 1000;
    clearTimeout(this.#redialTimer);
    this.#redialTimer = setTimeout(() => this.#dial(), wait);
    this.#answerBy = 0;
    this.#set("lost", reason);
  }

  #end(reason, status = "over") {
    this.#drop();
    clearTimeout(this.#redialTimer);
    clearInterval(this.#tickTimer);
    this.redialAt = 0;
    this.#set(status, reason);
  }

  #heard(data) {
    const now = localNow();
    this.#heardAt = now;
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return; // a newer room's; what we do not know we do not need
    }
    const kind = Object.keys(frame)[0];
    const body = frame[kind];
    switch (kind) {
      case "welcome": return this.#welcome(body);
      case "event": return this.#hooks.event(body);
      case "accepted": return this.#answered(body.counter, (ask) => this.#hooks.accepted(ask));
      case "refused": return this.#refused(body);
      case "pong": return this.#pong(body, now);
      case "waiting": return this.#wait();
      case "knocks": return this.#hooks.knocks(body);
      case "secret": return this.#hooks.secret(body.invite, body.secret);
      case "presence": return this.#hooks.presence(body);
      case "moved": return this.#hooks.moved(body.to);
      case "closing": return this.#closing(body);
      default: return undefined;
    }
  }

  #welcome({ member, token, tail }) {
    this.member = member;
    this.closing = null;
    this.#tail = tail;
    this.#answerBy = 0;
    this.#keep({ member, token });
    this.clock.hurry(localNow());
    this.#ping();
    this.#set("catching_up");
    this.caughtUp(this.#hooks.cursor());
  }

  /** At the door: somebody has to let us in. Pings keep our place. */
  #wait() {
    this.#answerBy = 0;
    this.#attempts = 0;
    this.#unanswered = 0;
    this.#set("waiting");
    this.#ping();
  }

  #answered(counter, then) {
    const asked = this.#asks.get(counter);
    if (!asked) return;
    this.#asks.delete(counter);
    then(asked.ask);
  }

  #refused(refused) {
    if (refused.counter !== null) {
      this.#answered(refused.counter, (ask) => this.#hooks.refused(refused, ask));
      return;
    }
    if (this.status === "live" || this.status === "catching_up") {
      this.#hooks.refused(refused, null);
      return;
    }
    const kind = typeof refused.refusal === "string" ? refused.refusal : Object.keys(refused.refusal)[0];
    // The host's disk is full or failed, not our stay: once that is mended, the evening goes on.
    // Too many came and went just now: that, too, is over in a while.
    if (kind === "too_fast" || ((kind === "read_only" || kind === "unknown_session") && this.#resume)) {
      this.#lose(refused.sentence, kind);
      return;
    }
    // What we hold or claim may be of a party that was here before; once, come as a stranger.
    if ((kind === "ahead" || this.#resume) && !this.#freshTry && !SAME_FOR_STRANGERS.has(kind)) {
      this.#freshTry = true;
      this.#keep(null);
      this.#hooks.start_over();
      this.#dial();
      return;
    }
    this.refusal = kind;
    this.#end(refused.sentence, "idle"); // another name, link or passcode may be tried
  }

  #closing(why) {
    const sentence = CLOSINGS[why] ?? "The host closed the connection.";
    this.closing = why;
    if (FINAL.has(why)) {
      if (this.status !== "idle") this.#end(sentence);
    } else {
      this.#lose(sentence, why);
    }
  }

  #pong(pong, now) {
    this.#answerBy = 0;
    if (this.status === "waiting") return; // the party's clock is told inside
    if (!this.clock.pong(pong, now)) return;
    this.roundTrip = now - pong.t0 - (pong.t2 - pong.t1);
    this.#hooks.clock();
  }

  #ping() {
    clearTimeout(this.#pingTimer);
    const waiting = this.status === "waiting";
    const t0 = waiting ? localNow() : this.clock.ping(localNow());
    if (t0 !== null) this.#send({ ping: { t0 } });
    const wait = waiting ? WAITING_MILLIS : Math.max(10, (this.clock.nextPingAt - localNow()) / 1000);
    this.#pingTimer = setTimeout(() => this.#ping(), wait);
  }

  /** Visible again, online again, awake again: trust nothing until an answer came. */
  #returned() {
    if (this.status === "lost") this.#dial();
    if (this.status !== "live" && this.status !== "catching_up") return;
    const now = localNow();
    this.#answerBy = now + RETURN_MICROS;
    this.clock.hurry(now);
    this.#ping();
  }

  #tick() {
    const now = localNow();
    const late = now - this.#tickAt > 3 * TICK_MILLIS * 1000;
    this.#tickAt = now;
    const gap = Date.now() - performance.now();
    const jumped = Math.abs(gap - this.#wallGap) > JUMP_MILLIS;
    this.#wallGap = gap;
    if (jumped) this.clock.discard(now);
    if (jumped || late) {
      // A throttled or sleeping page heard nothing because it did not run; the silence is no evidence.
      this.#heardAt = now;
      this.#returned();
      return;
    }
    const open = ["live", "catching_up", "waiting"].includes(this.status);
    const silent = open && now - this.#heardAt > SILENCE_MICROS;
    if (silent || (this.#answerBy > 0 && now > this.#answerBy)) this.#lose("The host does not answer.");
    else if (this.redialAt > 0) this.#hooks.status(); // the count-down
  }
}
