// The guest page: one more projection of the log, with hands.
//
// Events come in by `net`, are folded by `fold`, told by `story`, and followed by `driver`,
// which holds a player to the room's line. What a person does here (to the film: `transport`)
// goes out as an ask and changes nothing until the room's event comes back. Nothing is kept but the resume token
// (for this tab) and taste (name, volume, colours).

import { Answering } from "./answer.js";
import { Chat, answered, speak } from "./chat.js";
import { localNow } from "./clock.js";
import { $, face, make, say, taste } from "./dom.js";
import { askPasscode, knocked, listenToDoor, showDoor, showRoom, stillJoining } from "./door.js";
import { Driver } from "./driver.js";
import { Replay, currentDuration, currentItem, may } from "./fold.js";
import { readLink } from "./link.js";
import { fileUrl, labelOf, pageUrl, siteOf } from "./media.js";
import { CLOSINGS, Connection } from "./net.js";
import { showPeople } from "./people.js";
import { Polls } from "./poll.js";
import { listenToQueue, showQueue } from "./queue.js";
import { FilePlayer } from "./player/file.js";
import { twitch, twitchRefusal } from "./player/twitch.js";
import { vimeo } from "./player/vimeo.js";
import { youtube } from "./player/youtube.js";
import { ReadyCheck } from "./ready.js";
import { listenToRules, sayHint, showRules } from "./rules.js";
import { driftFace, lineOf, undoable, waitingLine } from "./story.js";
import { toast } from "./toast.js";
import { Transport } from "./transport.js";
import { Ways } from "./ways.js";
import { requestsFor, showRequests, showWishes } from "./wishes.js";
import { Witness } from "./witness.js";

/** A drift is told again after this long, if it changed by more than noise. */
const REPORT_EVERY_MICROS = 5_000_000;
const REPORT_PAST_MICROS = 2_000;
/** The host's trace gets a sample this often while something goes on. */
const VITALS_EVERY_MICROS = 1_000_000;
/** Everybody's player learns the length at once; the first to tell is believed, so they take turns. */
const MEASURE_SPREAD_MILLIS = 1_500;
/** Told on the screen and not read out: what comes from everybody at once, or is read out elsewhere. */
const UNSPOKEN = new Set([
  "hold_started", "said_ready", "vote_cast", "vote_withdrawn", "skip_voted", "skip_withdrawn", "poll_answered", "reacted",
  "requested",
]);
/** Less than that is no keyboard, but a browser's own bar. */
const KEYBOARD_PIXELS = 120;

const video = $("video");
const chat = new Chat();
const polls = new Polls((intent) => connection.ask(intent, "page"));
const readiness = new ReadyCheck((intent) => connection.ask(intent, "page"), () => draw());
let link = readLink(location.hash);
let connection = null;
let driver = null;
let witness = null;
let replay = new Replay();
let presence = new Map();
let knocks = [];
let ways = null;
let mountedKey = "";
let shownAnchor = "";
let film = { title: null, note: null, length: null, trouble: null };
let drawn = false;
/** The event of the wait that was read out. */
let waitSpoken = null;
let reported = { activity: undefined, drift: null, at: -Infinity };
let tracedAt = -Infinity;

const state = () => replay.state;
const anchor = () => state().timeline.anchor;
const me = () => connection?.member ?? null;
/** Whether the host ended the party, and not their connection; they may open it again. */
const closed = () => connection?.closing === "host_left";
/** Whether the room would let this viewer do that now. */
const can = (action) => connection !== null && connection.live && may(state(), me(), action);
const transport = new Transport({
  state, me, can,
  live: () => connection?.live ?? false,
  closed,
  ask: (intent, via, aim) => connection.ask(intent, via, aim),
  driver: () => driver,
  title: () => film.title,
  length: () => film.length?.duration ?? null,
  redraw: () => draw(),
});
const answering = new Answering({ state, me, can, ask: (intent, via) => connection.ask(intent, via) });

// ---- The door -------------------------------------------------------------------------

listenToDoor((name, passcode) => {
  bless();
  begin(name, passcode);
});

/** Safari lets an element play with sound later only if a gesture touched it. */
function bless() {
  video.muted = transport.muted;
  video.load();
  video.play().catch(() => {}); // nothing to play yet; the touch is what counts
}

