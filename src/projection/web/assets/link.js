// The link that lets somebody in: `http://host:port/#<session>.<secret>`.
//
// The secret stands in the fragment, which browsers send to no server; it leaves this page
// only inside the hello.

const TOKEN = /^[0-9a-z]{26}$/;

/** Reads a whole link or its fragment; null when it opens nothing. */
export function readLink(text) {
  const fragment = text.trim().replace(/^[^#]*#/, "");
  const [session, secret, ...rest] = fragment.toLowerCase().split(".");
  if (rest.length > 0 || !TOKEN.test(session ?? "") || !TOKEN.test(secret ?? "")) return null;
  return { session, secret };
}

/** Where a pasted link leads: an address to go to, or null. Links without a host open here. */
export function addressOfLink(text) {
  const link = readLink(text);
  if (!link) return null;
  const fragment = `#${link.session}.${link.secret}`;
  const trimmed = text.trim();
  if (!/^https?:\/\//i.test(trimmed)) return fragment;
  try {
    const url = new URL(trimmed);
    return url.origin === location.origin ? fragment : `${url.origin}/${fragment}`;
  } catch {
    return null;
  }
}
