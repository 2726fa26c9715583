// What a media reference means to this page. The log holds (provider, id), never a URL to
// be followed; what is opened here is built from these templates, those of the program's
// `engine/media`.

const withSecs = (url, prefix, secs, suffix = "") => (secs > 0 ? `${url}${prefix}${secs}${suffix}` : url);

/** What stands before the first `by`, and what stands behind it. */
function split(text, by) {
  const place = text.indexOf(by);
  return place < 0 ? [text, ""] : [text.slice(0, place), text.slice(place + by.length)];
}

/** The Amazon shops that show films, behind `amazon.`. */
const SHOPS = new Set([
  "com", "ae", "ca", "cn", "co.jp", "co.uk", "co.za", "com.au", "com.be", "com.br", "com.mx", "com.tr",
  "de", "eg", "es", "fr", "ie", "in", "it", "nl", "pl", "sa", "se", "sg",
]);

/** Sites by provider: what people call them, and where a thing of theirs is. */
const SITES = {
  youtube: ["YouTube", (id, secs) => withSecs(`https://www.youtube.com/watch?v=${id}`, "&t=", secs, "s")],
  vimeo: ["Vimeo", (id, secs) => withSecs(`https://vimeo.com/${id.replace(":", "/")}`, "#t=", secs, "s")],
  dailymotion: ["Dailymotion", (id, secs) => withSecs(`https://www.dailymotion.com/video/${id}`, "?start=", secs)],
  twitch_vod: ["Twitch", (id, secs) => withSecs(`https://www.twitch.tv/videos/${id}`, "?t=", secs, "s")],
  twitch_clip: ["Twitch", (id) => `https://clips.twitch.tv/${id}`],
  twitch_live: ["Twitch", (id) => `https://www.twitch.tv/${id}`],
  netflix: ["Netflix", (id, secs) => withSecs(`https://www.netflix.com/watch/${id}`, "?t=", secs)],
  prime: ["Prime Video", (id) => {
    const [film, shop] = split(id, ":");
    return SHOPS.has(shop) ? `https://www.amazon.${shop}/gp/video/detail/${film}` : `https://www.primevideo.com/detail/${film}`;
  }],
  disney: ["Disney+", (id) => `https://www.disneyplus.com/play/${id}`],
  hbo_max: ["HBO Max", (id) => `https://play.hbomax.com/video/watch/${id}`],
  hulu: ["Hulu", (id) => `https://www.hulu.com/watch/${id}`],
  crunchyroll: ["Crunchyroll", (id) => `https://www.crunchyroll.com/watch/${id}`],
  arte: ["Arte", (id) => {
    const [programme, language] = split(id, ":");
    return `https://www.arte.tv/${language}/videos/${programme}/`;
  }],
  france_tv: ["France.tv", (id) => {
    const [number, path] = split(id, ":");
    const place = path.lastIndexOf("/");
    return place < 0
      ? `https://www.france.tv/${number}-${path}.html`
      : `https://www.france.tv/${path.slice(0, place)}/${number}-${path.slice(place + 1)}.html`;
  }],
  peer_tube: ["PeerTube", (id, secs) => {
    const [host, video] = split(id, "/");
    return withSecs(`https://${host}/w/${video}`, "?start=", secs, "s");
  }],
};

const isPlain = ({ provider }) => provider === "file" || provider === "page";

/** Reads an address that a browser may open; null for any other. */
export function readAddress(text) {
  try {
    const url = new URL(text);
    const web = url.protocol === "https:" || url.protocol === "http:";
    return web && url.username === "" && url.password === "" ? url : null;
  } catch {
    return null;
  }
}

/** The `host` or `host:port` that the party's host must have allowed; null for the closed table. */
export function hostOf(media) {
  if (isPlain(media)) {
    const place = media.id.indexOf("://");
    return place < 0 ? null : media.id.slice(place + 3).split(/[/?#]/, 1)[0];
  }
  if (media.provider === "peer_tube") return media.id.includes("/") ? split(media.id, "/")[0] : null;
  return null;
}

/** What to open in a tab of one's own, starting at `micros`; null when there is nothing safe to open. */
export function pageUrl(media, micros = 0) {
  if (isPlain(media)) return readAddress(media.id)?.href ?? null;
  if (!Object.hasOwn(SITES, media.provider)) return null; // of a newer program
  const [, build] = SITES[media.provider];
  // The id stands behind the host's slash, so whatever it is, it leads nowhere else. Only
  // PeerTube's names a host, and that one the party's host allowed.
  return readAddress(build(media.id, Math.floor(micros / 1e6)))?.href ?? null;
}

/** The address of a film file, or null when it is none that may be fetched. */
export const fileUrl = (media) => (media.provider === "file" ? readAddress(media.id)?.href ?? null : null);

/** Undoes percent-encoding, for reading only; what is no text stays as it is written. */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The path of a plain address, as it is written. */
function pathOf(id) {
  const rest = id.includes("://") ? split(id, "://")[1] : id;
  const whole = rest.split(/[?#]/, 1)[0];
  const place = whole.indexOf("/");
  return place < 0 ? "" : whole.slice(place);
}

/** Letters that hide, turn or break a line are written out, so that a label is one line of what it says. */
const reveal = (text) => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (letter) => `\\u{${letter.codePointAt(0).toString(16)}}`);

/** The longest label; `LETTERS_MAX` of the program. */
const LETTERS_MAX = 60;

/** A short name for a reference without a title: `YouTube YE7VzlLtp-4`, a file's name. */
export function labelOf(media) {
  const bare = media.id.split(":", 1)[0];
  const labels = {
    file: () => decode(pathOf(media.id).split("/").at(-1)),
    page: () => `${hostOf(media) ?? ""}${decode(pathOf(media.id).replace(/\/+$/, ""))}`,
    peer_tube: () => media.id,
    twitch_live: () => `Twitch ${bare} live`,
    twitch_clip: () => `Twitch clip ${bare}`,
    // A uuid tells people nothing; its beginning tells two of them apart.
    disney: () => `Disney+ ${bare.slice(0, 8)}`,
    hbo_max: () => `HBO Max ${bare.slice(0, 8)}`,
    hulu: () => `Hulu ${bare.slice(0, 8)}`,
  };
  const text = Object.hasOwn(labels, media.provider)
    ? labels[media.provider]()
    : `${SITES[media.provider]?.[0] ?? media.provider} ${bare}`;
  const letters = [...reveal(text)];
  return letters.length <= LETTERS_MAX ? letters.join("") : `${letters.slice(0, LETTERS_MAX - 1).join("")}…`;
}

/** The site's name, for sentences. */
export function siteOf(media) {
  if (isPlain(media)) return readAddress(media.id)?.hostname ?? "that address";
  return SITES[media.provider]?.[0] ?? "that site";
}
