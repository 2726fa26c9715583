// Icons as paths on a 20 px grid, drawn with a 1.5 px stroke, built node by node.

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  play: ["M6 4.2v11.6L15.5 10z"],
  pause: ["M6.5 4.5v11", "M13.5 4.5v11"],
  back: ["M4.5 9.5a5.8 5.8 0 1 1 1.7 4.6", "M4.3 4.8v4.7H9"],
  forward: ["M15.5 9.5a5.8 5.8 0 1 0-1.7 4.6", "M15.7 4.8v4.7H11"],
  sound: ["M3.5 8v4h2.8L10 15V5L6.3 8z", "M12.8 7.5a3.6 3.6 0 0 1 0 5", "M14.9 5.4a6.5 6.5 0 0 1 0 9.2"],
  silent: ["M3.5 8v4h2.8L10 15V5L6.3 8z", "M13 8l4 4", "M17 8l-4 4"],
  full: ["M4 8V4h4", "M12 4h4v4", "M16 12v4h-4", "M8 16H4v-4"],
  small: ["M8 4v4H4", "M16 8h-4V4", "M12 16v-4h4", "M4 12h4v4"],
  theme: ["M10 3.5a6.5 6.5 0 1 0 0 13z", "M10 3.5a6.5 6.5 0 0 1 0 13"],
  link: ["M8.5 11.5l3-3", "M9 6.5l1.7-1.7a3.2 3.2 0 0 1 4.5 4.5L13.5 11", "M11 13.5l-1.7 1.7a3.2 3.2 0 0 1-4.5-4.5L6.5 9"],
  leave: ["M8 4H4.5v12H8", "M8 10h8.5", "M13.5 7l3 3-3 3"],
  send: ["M4 10h11.5", "M11 5.5l4.5 4.5-4.5 4.5"],
  film: ["M3.5 5h13v10h-13z", "M7 5v10", "M13 5v10", "M3.5 10H7", "M13 10h3.5"],
  pen: ["M4 16l.8-3.3 8.4-8.4 2.5 2.5-8.4 8.4z"],
  next: ["M4.5 4.5v11l8-5.5z", "M15 4.5v11"],
  more: ["M4.5 10h.1", "M10 10h.1", "M15.5 10h.1"],
  up: ["M5 11.5l5-5 5 5"],
  ask: ["M4.5 16.5V10", "M10 16.5v-13", "M15.5 16.5v-4"],
  close: ["M5.5 5.5l9 9", "M14.5 5.5l-9 9"],
};
const FILLED = new Set(["play", "next"]);

/** One icon; silent for screen readers, because its button has words. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  svg.classList.toggle("filled", FILLED.has(name));
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}
