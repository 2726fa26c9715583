// The ways into the party: who is at the door, the links there are, and what newcomers must know.
//
// A link's secret comes to whoever asked for it and lives in this page's memory only; the list
// itself is the room's state, which holds none.

import { $, face, keyed, make, say, wordButton } from "./dom.js";
import { OWN_LINK, opens } from "./fold.js";
import { ROLE_PEOPLE, inviteTerms } from "./story.js";

/** What can be chosen for a new link: words and the intent's value. */
const LASTS = [["for good", null], ["for 2 hours", 7_200_000_000], ["for a day", 86_400_000_000], ["for a week", 604_800_000_000]];
const USES = [["for anybody", null], ["for one person", 1], ["for 5 people", 5], ["for 20 people", 20]];

/** Whom `me` may let in: nobody above themselves, and only the host makes co-hosts. */
export const rolesFor = (role) => ({
  host: ["guest", "viewer", "co_host"], co_host: ["guest", "viewer"], guest: ["guest", "viewer"], viewer: ["viewer"],
}[role] ?? []);

/** What a link is: "Link 12, for co-hosts, for 2 h 0 min, 1 came". */
export function wayWords(state, invite, now) {
  if (invite === OWN_LINK) return "The party's own link, for guests";
  const { role, until, uses, used } = state.entrance.invites[invite];
  const lasts = until === null ? null : until - now;
  const over = opens(state.entrance.invites[invite], now) ? "" : ", over";
  return `Link ${invite}, for ${ROLE_PEOPLE[role]}${over ? "" : inviteTerms(lasts, uses)}${used > 0 ? `, ${used} came` : ""}${over}`;
}

/** What `me` may do about a link; the program's `authority` has the same rules. */
export function wayDeeds(state, me, can, invite) {
  const made = state.entrance.invites[invite];
  const mine = made?.by === me;
  const revoke = mine ? can("invite") || can("moderate") : can("moderate");
  const show = invite === OWN_LINK ? can("invite")
    : revoke && (made.role !== "co_host" || mine || state.roster[me]?.role === "host");
  return { show, revoke };
}

export class Ways {
  /** Links by number, as the room told them to this page. */
  #links = new Map();
  #base;
  #ask;
  #copy;
  #drawn = "";

  /** `base`: what links begin with; `ask(intent)`; `copy(text)` puts a link on the clipboard. */
  constructor(base, ask, copy) {
    this.#base = base;
    this.#ask = ask;
    this.#copy = copy;
    choices($("way-lasts"), LASTS.map(([words], place) => [words, place]));
    choices($("way-uses"), USES.map(([words], place) => [words, place]));
    $("way-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const lasts = LASTS[Number($("way-lasts").value)][1];
      const uses = USES[Number($("way-uses").value)][1];
      ask({ invite: { role: $("way-role").value, lasts, uses } });
    });
    $("way-knock").addEventListener("change", () => ask({ set_approval: { on: $("way-knock").checked } }));
    $("way-passcode-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const passcode = $("way-passcode").value.trim();
      if (passcode === "") return;
      $("way-passcode").value = "";
      ask({ set_passcode: { passcode } });
    });
    $("way-passcode-off").addEventListener("click", () => ask({ set_passcode: { passcode: null } }));
  }

  /** The room told a secret we asked for. */
  told(invite, secret) {
    const link = this.#base + secret;
    // The row asks for it when it is pressed: drawn anew, it would be gone under a finger.
    this.#links.set(invite, link);
    this.#copy(link);
  }

  /** Draws the section; `knocks`: who is at the door; `now`: session time. */
  show(state, knocks, me, can, now) {
    $("ways").hidden = !can("invite") && !can("moderate");
    showKnocks(can("moderate") ? knocks : [], this.#ask);
    if ($("ways").hidden) return;
    const roles = rolesFor(state.roster[me]?.role);
    choices($("way-role"), roles.map((role) => [ROLE_PEOPLE[role], role]));
    $("way-form").hidden = !can("invite") || roles.length === 0;
    const { entrance } = state;
    for (const id of ["way-knock-line", "way-passcode-form"]) $(id).hidden = !can("moderate");
    if ($("way-knock").checked !== entrance.approval) $("way-knock").checked = entrance.approval;
    $("way-passcode-off").hidden = !entrance.passcode;
    $("way-passcode").placeholder = entrance.passcode ? "Another passcode" : "Passcode for newcomers";
    this.#list(state, me, can, now);
  }

  #list(state, me, can, now) {
    const { entrance } = state;
    const all = [...(entrance.own_revoked ? [] : [OWN_LINK]), ...Object.keys(entrance.invites).map(Number)];
    const rows = all.map((invite) => ({
      invite, words: wayWords(state, invite, now), ...wayDeeds(state, me, can, invite),
    })).filter(({ show, revoke }) => show || revoke);
    const drawn = JSON.stringify(rows);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    $("way-list").replaceChildren(...rows.map(({ invite, words, show, revoke }) => {
      const row = make("li", "", make("span", "grow", words));
      if (show) {
        row.append(tool("link", `Copy ${words}`, () => {
          const known = this.#links.get(invite);
          if (known) this.#copy(known);
          else this.#ask({ show_invite: { invite } });
        }));
      }
      if (revoke) row.append(tool("close", `Revoke ${words}`, () => this.#ask({ revoke_invite: { invite } })));
      return row;
    }));
  }
}

function showKnocks(knocks, ask) {
  $("knocks").hidden = knocks.length === 0;
  keyed($("knocks"), knocks, ({ knock }) => knock, ({ knock }) => {
    const answer = (words, letIn) => {
      const button = wordButton(words);
      button.addEventListener("click", () => ask({ answer_knock: { knock, let_in: letIn } }));
      return button;
    };
    return make("li", "", make("span", "grow"), answer("Let in", true), answer("Turn away", false));
  }, (row, { name }) => {
    say(row.firstChild, `${name} wants to come in`);
    for (const button of row.querySelectorAll("button")) button.setAttribute("aria-label", `${button.textContent}: ${name}`);
  });
}

function tool(icon, label, act) {
  const button = make("button", "tool");
  button.type = "button";
  face(button, icon, label);
  button.addEventListener("click", act);
  return button;
}

function choices(select, pairs) {
  const drawn = JSON.stringify(pairs);
  if (select.dataset.drawn === drawn) return;
  select.dataset.drawn = drawn;
  select.replaceChildren(...pairs.map(([words, value]) => new Option(words, String(value))));
}