function begin(name, passcode) {
  connection ??= new Connection(link, {
    cursor: () => replay.cursor,
    stamp: () => state().stamp,
    event: heard,
    presence: (list) => {
      // What changed; the rest is as it was told before.
      for (const { member, report } of list) presence.set(member, report);
      draw();
    },
    moved: (to) => {
      // Who came by that address knows it.
      if (to !== location.origin) toast(`The party can be reached at ${to} too; the rest of the link stays as it is.`);
    },
    refused: (refused, ask) => {
      toast(refused.sentence);
      const said = ask?.intent.say ?? ask?.intent.reply;
      if (said && $("say-input").value === "") $("say-input").value = said.text;
    },
    accepted: () => {},
    knocks: (list) => {
      for (const { knock, name } of list) {
        if (!knocks.some((known) => known.knock === knock)) toast(`${name} wants to come in. See People.`, "info");
      }
      knocks = list;
      draw();
    },
    secret: (invite, secret) => {
      ways.told(invite, secret);
      draw();
    },
    status: statusChanged,
    clock: () => {
      if (driver.drift === null && driver.player?.ready) driver.measure();
      if (!shownAnchor) followRoom();
      draw();
    },
    start_over: startOver,
  });
  witness ??= new Witness((intent) => connection.tell(intent));
  driver ??= new Driver(connection.clock, () => {
    report();
    draw();
  });
  ways ??= new Ways(`${location.origin}/#${link.session}.`, (intent) => connection.ask(intent, "page"), copyLink);
  connection.open(name, passcode);
}

function statusChanged() {
  const { status, reason } = connection;
  if (status === "idle") {
    showDoor("join-form", reason);
    if (connection.refusal.startsWith("passcode")) askPasscode();
  } else if (status === "waiting") {
    knocked();
  } else if (status === "over") {
    unmount();
    say($("over-why"), reason);
    showDoor("over");
  } else if (connection.member === null && status === "lost") {
    stillJoining(reason);
  } else if (connection.member !== null) {
    showRoom();
    if (status === "lost") {
      presence = new Map(); // nobody tells how they do any more
      knocks = [];
      // Another connection is a stranger to the room until it has reported.
      reported = { activity: undefined, drift: null, at: -Infinity };
      witness.forget();
      transport.hideUndo();
      // Nobody watches on: the film stops with the party, and comes back with it.
      if (closed()) unmount();
    }
    if (status === "live") {
      followRoom();
      measure();
      report();
    }
  }
  draw();
}

// ---- What the room says ---------------------------------------------------------------

function heard(event) {
  try {
    const next = event.seq === replay.cursor;
    const entry = next ? lineOf(state(), event) : null;
    const answers = event.body.replied ? answered(state(), event.body.replied.to) : null;
    const { hold } = state();
    if (!replay.take(event)) return;
    if (event.body.hold_ended) readiness.ended(hold, event.body.hold_ended);
    if (connection.live && hold?.reason === "ready_check" && event.body.hold_ended?.how === "expired") {
      toast(`Not everybody was ready, so the film stays. ${entry.text}.`, "info");
    }
    if (event.body.role_set?.member === me()) measure(); // viewers are not asked how long a film is
    if (event.by === me() && event.intent !== null) connection.seenCounter(event.intent);
    forgetPlayers(event.body);
    transport.checkUndo();
    if (event.by === me() && event.body.poll_opened) {
      polls.asked();
      openAsking(false);
    }
    if (event.body.redacted) chat.takeBack(event.body.redacted.seq);
    if (entry) tell(entry, event, answers);
  } catch (error) {
    console.warn("event refused:", error.message);
    // Read again, it would be as new as now.
    if (error.why === "newer") {
      connection.giveUp(error.message);
      return;
    }
    connection.startOver();
    return;
  }
  connection.caughtUp(replay.cursor);
  if (connection.live) followRoom();
  draw();
}

/** A player goes with its member, and who comes back has another one. */
function forgetPlayers(body) {
  const { member } = body.joined ?? body.left ?? body.kicked ?? (body.banned?.banned ? body.banned : {});
  if (member !== undefined) presence.delete(member);
  if (body.epoch_started) presence.clear();
}

