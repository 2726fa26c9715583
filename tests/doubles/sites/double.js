// What the doubles of sites have in common: their users' ways, and what a test makes happen.
"use strict";

/** A page's own name of its film, from the address. */
const filmId = () => location.pathname.split("/").filter((piece) => piece && !piece.startsWith("ref=")).at(-1);

/**
 * The user's ways into a player: a click on its box, or the space bar, toggles; a test drags
 * by `double.drag(seconds)`. Sites wait to see whether a click is a double one.
 */
function hands(box, { toggle, drag }) {
  let clicks = 0;
  box.addEventListener("click", () => {
    clearTimeout(clicks);
    clicks = setTimeout(toggle, 200);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.repeat) return;
    event.preventDefault();
    toggle();
  });
  window.double = { drag, crashed: null };
}

/** Sites break for good when they are handled wrongly; a test looks for the reason. */
function crash(why) {
  if (window.double.crashed) return;
  window.double.crashed = why;
  document.body.insertAdjacentHTML("beforeend", `<div class="error-container" data-uia="error-container">M7375</div>`);
  for (const video of document.querySelectorAll("video")) video.removeAttribute("src");
}

/**
 * Tells an element's own player from whoever else touches it: `ours(event)` before each touch of
 * the player's, one event of that name for each; an event that nobody announced is a stranger's.
 */
function guard(video, events, stranger) {
  const announced = Object.fromEntries(events.map((event) => [event, 0]));
  for (const event of events) {
    video.addEventListener(event, () => {
      if (announced[event] > 0) announced[event] -= 1;
      else stranger(event);
    });
  }
  return (event) => { announced[event] += 1; };
}

/** Puts what React keeps above an element there: the element's fiber, its parents' props in turn. */
function fiberAbove(element, ...props) {
  let fiber = null;
  for (const memoizedProps of props.reverse()) fiber = { memoizedProps, stateNode: null, return: fiber };
  element[`__reactFiber$${Math.random().toString(36).slice(2)}`] = { memoizedProps: {}, return: fiber };
}

/** A player's film has so many seconds. */
const FILM_S = 120;
