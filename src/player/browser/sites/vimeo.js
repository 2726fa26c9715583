// Vimeo's watch page: an ordinary element, with a live stream's ways.
site(
  (host) => host === "vimeo.com" || host === "www.vimeo.com",
  ({ one, all, largest, inPath, signsIn }) => {
    const film = () => largest(all(".vp-video-wrapper .vp-video video"));
    return {
      traits: { grid: 1, box: ".vp-video-wrapper, .player" },
      find: film,
      read() {
        const video = film();
        const locked = !video && (signsIn() || one('input[type="password"]') !== null);
        return {
          id: inPath(/\/(\d+)(?:\/[0-9a-f]{10})?\/?$/) ?? "none",
          // A live stream reports no length, or none at all, and rejects seeks.
          live: video !== null && video.readyState > 0 && (video.duration === 0 || video.duration === Infinity),
          status: locked ? "login" : null,
        };
      },
    };
  },
);
