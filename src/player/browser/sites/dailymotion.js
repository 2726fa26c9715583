// Dailymotion's watch page: an ordinary element, with advertisements in another.
site(
  (host) => host === "www.dailymotion.com" || host === "dailymotion.com",
  ({ all, largest, inPath, signsIn }) => {
    const film = () => largest(all(".player > .video_view > video, #dmp_Video"));
    // The marker of its advertisements is not known in public. They play in an element of
    // their own over the film's: one that runs, with sound, where the film should be.
    const advert = (video) =>
      all(".player video").some(
        (other) => other !== video && !other.paused && !other.muted && other.readyState > 1 && covers(other, video),
      );
    const covers = (other, video) => {
      const [a, b] = [other.getBoundingClientRect(), video.getBoundingClientRect()];
      return a.width * a.height >= 0.5 * b.width * b.height && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    };
    return {
      traits: { grid: 1, box: ".player" },
      find: film,
      read() {
        const video = film();
        return {
          id: inPath(/\/video\/(x[0-9a-z]+)/) ?? "none",
          ad: video !== null && advert(video),
          live: video !== null && video.duration === Infinity,
          status: !video && signsIn() ? "login" : null,
        };
      },
    };
  },
);
