// YouTube's watch page.
//
// Positions are the player's, not the element's: with stitched advertisements the two differ.
site(
  (host) => host === "www.youtube.com",
  ({ seen, attempt }) => {
    const player = () => document.getElementById("movie_player");
    const call = (name, ...values) => attempt(() => player()[name](...values), undefined);

    // Not shown in the country of this connection: the list of those where it is stands in the answer.
    const isElsewhere = (response) => {
      const countries = attempt(() => response.microformat.playerMicroformatRenderer.availableCountries, null);
      const here = attempt(() => window.ytcfg.get("INNERTUBE_CONTEXT_GL"), null);
      return Array.isArray(countries) && countries.length > 0 && typeof here === "string" && !countries.includes(here);
    };
    // Why nothing plays; null while all is well.
    const status = () => {
      if (seen(document.querySelector("ytd-consent-bump-v2-lightbox .eom-buttons"))) return "consent";
      if (seen(document.querySelector("ytd-enforcement-message-view-model"))) return "wall";
      const response = call("getPlayerResponse") || window.ytInitialPlayerResponse;
      switch (attempt(() => response.playabilityStatus.status, "OK")) {
        case "UNPLAYABLE": return isElsewhere(response) ? "region" : "unavailable";
        case "ERROR": return "unavailable";
        case "LOGIN_REQUIRED": return attempt(() => response.playabilityStatus.desktopLegacyAgeGateReason, 0) ? "age" : "login";
        case "LIVE_STREAM_OFFLINE": return "not_yet";
        case "AGE_CHECK_REQUIRED":
        case "AGE_VERIFICATION_REQUIRED": return "age";
        default: return null;
      }
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

    return {
      traits: { grid: 1, box: "#movie_player" },
      find: () =>
        document.querySelector("#movie_player video.html5-main-video") || document.querySelector("#movie_player video"),
      read() {
        const box = player();
        if (!box) return { status: status() };
        switchAutonavOff();
        const film = call("getVideoData") || {};
        const state = call("getPlayerState");
        return {
          time: call("getCurrentTime"),
          duration: call("getDuration"),
          idle: state === -1 || state === 5,
          ad: box.classList.contains("ad-showing") || box.classList.contains("ad-interrupting"),
          live: film.isLive === true,
          id: typeof film.video_id === "string" ? film.video_id.slice(0, 64) : "",
          status: status(),
        };
      },
      play: () => call("playVideo"),
      pause: () => call("pauseVideo"),
      seek: (to) => call("seekTo", to, true),
      // The player's own badge leads back to the edge; its progress knows where that is.
      edge: () => call("seekTo", attempt(() => call("getProgressState").seekableEnd, call("getDuration")), true),
      // The player knows steps of a quarter up to 2; the agent writes the rest to the element.
      rate: (rate) => (rate <= 2 && rate % 0.25 === 0 ? call("setPlaybackRate", rate) : undefined),
      // "Video paused. Continue watching?" is answered yes while the room plays.
      tidy() {
        const button = document.querySelector("yt-confirm-dialog-renderer #confirm-button");
        if (seen(button)) button.click();
      },
    };
  },
);