function tell(entry, event, answers) {
  const fresh = connection.live;
  chat.add(entry, fresh, answers);
  if (!fresh) return;
  const [kind] = Object.keys(event.body);
  if (event.by !== me() && !UNSPOKEN.has(kind)) speak(entry.kind === "talk" ? `${entry.name}: ${entry.text}` : entry.text);
  if (entry.kind === "talk" || kind === "reacted") chat.overhear(entry);
  if (undoable(state())?.seq === entry.seq) transport.offerUndo(entry);
  if (event.body.requested) tellRequest(event.by);
}

/** Somebody asks, and this viewer may answer: shown where the list of people is out of sight. */
function tellRequest(by) {
  const request = requestsFor(state(), me()).find(({ member }) => member === by);
  if (!request) return;
  // Three grants asked for in one breath are one sentence.
  const words = `${request.name} asks for something. See People.`;
  if ($("people-pane").offsetParent !== null && !document.fullscreenElement) speak(words);
  else toast(words, "info");
}

function startOver() {
  replay = new Replay();
  chat.clear();
  answering.drop();
  presence = new Map();
  transport.hideUndo();
}

// ---- The film -------------------------------------------------------------------------

/** Brings stage and driver to what the state says, if it says something new. */
function followRoom() {
  const item = currentItem(state());
  const key = item ? `${anchor().item} ${item.media.provider} ${item.media.id}` : "";
  if (key !== mountedKey) {
    unmount();
    mountedKey = key;
    if (item) mount(item);
  }
  const line = JSON.stringify(anchor());
  const duration = currentDuration(state());
  driver.measured(duration);
  if (line !== shownAnchor && connection.clock.estimate() !== null) {
    shownAnchor = line;
    driver.line(anchor(), duration);
  }
  if ("mediaSession" in navigator) {
    navigator.mediaSession.playbackState = item ? (anchor().playing ? "playing" : "paused") : "none";
  }
}

function mount(item) {
  const number = anchor().item;
  film = { title: null, note: null, length: null, trouble: null };
  const hooks = {
    ready: () => {
      film.trouble = null;
      film.note = null; // what did not play a moment ago does now
      transport.tune(driver.player);
      driver.follow();
      draw();
    },
    changed: () => {
      report();
      draw();
    },
    duration: (micros) => {
      film.length = { item: number, duration: micros };
      measure();
    },
    act: (kind, at) => transport.control(kind === "pause" ? { pause: { at } } : { play: {} }, "player"),
    title: (title) => {
      film.title = title;
      draw();
    },
    failed: (sentence, why) => {
      const url = pageUrl(item.media, driver.target() ?? 0);
      // A note that says what to press knows more of it.
      if (!film.note?.act) film.note = { title: "The film does not play here", text: sentence, url, site: siteOf(item.media) };
      film.trouble = troubleOf(number, sentence, why);
      report();
      draw();
    },
  };
  switch (item.media.provider) {
    case "file":
      driver.mount(new FilePlayer(video, item.media, hooks));
      break;
    case "youtube":
      driver.mount(youtube($("stage"), item.media, anchor().position, hooks));
      break;
    case "vimeo":
      driver.mount(vimeo($("stage"), item.media, anchor().position, hooks));
      break;
    case "twitch_vod":
    case "twitch_live": {
      const refusal = twitchRefusal(location);
      if (refusal !== null) hooks.failed(refusal, "not_embeddable");
      else driver.mount(twitch($("stage"), item.media, anchor().position, hooks));
      break;
    }
    default:
      film.note = { title: item.title ?? labelOf(item.media), text: cannotShow(item.media), url: pageUrl(item.media), site: siteOf(item.media) };
      film.trouble = troubleOf(number, film.note.text, "other_player");
  }
  report();
}

/** What the room hears of a film this page does not show: the reason, and where that says too little the sentence's first half; what to do about it, its second, is the viewer's business. */
function troubleOf(item, sentence, why = "other") {
  const words = why === "other" ? sentence.split(". ", 1)[0].replace(/\.$/, "").slice(0, 160) : null;
  return { item, why, words };
}

/** Why this page shows no player of that site, and what helps. */
function cannotShow(media) {
  const site = siteOf(media);
  // Protected films open only in the viewer's own browser, with the viewer's own account.
  const own = ["netflix", "prime", "disney", "hbo_max", "hulu", "crunchyroll"].includes(media.provider);
  return own
    ? `${site} needs the Séance program on your computer: it opens ${site} in your own Chrome, with your own account, in step with the others.`
    : `This page cannot show ${site}. Join from the Séance program, which plays it in your own browser, in step with the others.`;
}

