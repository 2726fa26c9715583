// Between the agent and a site's own player.
//
// Runs in the page's main world, because the players' functions live there. Each
// site's file calls `site(belongs, make)`: `belongs(host)` says whether the page is
// the site's, `make(tools)` gives what is known of its player:
//
//   traits   what the agent must know beforehand:
//              own    true: nothing but a rate may ever be written to the element
//              grid   how far from its target a seek may land, in seconds
//              box    a selector for the player's container, where inputs count
//   find()   the film's element, or null
//   read()   what the player says now, as far as it knows:
//              time, duration (seconds of the film, without advertisements),
//              ad, busy (a seek is under way), idle (loads only when played),
//              live, id (which film), status (why nothing plays), hint (why
//              perhaps no film came)
//   play(), pause(), seek(seconds), rate(factor), edge() (of a live stream),
//   tidy() (questions answered while the room plays); one that is missing is
//   done on the element
//
// The agent asks by an event of the document and is answered before the event
// returns; both carry JSON text. Elements do not travel in it: the found one is
// named by an event of its own. Nothing here is trusted on the other side.
//
// @NONCE@ and @SITES@ are filled in when Chrome is started.
(() => {
  "use strict";
  if (window.top !== window) return;

  const seen = (node) => node instanceof Element && node.isConnected && node.getClientRects().length > 0;
  const tools = {
    seen,
    // Players are reached into as deep as strangers can: each step may be missing or throw.
    attempt(work, otherwise) {
      try {
        return work() ?? otherwise;
      } catch {
        return otherwise;
      }
    },
    /** The visible ones of these elements. */
    all: (selector, root = document) => [...root.querySelectorAll(selector)].filter(seen),
    /** The first visible one, or null. */
    one: (selector, root = document) => tools.all(selector, root)[0] ?? null,
    /** The largest of these elements; later in the document wins a tie. */
    largest(elements) {
      const area = (element) => {
        const box = element.getBoundingClientRect();
        return box.width * box.height;
      };
      return elements.reduce((best, next) => (best && area(best) > area(next) ? best : next), null);
    },
    /**
     * What React keeps above an element: `pick(fiber)` is asked of each fiber on the way to
     * the root, from the first element that has one; its first answer counts.
     */
    climb(element, pick, elements = 12, fibers = 400) {
      let node = element;
      let key;
      for (; node && elements > 0; node = node.parentElement ?? node.getRootNode().host, elements -= 1) {
        key = Object.keys(node).find((name) => /^__react(Fiber|InternalInstance)\$/.test(name));
        if (key) break;
      }
      for (let fiber = key && node[key]; fiber && fibers > 0; fiber = fiber.return, fibers -= 1) {
        const found = tools.attempt(() => pick(fiber), null);
        if (found) return found;
      }
      return null;
    },
    /** What stands in the address at this place: an id, or undefined. */
    inPath: (pattern) => pattern.exec(location.pathname)?.[1],
    /** Whether the address is one of signing in. */
    signsIn: () => /\/(login|log_in|signin|sign-in|signup|identity|auth)(\/|$)/i.test(location.pathname),
    /** Whether this Chrome can open protected films; undefined until it said so. */
    canDecrypt: () => decrypts,
  };

  let decrypts;
  const askForDecryption = () => {
    const wanted = [{ initDataTypes: ["cenc"], videoCapabilities: [{ contentType: 'video/mp4; codecs="avc1.42E01E"' }] }];
    const asked = navigator.requestMediaKeySystemAccess?.("com.widevine.alpha", wanted) ?? Promise.reject();
    asked.then(
      () => { decrypts = true; },
      () => { decrypts = false; },
    );
  };

  let make = null;
  const site = (belongs, maker) => {
    if (belongs(location.hostname)) make = maker;
  };
  // prettier-ignore
  /*@SITES@*/
  if (!make) return;
  const player = make(tools);
  if (player.traits?.protected) askForDecryption();

  const answers = {
    traits: () => ({ ...player.traits, does: Object.keys(player) }),
    find() {
      player.find()?.dispatchEvent(new Event("seance-film-@NONCE@", { bubbles: true, composed: true }));
    },
  };
  document.addEventListener("seance-ask-@NONCE@", (event) => {
    const { order, value } = JSON.parse(event.detail);
    const answer = tools.attempt(() => (answers[order] ?? player[order])(value), {});
    // Some orders answer with a promise, which is nobody's business.
    const plain = answer !== null && typeof answer === "object" && !(answer instanceof Promise) ? answer : {};
    document.dispatchEvent(new CustomEvent("seance-answer-@NONCE@", { detail: JSON.stringify(plain) }));
  });

  // A media key reaches the page as a call of the handler it registered.
  const session = window.MediaSession && MediaSession.prototype;
  if (session) {
    const register = session.setActionHandler;
    session.setActionHandler = function (action, handler) {
      const told =
        typeof handler === "function"
          ? function (...details) {
              document.dispatchEvent(new Event("seance-input-@NONCE@"));
              return handler.apply(this, details);
            }
          : handler;
      return register.call(this, action, told);
    };
  }
})();
