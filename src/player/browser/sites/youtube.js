// YouTube's watch page, as the agent sees it (SITES.md §1).
//
// Runs in the page's main world, because the player's functions live there.
// The agent asks by an event of the document and is answered before the event
// returns; both carry JSON text, nothing else crosses. Positions are the
// player's, not the element's: with stitched advertisements the two differ.
//
// @NONCE@ is filled in when Chrome is started.
(() => {
  "use strict";
  if (window.top !== window || location.hostname !== "www.youtube.com") return;

  const player = () => document.getElementById("movie_player");
  const call = (name, ...values) => {
    const box = player();
    if (!box || typeof box[name] !== "function") return undefined;
    try {
      return box[name](...values);
    } catch {
      return undefined;
    }
  };
  const seen = (node) => node !== null && node.getClientRects().length > 0;

  // Why nothing plays; null while all is well.
  const status = () => {
    if (seen(document.querySelector("ytd-consent-bump-v2-lightbox .eom-buttons"))) return "CONSENT";
    if (seen(document.querySelector("ytd-enforcement-message-view-model"))) return "WALL";
    const response = call("getPlayerResponse") || window.ytInitialPlayerResponse;
    const said = response && response.playabilityStatus && response.playabilityStatus.status;
    return typeof said === "string" && said !== "OK" ? said : null;
  };

  let autonav = false;
  const switchAutonavOff = () => {
    if (autonav) return;
    const button = document.querySelector(".ytp-autonav-toggle-button[aria-checked]");
    if (!button) return;
    autonav = true;
    // The room decides what comes next.
    if (button.getAttribute("aria-checked") === "true") button.click();
  };

  const orders = {
    read() {
      const box = player();
      if (!box) return { status: status() };
      switchAutonavOff();
      const film = call("getVideoData") || {};
      return {
        time: call("getCurrentTime"),
        duration: call("getDuration"),
        state: call("getPlayerState"),
        ad: box.classList.contains("ad-showing") || box.classList.contains("ad-interrupting"),
        id: typeof film.video_id === "string" ? film.video_id.slice(0, 64) : "",
        status: status(),
      };
    },
    play: () => call("playVideo"),
    pause: () => call("pauseVideo"),
    seek: (to) => call("seekTo", to, true),
    // The player knows steps of a quarter up to 2; the agent writes the rest to the element.
    rate: (rate) => (rate <= 2 && rate % 0.25 === 0 ? call("setPlaybackRate", rate) : undefined),
    // "Video paused. Continue watching?" is answered yes while the room plays.
    tidy() {
      const button = document.querySelector("yt-confirm-dialog-renderer #confirm-button");
      if (seen(button)) button.click();
    },
  };

  document.addEventListener("seance-ask-@NONCE@", (event) => {
    const { order, value } = JSON.parse(event.detail);
    const answer = orders[order](value);
    document.dispatchEvent(
      new CustomEvent("seance-answer-@NONCE@", { detail: JSON.stringify(answer ?? {}) }),
    );
  });

  // A media key reaches the page as a call of the handler it registered.
  const session = window.MediaSession && MediaSession.prototype;
  if (session) {
    const register = session.setActionHandler;
    session.setActionHandler = function (action, handler) {
      const told =
        typeof handler === "function"
          ? function (...details) {
              document.dispatchEvent(new Event("seance-input-@NONCE@"));
              return handler.apply(this, details);
            }
          : handler;
      return register.call(this, action, told);
    };
  }
})();