function unmount() {
  driver?.player?.destroy();
  driver?.mount(null);
  mountedKey = "";
  shownAnchor = "";
  film = { title: null, note: null, length: null, trouble: null };
}

function measure() {
  const { length } = film;
  if (!length || state().roster[me()]?.role === "viewer") return;
  setTimeout(() => {
    const known = state().timeline.items[length.item];
    if (known && known.duration === null) connection.tell({ measure: length });
  }, Math.random() * MEASURE_SPREAD_MILLIS);
}

// A film from a host that was allowed only after this page was opened.
document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
  const item = currentItem(state());
  if (effectiveDirective !== "media-src" || !item || fileUrl(item.media) === null) return;
  film.note = {
    title: "The film comes from a new site",
    text: `${siteOf(item.media)} was allowed after this page was opened. Reload the page to watch.`,
    act: { words: "Reload", run: () => location.reload() },
  };
  draw();
});

function report() {
  if (!connection?.live) return;
  const now = localNow();
  const { activity, drift } = driver;
  witness.look(activity, driver.stands, anchor(), film.trouble);
  if (activity !== reported.activity || now - tracedAt > VITALS_EVERY_MICROS) {
    tracedAt = now;
    connection.vitals({
      report: { activity, drift, round_trip: connection.roundTrip },
      clock_error: connection.clock.estimate()?.bound(now) ?? null,
      ...driver.vitals(now),
    });
  }
  const moved = drift !== null && (reported.drift === null || Math.abs(drift - reported.drift) > REPORT_PAST_MICROS);
  const due = now - reported.at > REPORT_EVERY_MICROS;
  if (activity === reported.activity && !(moved && (due || reported.drift === null))) return;
  reported = { activity, drift, at: now };
  connection.report({ activity, drift, round_trip: connection.roundTrip });
}

// ---- What the viewer wants ------------------------------------------------------------

$("ready-ask").addEventListener("click", () => {
  if (connection.ask({ ready_check: {} }, "page")) openAsking(false);
});
listenToRules((intent) => connection.ask(intent, "page"));
listenToQueue((intent) => connection.ask(intent, "page"));
$("click-to-join").addEventListener("click", () => driver.follow());
$("banner-retry").addEventListener("click", () => connection.retry());

function openChooser(open) {
  $("chooser").hidden = !open;
  for (const id of ["load-open", "queue-open"]) $(id).setAttribute("aria-expanded", String(open));
}
function openLoad(open) {
  openChooser(open);
  if (open) $("load-input").focus();
}
$("load-open").addEventListener("click", () => openLoad($("chooser").hidden));
$("queue-open").addEventListener("click", () => openChooser($("chooser").hidden));
$("screen-load").addEventListener("click", () => (film.note?.act ? film.note.act.run() : openLoad(true)));
$("load-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const url = $("load-input").value.trim();
  const later = event.submitter === $("queue-add");
  const intent = later ? { queue_add: { url, front: false } } : { load: { url } };
  if (url && connection.ask(intent, "page")) {
    $("load-input").value = "";
    if (later) $("load-input").focus();
    else openChooser(false);
  }
});

/** What is asked of everybody, and for oneself, stands behind one button. */
function openAsking(open) {
  if (!open && $("asking").contains(document.activeElement)) $("asking-open").focus();
  $("asking").hidden = !open;
  $("asking-open").setAttribute("aria-expanded", String(open));
  // It stands before its button, where the keyboard would not come to it.
  const first = [...$("asking").querySelectorAll("button, input")].find((one) => one.offsetParent !== null && !one.disabled);
  if (open) first?.focus();
}
$("asking-open").addEventListener("click", () => openAsking($("asking").hidden));

$("say-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("say-input").value.trim();
  if (text === "") return;
  if (!connection.ask(answering.intent(text), "page")) {
    toast("Not sent: the host is not connected. Your message stays here.");
    return;
  }
  $("say-input").value = "";
  answering.drop();
  if (!connection.live) toast("There is no connection just now. Your line is sent when it is back.", "info");
});

