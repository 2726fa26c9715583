// Prime Video, on primevideo.com and the Amazon shops.
//
// The page's state machine overrules the element's `play`, so the player object above it is
// asked, where React shows it; else the element is written to, in hops, because a jump of
// more than 90 s at once crashes the page. What the element counts may begin before the film:
// the clock on the screen says by how much.
site(
  (host) => host === "www.primevideo.com" || /^www\.amazon\.[a-z]{2,3}(\.[a-z]{2})?$/.test(host),
  ({ attempt, one, all, largest, climb, inPath, signsIn, canDecrypt }) => {
    const HOP_S = 80;
    const HOP_EVERY_MS = 300;
    const SAME_S = 2; // whole seconds on two clocks, rounded apart

    const film = () =>
      largest(
        all('.dv-player-fullscreen video, [id^="dv-web-player"] video').filter(
          (video) =>
            (video.currentSrc !== "" || video.srcObject !== null) && !video.matches(".tst-video-overlay-player-html5, .vjs-tech"),
        ),
      );
    const isOpen = () => one(".dv-player-fullscreen") !== null;
    let known = null; // { video, player }
    const player = (video = film()) => {
      if (!video) return null;
      if (known?.video === video) return known.player;
      const found = climb(video, (fiber) => {
        const player = fiber.memoizedProps?.context?.player;
        return player && typeof player.seek === "function" && typeof player.play === "function" ? player : null;
      });
      if (found) known = { video, player: found };
      return found;
    };

    const seconds = (text) => text.trim().split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
    let shift = 0;
    const learnShift = (video) => {
      const shown = one(".atvwebplayersdk-timeindicator-text")?.textContent.split("/");
      if (!shown || shown.length !== 2 || !Number.isFinite(video.duration)) return;
      const [elapsed, remaining] = shown.map((text) => seconds(text.replace("-", "")));
      const found = Math.round(video.duration - elapsed - remaining);
      if (Number.isFinite(found) && found >= 0 && Math.abs(found - shift) >= SAME_S) shift = found;
    };
    const advert = () =>
      one(
        ".atvwebplayersdk-ad-timer-remaining-time, .atvwebplayersdk-ad-timer-text, .atvwebplayersdk-adtimeindicator-text",
      ) !== null;

    // Whether the player object counts as the element does or as the screen does, once a seek told.
    let asScreen = false;
    let sent = null; // { to, at }: where the last seek was to land on the element
    const learnCount = (video) => {
      if (!sent || video.seeking || performance.now() - sent.at < 300) return;
      const wrong = shift >= SAME_S && Math.abs(video.currentTime - sent.to - shift) < SAME_S / 2;
      const aim = sent.to;
      sent = null;
      if (wrong && !asScreen) {
        asScreen = true;
        order(video, aim);
      }
    };
    const order = (video, to) => {
      sent = { to, at: performance.now() };
      const mine = player(video);
      if (mine) return mine.seek(Math.round((asScreen ? to - shift : to) * 1000));
      hop(video, to);
    };
    let hopping = 0;
    const hop = (video, to) => {
      clearTimeout(hopping);
      const left = to - video.currentTime;
      video.currentTime = Math.abs(left) <= HOP_S ? to : video.currentTime + Math.sign(left) * HOP_S;
      hopping = Math.abs(left) <= HOP_S ? 0 : setTimeout(() => hop(video, to), HOP_EVERY_MS);
    };

    return {
      traits: { own: true, grid: 1, protected: true, box: '.dv-player-fullscreen, [id^="dv-web-player"]' },
      find: film,
      read() {
        const video = film();
        const id = inPath(/\/detail\/(?:[^/]+\/)?([0-9A-Z]{10,26})(?:\/|$)/) ?? "none";
        if (!video) {
          const status = signsIn() || /^\/ap\//.test(location.pathname) ? "login" : null;
          return { id, status, hint: isOpen() && canDecrypt() === false ? "no_drm" : "press" };
        }
        const ad = advert();
        if (!ad) {
          learnShift(video);
          learnCount(video);
        }
        return {
          id,
          ad,
          time: Math.max(0, video.currentTime - shift),
          duration: video.duration - shift,
          busy: hopping !== 0,
        };
      },
      play: () => (player() ?? film()).play(),
      pause: () => (player() ?? film()).pause(),
      seek: (to) => order(film(), to + shift),
      tidy() {
        one('[class*="nextupcardhide-button"]')?.click();
      },
    };
  },
);
