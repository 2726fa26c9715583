// The door: a link is pasted, a name is said, or it is told why the evening is over.

import { $, say, taste } from "./dom.js";
import { addressOfLink } from "./link.js";

const PARTS = ["link-form", "join-form", "over"];

/** Shows one part of the door instead of the room; `problem` is why one stands there again. */
export function showDoor(part, problem = "") {
  for (const id of PARTS) $(id).hidden = id !== part;
  $("door").hidden = false;
  $("room").hidden = true;
  $("join-problem").hidden = problem === "";
  say($("join-problem"), problem);
  $("join-button").disabled = false;
  say($("join-button"), "Join with sound");
  $("join-waiting").hidden = true;
  if (part === "link-form") $("link-input").focus();
  // Not the button: somebody may be in the middle of a sentence, and press Enter.
  if (part === "over") $("over").focus();
  if (part === "join-form") {
    $("name-input").value ||= taste.get("name") ?? "";
    $(problem || !$("name-input").value ? "name-input" : "join-button").focus();
  }
}

/** The party wants a passcode, or another one than was given. */
export function askPasscode() {
  $("passcode-field").hidden = false;
  $("passcode-input").select();
}

/** Not in yet, and tried again by itself; `why` it takes longer. */
export function stillJoining(why) {
  say($("join-button"), "Joining");
  $("join-waiting").hidden = true;
  $("join-problem").hidden = false;
  say($("join-problem"), `${why} Trying again.`);
}

/** Somebody was asked to open. */
export function knocked() {
  $("join-problem").hidden = true;
  say($("join-button"), "At the door");
  $("join-waiting").hidden = false;
}

/** The name was let in. */
export function showRoom() {
  if (!$("room").hidden) return;
  $("door").hidden = true;
  $("room").hidden = false;
  $("room").focus({ preventScroll: true });
}

/** Once, at the beginning: `join(name, passcode)` is called by the press that also allows sound. */
export function listenToDoor(join) {
  $("link-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const address = addressOfLink($("link-input").value);
    $("link-problem").hidden = address !== null;
    if (address === null) {
      say($("link-problem"), "That is no party link. Copy the whole link the host sent you.");
    } else if (address.startsWith("#")) {
      location.hash = address;
    } else {
      location.href = address;
    }
  });
  addEventListener("hashchange", () => location.reload());
  $("join-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = $("name-input").value.trim();
    if (name === "") return;
    taste.set("name", name);
    $("join-button").disabled = true;
    say($("join-button"), "Joining");
    $("join-problem").hidden = true;
    join(name, $("passcode-input").value.trim());
  });
  $("over-again").addEventListener("click", () => location.reload());
}