for (const reaction of ["👍", "😂", "😮", "😢", "🎉"]) {
  const button = make("button", "tool", reaction);
  button.type = "button";
  button.title = `React with ${reaction}`;
  button.addEventListener("click", () => connection.ask({ react: { reaction } }, "page"));
  $("reactions").append(button);
}

function openRename() {
  const form = $("rename-form");
  form.hidden = !form.hidden;
  if (form.hidden) return;
  $("rename-input").value = state().roster[me()]?.name ?? "";
  $("rename-input").select();
}
$("rename-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("rename-input").value.trim();
  if (name && connection.ask({ rename: { name } }, "page")) {
    taste.set("name", name);
    $("rename-form").hidden = true;
  }
});

$("copy").addEventListener("click", () => copyLink(location.href));

async function copyLink(text) {
  const done = await copy(text);
  toast(done ? "Link copied." : "The browser did not allow copying. Press copy in People once more.", done ? "info" : "trouble");
}

/** Insecure pages (a LAN address) have no clipboard but the old one. */
async function copy(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // refused: the old way may still do
    }
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

const THEMES = { auto: "as the system", dark: "dark", light: "light" };
$("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(root.dataset.themeWish) + 1) % names.length];
  root.dataset.themeWish = next;
  const light = next === "light" || (next === "auto" && matchMedia("(prefers-color-scheme: light)").matches);
  root.dataset.theme = light ? "light" : "dark";
  taste.set("theme", next);
  draw();
});
$("leave").addEventListener("click", () => connection.leave());

const TABS = ["chat", "people"];
function showTab(tab) {
  $("side").dataset.tab = tab;
  for (const other of TABS) {
    $(`tab-${other}`).setAttribute("aria-selected", String(other === tab));
    $(`tab-${other}`).tabIndex = other === tab ? 0 : -1;
  }
  draw();
}
for (const tab of TABS) {
  $(`tab-${tab}`).addEventListener("click", () => showTab(tab));
  $(`tab-${tab}`).addEventListener("keydown", ({ key }) => {
    if (key !== "ArrowLeft" && key !== "ArrowRight") return;
    const other = TABS.find((one) => one !== tab);
    showTab(other);
    $(`tab-${other}`).focus();
  });
}

/** Closes it; whoever was inside stands on a button that opens it. */
function shutChooser() {
  const inside = $("chooser").contains(document.activeElement);
  openChooser(false);
  if (inside) [$("queue-open"), $("load-open")].find((one) => one.offsetParent !== null && !one.disabled)?.focus();
}

document.addEventListener("keydown", ({ key, altKey }) => {
  if (key !== "Escape" || altKey || $("room").hidden) return;
  if (!$("chooser").hidden) shutChooser();
  if (!$("asking").hidden) openAsking(false);
  else if (answering.to !== null) answering.drop();
  // Out of the message, back to the keys that move the film.
  else if (document.activeElement === $("say-input")) $("room").focus({ preventScroll: true });
});

// ---- What is seen ---------------------------------------------------------------------

/** Asks for a drawing at the next frame; many events make one. */
function draw() {
  if (drawn) return;
  drawn = true;
  const now = () => {
    drawn = false;
    if (!$("room").hidden) drawRoom();
  };
  // Hidden pages have no frames, but their title still counts what was missed.
  if (document.visibilityState === "hidden") setTimeout(now, 0);
  else requestAnimationFrame(now);
}

function drawRoom() {
  chat.show(me());
  const shown = new Map(presence);
  if (driver) shown.set(me(), { activity: driver.activity, drift: driver.drift });
  showPeople(state(), shown, me(), openRename, (intent) => connection.ask(intent, "page"));
  ways.show(state(), knocks, me(), can, connection.clock.session(localNow()) ?? state().at);
  showRequests(state(), me(), (intent) => connection.ask(intent, "page"));
  showRules(state(), can);
  showQueue(state(), me(), can, (intent) => connection.ask(intent, "page"));
  polls.show(state(), me(), can);
  drawTabs();
  drawAsking();
  drawHold(shown);
  readiness.count(anchor(), () => connection.clock.session(localNow()));
  drawStage();
  transport.draw();
  transport.drawTime();
  drawTalk();
  answering.draw();
  drawStatus();
}

/** What waits behind the tab that is not open. */
function drawTabs() {
  say($("tab-missed"), chat.missed > 0 ? `· ${chat.missed} new` : "");
  const asks = [...$("knocks").children, ...$("requests").children].filter((row) => !row.parentElement.hidden).length;
  say($("tab-asks"), asks > 0 ? `· ${asks} waiting` : "");
}

