// Disney+'s player.
//
// Its film lives in shadow roots, and its time nowhere on the element: each seek builds a
// new source, whose time begins anew. So the player object is asked. Its playhead is told a
// few times a second; between two tellings the element's clock carries it on. One seek runs
// at a time, and a pause just after one is lost and said again.
site(
  (host) => host === "www.disneyplus.com",
  ({ seen, attempt, climb, largest, inPath, signsIn, canDecrypt }) => {
    const SAME_S = 1; // the playhead is at most this old
    const AGAIN_MS = 300;
    const SEEK_MS = 8000; // a seek that never completed is given up

    const roots = () => {
      const found = [document];
      for (let next = 0; next < found.length && found.length < 50; next += 1) {
        for (const element of found[next].querySelectorAll("*")) if (element.shadowRoot) found.push(element.shadowRoot);
      }
      return found;
    };
    // The whole page is searched for what is not there yet, so not at every look.
    const remembered = (search, isGood) => {
      let kept = null;
      let looked = -Infinity;
      return () => {
        if (kept && isGood(kept)) return kept;
        if (performance.now() - looked < 200) return null;
        looked = performance.now();
        kept = search();
        return kept;
      };
    };
    const film = remembered(
      () => largest(roots().flatMap((root) => [...root.querySelectorAll('video[id^="hivePlayer"], video')]).filter(seen)),
      seen,
    );
    const isPlayer = (value) =>
      value !== null && typeof value === "object" && ["seek", "scrub", "play", "pause"].every((name) => typeof value[name] === "function");
    const within = (holder) =>
      holder && typeof holder === "object" ? Object.values(holder).slice(0, 60).find((value) => attempt(() => isPlayer(value), false)) : null;
    const player = remembered(
      () => {
        const named = document.querySelector("disney-web-player")?.mediaPlayer;
        const found = isPlayer(named)
          ? named
          : climb(film(), (fiber) => within(fiber.memoizedProps) ?? within(fiber.stateNode));
        if (found) attempt(() => listen(found), null);
        return found;
      },
      (found) => seen(film()) && isPlayer(found),
    );

    const playhead = () => {
      const millis = attempt(() => player().timeline.info.playheadPositionMs, NaN);
      return Number.isFinite(millis) ? millis / 1000 : null;
    };
    let gap = null; // playhead − element's time, at the last telling
    let running = null; // the seek under way: { to, since }
    let queued = null;
    let theirs = -Infinity; // since when the page seeks by itself, at its user's wish
    // A pause around a seek is lost: it is said again once the player has come to rest.
    let still = false;
    let pausing = 0;
    const pauseAgain = () => {
      clearTimeout(pausing);
      pausing = setTimeout(() => {
        if (still && !running && film() && !film().paused) attempt(() => player().pause(), null);
      }, AGAIN_MS);
    };
    const settle = () => {
      if (running) pauseAgain();
      running = null;
      theirs = -Infinity;
      if (queued !== null) {
        const to = queued;
        queued = null;
        seek(to);
      }
    };
    const seek = (to) => {
      if (running && performance.now() - running.since < SEEK_MS) {
        queued = to;
        return;
      }
      running = { to, since: performance.now() };
      gap = null;
      const done = attempt(() => player().seek(Math.round(to * 1000)), null);
      if (done instanceof Promise) done.catch(() => settle());
    };
    const listen = (found) => {
      const told = (name, hear) => found.on(`@EVENT/PLAYER/${name}`, hear);
      told("TIMECODE", () => {
        const at = playhead();
        if (at !== null && !running && film()) gap = at - film().currentTime;
      });
      told("PLAYBACK/MEDIA_SEEKING", () => {
        gap = null;
        if (!running) theirs = performance.now();
      });
      told("PLAYBACK/MEDIA_SEEK_COMPLETE", settle);
    };
    const time = () => {
      if (running) return queued ?? running.to;
      const at = playhead();
      const video = film();
      if (at === null || gap === null || !video || video.paused) return at;
      const carried = video.currentTime + gap;
      return Math.abs(carried - at) <= SAME_S ? carried : at;
    };
    const advert = () =>
      attempt(
        () => seen(document.querySelector("ad-badge-overlay").shadowRoot.querySelector(".ad-badge-overlay__content--time-display")),
        false,
      );

    return {
      traits: { own: true, grid: 1, protected: true, box: "disney-web-player, main-app-controls-overlay" },
      find: film,
      read() {
        const id = inPath(/\/(?:play|video)\/([0-9a-f-]{36})/);
        if (signsIn()) return { id: "", status: "login" };
        if (/\/select-profile(\/|$)/.test(location.pathname)) return { id: "", status: "profile" };
        if (running && performance.now() - running.since > SEEK_MS) settle();
        const millis = attempt(() => player().timeline.info.programDurationMs, NaN);
        return {
          id: id ?? "none",
          time: time() ?? undefined,
          duration: millis / 1000,
          ad: advert(),
          busy: running !== null || performance.now() - theirs < SEEK_MS,
          hint: canDecrypt() === false ? "no_drm" : null,
        };
      },
      play() {
        still = false;
        return player().play();
      },
      pause() {
        still = true;
        pauseAgain();
        return player().pause();
      },
      seek,
    };
  },
);
