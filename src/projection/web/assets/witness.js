// What this page's player knows and the room does not: that it stands where the room does, that
// the film is over, that it cannot show the film and why.
//
// Nobody pressed anything for these, so nobody hears of a "no" to them, and an answer that is
// lost with a connection is not waited for: whatever still holds is told anew to the next one.

/** What a player does that has arrived: the picture of that place is there, or one click away. */
const LANDED = new Set(["paused", "playing", "ended", "needs_click"]);

export class Witness {
  #tell;
  #seated = false;
  #ready = "";
  #ended = "";
  #unable = "";

  /** `tell(intent)`: tells the room; false while it does not hear. */
  constructor(tell) {
    this.#tell = tell;
  }

  /** The room knows nothing of our player any more: another connection, or we said that there is none. */
  forget() {
    this.#unseat();
    this.#unable = "";
  }

  #unseat() {
    this.#seated = false;
    this.#ready = "";
    this.#ended = "";
  }

  /**
   * Looks at the player: `activity` as a report says it (null without a player), `stands` the
   * `{ item, generation }` it was last brought to (null while on the way), `anchor` the room's line,
   * `trouble` the `{ item, why, words }` of a film it cannot show, or null.
   */
  look(activity, stands, anchor, trouble = null) {
    this.#complain(trouble, anchor.item);
    if (activity === null) {
      this.#unseat();
      return;
    }
    const { item, generation, playing } = anchor;
    const arrived = stands?.item === item && stands.generation === generation && LANDED.has(activity);
    const place = `${item} ${generation}`;
    if (arrived && this.#ready !== place) {
      if (this.#tell({ ready: { item, generation } })) {
        this.#ready = place;
        this.#unable = ""; // the room takes it from that
        this.#seated = true;
      }
    } else if (!this.#seated) {
      // Still loading: from now on the room waits for us.
      this.#seated = this.#tell({ ready: { item: 0, generation: 0 } });
    }
    if (arrived && activity === "ended" && playing && this.#ended !== place) {
      if (this.#tell({ ended: { item } })) this.#ended = place;
    }
  }

  /** Once for each film and reason; that it is over, where the room does not see that by itself. */
  #complain(trouble, item) {
    const about = trouble === null ? "" : `${trouble.item} ${trouble.why}`;
    if (about === this.#unable) return;
    if (trouble !== null) {
      this.#ready = ""; // what cannot be shown stands nowhere
      if (this.#tell({ unable: trouble })) this.#unable = about;
    } else if (!this.#unable.startsWith(`${item} `) || this.#tell({ unable: { item, why: null, words: null } })) {
      this.#unable = "";
    }
  }
}