function drawAsking() {
  const now = connection.live ? connection.clock.session(localNow()) ?? state().at : null;
  const wishes = showWishes(state(), me(), now, (intent) => connection.ask(intent, "page"));
  const polling = state().poll?.open === true;
  $("poll-form").hidden = polling || !can("queue");
  $("poll-busy").hidden = !polling || !can("queue");
  $("ready-ask").hidden = !can("play");
  $("ready-ask").disabled = currentItem(state()) === null || state().hold?.reason === "ready_check";
  $("asking-open").hidden = !can("queue") && !can("play") && wishes === 0;
  if ($("asking-open").hidden) openAsking(false);
}

/** What stands in the film's place, or null. */
function stageNote(item) {
  if (closed()) {
    return { title: "The host closed the party", text: "If they open it again, it goes on here by itself." };
  }
  if (item) return film.note;
  return {
    title: connection.live ? "Nothing is on yet" : "Coming in",
    text: !connection.live ? ""
      : can("queue") ? "Paste a link to a video, or wait for somebody to choose one." : "Wait for somebody to choose a film.",
  };
}

function drawStage() {
  const item = currentItem(state());
  const note = stageNote(item);
  $("screen-note").hidden = !note;
  if (note) {
    say($("screen-title"), note.title);
    say($("screen-text"), note.text);
    const anchorElement = $("screen-link");
    anchorElement.hidden = !note.url;
    if (note.url) {
      if (anchorElement.href !== note.url) anchorElement.href = note.url;
      say(anchorElement, `Open on ${note.site}`);
    }
    $("screen-load").hidden = !(note.act || (!item && can("queue")));
    say($("screen-load"), note.act?.words ?? "Choose what to watch");
  }
  $("click-to-join").hidden = driver.activity !== "needs_click" || driver.player.clickInside;
  // While the room waits, that is said; only a click that is needed is more urgent.
  const busy = state().hold !== null && driver.activity !== "needs_click";
  const word = note || busy ? "" : stageWord();
  say($("stage-word"), word);
  $("stage-word").hidden = word === "";
}

/** Whom the room waits for, how long still, and what this viewer can do about it. */
function drawHold(shown) {
  const { hold } = state();
  const line = connection.live ? waitingLine(state(), shown, me()) : null;
  $("hold").hidden = line === null;
  if (line === null) return;
  if (!readiness.show(state(), me())) say($("hold-text"), line);
  // Once for each wait: who of many is still missing changes all the time.
  if (waitSpoken !== hold.seq) {
    waitSpoken = hold.seq;
    speak(hold.reason === "ready_check" ? "Is everybody ready?" : line);
  }
  const now = connection.clock.session(localNow());
  say($("hold-secs"), now === null ? "" : ` (${Math.ceil(Math.max(0, hold.deadline - now) / 1e6)}\u00a0s)`);
  $("hold-start").hidden = !can("play");
  $("hold-stop").hidden = !can("play") || hold.reason !== "ready_check";
  // The question itself can be stopped there; one notice about it is enough.
  if (hold.seq === transport.offered && hold.reason === "ready_check") transport.hideUndo();
}

/** What this viewer's own player has to say, in one sentence or none. */
function stageWord() {
  if (driver.trouble) return driver.trouble;
  switch (driver.activity) {
    case "needs_click": return driver.player.clickInside ? "Click the film to start it" : "";
    case "loading": return "Loading the film";
    case "stalled": return "Loading; the others go on, you will catch up";
    case "advert": return "An ad, it seems; you will catch up after it";
    default: break;
  }
  const { drift } = driver;
  if (drift === null || Math.abs(drift) < 500_000) return "";
  return `You are ${driftFace(Math.abs(drift)).slice(1)} ${drift > 0 ? "ahead" : "behind"}`;
}

