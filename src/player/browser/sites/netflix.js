// Netflix's watch page.
//
// Its player is asked for everything: a write to the element's `currentTime`, and at times
// its `play` and `pause`, end in error M7375. Its seeks land on a grid of their own, up to
// two seconds early; nothing here repeats them. Advertisements are part of the player's
// time, so what ran while one was shown is taken off again.
site(
  (host) => host === "www.netflix.com",
  ({ attempt, one, all, largest, inPath, signsIn, canDecrypt }) => {
    const app = () => window.netflix.appContext.state.playerApp;
    const asked = () => inPath(/\/watch\/(\d+)/);
    const movie = (player) => attempt(() => String(player.getMovieId()), "");

    // Previews on the page are sessions, too. The address names the film; where it does not
    // help, what plays, else what does not stand, else the first.
    const session = () =>
      attempt(() => {
        const api = app().getAPI().videoPlayer;
        const ids = api.getAllPlayerSessionIds();
        const states = attempt(() => app().getState().videoPlayer.playbackStateBySessionId, {});
        const named = ids.filter((id) => movie(api.getVideoPlayerBySessionId(id)) === asked());
        const among = named.length > 0 ? named : ids;
        const id =
          among.find((id) => states[id]?.playing) ?? among.find((id) => states[id]?.paused === false) ?? among[0];
        return api.getVideoPlayerBySessionId(id);
      }, null);

    const advert = () => one('.watch-video span[class*="mmvz9h"], [data-uia="player"] span[class*="mmvz9h"]') !== null;
    let shift = 0; // milliseconds of advertisement in the player's time
    let shiftOf = "";
    let before = null; // the player's time at the last look during an advertisement
    const clock = (player) => {
      const at = player.getCurrentTime();
      if (shiftOf !== movie(player)) {
        shiftOf = movie(player);
        shift = 0;
        before = null;
      }
      const ad = advert();
      if (before !== null && at > before && at - before < 5000) shift += at - before;
      before = ad ? at : null;
      return { at: Math.max(0, at - shift), ad };
    };

    const status = () => {
      if (signsIn()) return "login";
      if (one(".profile-name") && !session()) return "profile";
      if (one('[data-uia="error-container"], [data-uia="nfp-error"], .error-container, .nfp-error')) {
        return canDecrypt() === false ? "no_drm" : "site_error";
      }
      return null;
    };

    return {
      traits: { own: true, grid: 2.5, protected: true, box: '.watch-video, [data-uia="player"]' },
      find: () => largest(all('.watch-video video, [data-uia="player"] video').filter((video) => !video.closest(".preview-video"))),
      read() {
        const player = session();
        const hint = canDecrypt() === false ? "no_drm" : null;
        if (!player) return { id: asked() ?? "none", status: status(), hint };
        const { at, ad } = attempt(() => clock(player), {});
        return {
          time: at / 1000,
          duration: attempt(() => player.getDuration() / 1000, undefined),
          ad,
          id: movie(player),
          status: status(),
          hint,
        };
      },
      play: () => session().play(),
      pause: () => session().pause(),
      seek: (to) => session().seek(Math.round(to * 1000 + shift)),
      // Steps of a quarter are its own; the agent writes finer ones to the element.
      rate: (rate) => (rate >= 0.5 && rate <= 1.5 && rate % 0.25 === 0 ? session().setPlaybackRate(rate) : undefined),
      tidy() {
        // "Are you still watching?" is answered yes; the credits stay, the next film does not come.
        one('[data-uia="interrupt-autoplay-continue"]')?.click();
        one('[data-uia="watch-credits-seamless-button"]')?.click();
      },
    };
  },
);
