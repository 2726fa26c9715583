// Who is here and how their players do.

import { $, face, hueOf, make, say } from "./dom.js";
import { driftFace } from "./story.js";

/** Further off than this is worth a colour. */
const OFF_MICROS = 100_000;

const DOING = {
  loading: ["◐", "warn", "loading"],
  paused: ["●", "good", "paused"],
  seeking: ["◐", "info", "seeking"],
  stalled: ["◐", "warn", "loading"],
  ended: ["●", "good", "at the end"],
  advert: ["◇", "info", "in an ad"],
  needs_click: ["○", "warn", "needs a click"],
};

/** The mark, its colour and the words for a report. */
export function doingOf(report) {
  if (!report || report.activity === null) return ["○", "", ""];
  if (report.activity !== "playing") return DOING[report.activity] ?? ["○", "", ""];
  if (report.drift === null) return ["●", "good", "playing"];
  const off = Math.abs(report.drift) > OFF_MICROS;
  return [off ? "◆" : "●", off ? "warn" : "good", driftFace(report.drift)];
}

const ROLES = { host: "host", co_host: "co-host", guest: "", viewer: "watches" };

/** Draws the list: `presence` maps member to report, `rename` is called by the viewer's own pen. */
export function showPeople(roster, presence, me, rename) {
  const present = Object.entries(roster).filter(([, member]) => member.present);
  say($("people-count"), String(present.length));
  say($("tab-count"), String(present.length));
  const list = $("people");
  const rows = new Map([...list.children].map((row) => [row.dataset.member, row]));
  for (const [id, member] of present) {
    const row = rows.get(id) ?? newRow(Number(id), Number(id) === me, rename);
    rows.delete(id);
    fill(row, member, presence.get(Number(id)), Number(id) === me);
    if (!row.isConnected) {
      const after = [...list.children].find((other) => Number(other.dataset.member) > Number(id));
      list.insertBefore(row, after ?? null);
    }
  }
  for (const gone of rows.values()) gone.remove();
}

function newRow(id, mine, rename) {
  const row = make("li", "",
    make("span", "mark"), make("span", `name ${hueOf(id)}`), make("span", "tag"));
  row.dataset.member = String(id);
  if (mine) {
    const pen = make("button", "tool");
    pen.type = "button";
    face(pen, "pen", "Change your name");
    pen.addEventListener("click", rename);
    row.append(pen);
  }
  row.append(make("span", "doing"));
  return row;
}

function fill(row, member, report, mine) {
  const [mark, colour, words] = doingOf(report);
  const [markElement, name, tag] = row.children;
  say(markElement, mark);
  markElement.className = `mark ${colour}`;
  say(name, member.name);
  if (name.title !== member.name) name.title = member.name;
  say(tag, [ROLES[member.role] ?? "", mine ? "you" : ""].filter(Boolean).join(", "));
  say(row.lastChild, words);
}