/** What can be said and queued, and the words on the window. */
function drawTalk() {
  $("load-open").disabled = !can("queue");
  $("load-open").hidden = $("load-form").hidden = connection.live && !can("queue");
  $("load-now").disabled = !(can("play") && can("queue"));
  $("queue-add").disabled = !can("queue");
  // Not while the connection is gone: who is in the middle of a line would lose the keyboard, and
  // the rest of it would be taken for keys that move the film.
  const muted = connection.live && !can("chat");
  $("say-input").disabled = $("say-send").disabled = muted;
  $("say-input").placeholder = muted ? "You are muted" : sayHint(state(), me());
  for (const button of $("reactions").children) button.disabled = !can("chat");
  const wish = document.documentElement.dataset.themeWish;
  face($("theme"), "theme", `Colours: ${THEMES[wish] ?? THEMES.auto}`);
  const unread = chat.unread > 0 ? `(${chat.unread}) ` : "";
  document.title = `${unread}${state().title ? `${state().title} · ` : ""}Séance`;
}

function drawStatus() {
  const { status, clock, redialAt } = connection;
  const { seq } = state();
  const now = localNow();
  const bound = clock.estimate()?.bound(now);
  const reading = bound === undefined ? "clock not read yet" : `clock ±${Math.max(1, Math.round(bound / 1000))} ms`;
  const words = {
    live: `live · ${reading} · ${seq} events`,
    catching_up: `catching up · ${seq} events`,
    connecting: "connecting",
    lost: `offline · ${seq} events`,
  };
  say($("status-text"), words[status] ?? "");
  $("status-dot").className = `dot ${status === "live" ? "good" : status === "lost" ? "bad" : "warn"}`;
  say($("status-dot"), status === "live" ? "●" : status === "lost" ? "○" : "◐");
  const lost = status === "lost";
  $("banner").hidden = !lost;
  if (lost) {
    // What the host said on closing stays true while dialling finds nobody; which of the two ends
    // lost it otherwise cannot be known from here.
    const why = CLOSINGS[connection.closing]
      ?? (driver.activity === "playing" ? "No connection to the host, still playing." : "No connection to the host.");
    const elsewhere = connection.stranded && connection.closing === null ? " If the host’s address has changed, ask for the link as it is now." : "";
    const wait = Math.max(0, Math.ceil((redialAt - now) / 1e6));
    const again = redialAt > 0 && wait > 0 ? ` Trying again in ${wait} s.` : " Trying again.";
    say($("banner-text"), `${why}${elsewhere}${again}`);
  }
}

/** iPhones lay their keyboard over the page instead of making the page shorter: the room does it. */
const seen = window.visualViewport;
function makeRoomForKeyboard() {
  // Zoomed in, it tells how little of the page is looked at, and not how much is free.
  const covered = seen.scale === 1 && document.documentElement.clientHeight - seen.height > KEYBOARD_PIXELS;
  document.documentElement.style.setProperty("--seen", covered ? `${seen.height}px` : "100dvh");
  if (covered) scrollTo(0, 0);
}
seen?.addEventListener("resize", makeRoomForKeyboard);

setInterval(() => {
  if (!$("room").hidden && document.visibilityState === "visible") {
    transport.drawTime();
    transport.draw();
    if (state().hold) draw();
  }
}, 250);

setInterval(() => {
  if (!$("room").hidden && document.visibilityState === "visible") draw();
}, 2_000);


// ---- Begin ----------------------------------------------------------------------------

face($("load-open"), "film", "Choose what to watch");
face($("say-send"), "send", "Send");
face($("copy"), "link", "Copy link");
face($("leave"), "leave", "Leave");
face($("asking-open"), "ask", "Ask");
face($("hold-stop"), "close", "Stop asking");
showDoor(link ? "join-form" : "link-form");

/** For tests and the curious: what this page holds true, read-only. */
Object.defineProperty(window, "seance", {
  value: Object.freeze({
    get state() { return structuredClone(state()); },
    get seq() { return state().seq; },
    get status() { return connection?.status ?? "idle"; },
    get member() { return me(); },
    get drift() { return driver?.drift ?? null; },
    get activity() { return driver?.activity ?? null; },
    get trouble() { return driver?.trouble ?? null; },
    /** Where the room's line is now, in microseconds. */
    get target() { return driver?.target() ?? null; },
    /** Where this page's player is: `{ at, position, rate }`, times in microseconds. */
    get position() { return driver?.player?.ready ? driver.player.sample(localNow()) : null; },
    get clock() {
      const best = connection?.clock.estimate();
      return best ? { offset: best.offset, bound: best.bound(localNow()) } : null;
    },
    get now() { return localNow(); },
  }),
});
