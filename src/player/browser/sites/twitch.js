// Twitch: recordings, clips, live channels.
//
// A live channel has no common timeline: each viewer sees an edge of their own. The agent
// shares play and pause there and goes back to the edge.
site(
  (host) => host === "www.twitch.tv" || host === "clips.twitch.tv",
  ({ attempt, one, all, largest, climb, inPath, signsIn }) => {
    const ENDLESS = 1 << 30; // how its player says "no end"
    const film = () => largest(all(".video-player video"));
    let known = null; // { video, player }
    const player = () => {
      const video = film();
      if (!video) return null;
      if (known?.video === video) return known.player;
      const found = climb(video, (fiber) => {
        const instance = fiber.memoizedProps?.mediaPlayerInstance ?? fiber.stateNode?.props?.mediaPlayerInstance;
        const inner = instance?.playerInstance ?? instance;
        const core = inner?.core ?? inner;
        return core && typeof core.seekTo === "function" && typeof core.getPosition === "function" ? core : null;
      });
      if (found) known = { video, player: found };
      return found;
    };
    // On a recording the address says which; a channel's and a clip's are paths of one word.
    const id = () =>
      inPath(/\/(?:videos|video|v)\/(\d+)/) ?? inPath(/\/clip\/([\w-]+)/) ?? inPath(/^\/([\w-]+)\/?$/) ?? "none";
    const endless = () => {
      const length = attempt(() => player().getDuration(), film()?.duration);
      return length === Infinity || length >= ENDLESS;
    };

    return {
      traits: { grid: 1, box: ".video-player" },
      find: film,
      read() {
        const core = player();
        const gate = one('button[data-a-target="content-classification-gate-overlay-start-watching-button"]');
        const live = film() !== null && endless();
        return {
          id: id(),
          live,
          time: live ? undefined : attempt(() => core.getPosition(), undefined),
          duration: live ? undefined : attempt(() => core.getDuration(), undefined),
          ad: one('[data-a-target="video-ad-label"], [data-a-target="video-ad-countdown"]') !== null,
          status: gate ? "gate" : signsIn() ? "login" : null,
        };
      },
      // Without its player the element must do.
      play: () => (player() ?? film()).play(),
      pause: () => (player() ?? film()).pause(),
      seek(to) {
        const core = player();
        if (core) core.seekTo(to);
        else film().currentTime = to;
      },
      edge() {
        const video = film();
        const edge = video.seekable.length > 0 ? video.seekable.end(video.seekable.length - 1) : NaN;
        if (Number.isFinite(edge) && edge - video.currentTime > 10) video.currentTime = edge - 2;
      },
    };
  },
);
