// Short sentences that pass: refusals, troubles, and "Link copied".

import { $, face, make } from "./dom.js";

const LASTS_MILLIS = 6_000;
const SHOWN_MAX = 3;

/** Shows a sentence for a while; `kind` is "trouble" or "info". The same sentence is not stacked. */
export function toast(sentence, kind = "trouble") {
  const list = $("toasts");
  // Of a page, a full-screen film leaves nothing to be seen but what is inside it.
  const home = document.fullscreenElement ?? document.body;
  if (list.parentElement !== home) home.append(list);
  for (const shown of list.children) if (shown.dataset.text === sentence) shown.remove();
  const item = make("li", kind, make("span", "", sentence));
  item.dataset.text = sentence;
  const close = make("button", "tool");
  close.type = "button";
  face(close, "close", "Dismiss");
  close.addEventListener("click", () => item.remove());
  item.append(close);
  list.append(item);
  while (list.children.length > SHOWN_MAX) list.firstChild.remove();
  setTimeout(() => item.remove(), LASTS_MILLIS);
}
