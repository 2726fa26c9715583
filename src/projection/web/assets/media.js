// What a media reference means to this page. The log holds (provider, id), never a URL to
// be followed; what is opened here is built from these templates and nothing else.

const PROVIDERS_BY_URL = new Set(["file", "page"]);

/** The https or http address a free-form reference stands for, or null. */
function addressOf(media) {
  if (!PROVIDERS_BY_URL.has(media.provider)) return null;
  try {
    const url = new URL(media.id);
    return url.protocol === "https:" || url.protocol === "http:" ? url : null;
  } catch {
    return null;
  }
}

/** The host the party's host allows by loading from it, spelled as in the reference; else null. */
export function hostOf(media) {
  if (!PROVIDERS_BY_URL.has(media.provider)) return null;
  return media.id.split("/")[2] ?? null;
}

/** What to open in a tab of one's own, starting at `micros`; null when there is nothing safe to open. */
export function pageUrl(media, micros = 0) {
  const secs = Math.floor(micros / 1e6);
  if (media.provider === "youtube") {
    const id = encodeURIComponent(media.id);
    return `https://www.youtube.com/watch?v=${id}${secs > 0 ? `&t=${secs}s` : ""}`;
  }
  return addressOf(media)?.href ?? null;
}

/** The address of a film file, or null when it is none that may be fetched. */
export const fileUrl = (media) => (media.provider === "file" ? addressOf(media)?.href ?? null : null);

/** A short name for a reference without a title. */
export function labelOf(media) {
  return media.id;
}

/** The site's name, for sentences. */
export function siteOf(media) {
  if (media.provider === "youtube") return "YouTube";
  return addressOf(media)?.hostname ?? media.provider;
}
