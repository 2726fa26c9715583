// Runs before the first paint, so that nobody who likes it light is flashed with dark.
(() => {
  "use strict";
  let kept = null;
  try {
    kept = localStorage.getItem("seance.theme");
  } catch {
    // Storage may be forbidden; then the system's choice holds.
  }
  const light = matchMedia("(prefers-color-scheme: light)");
  const show = () => {
    const wish = document.documentElement.dataset.themeWish;
    const theme = wish === "light" || wish === "dark" ? wish : light.matches ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
  };
  document.documentElement.dataset.themeWish = kept ?? "auto";
  light.addEventListener("change", show);
  show();
})();
