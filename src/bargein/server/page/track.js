/** The timeline's data: levels of both sides over time, the voice probability, and the interruptions. */

const KEEP_MS = 30 * 60_000;
const STEP_MS = 20;

/** A measured quantity over time, in steps of 20 ms; 0 where nothing was measured. Times start at 0. */
export class Curve {
  #values = new Float32Array(4096);
  #length = 0;

  /**
   * @param {number} atMs
   * @param {number} value
   */
  put(atMs, value) {
    const index = Math.floor(atMs / STEP_MS);
    if (index < 0 || index >= KEEP_MS / STEP_MS) return;
    if (index >= this.#values.length) {
      const wider = new Float32Array(Math.max(index + 1, this.#values.length * 2));
      wider.set(this.#values);
      this.#values = wider;
    }
    this.#values[index] = Math.max(value, this.#values[index]);
    this.#length = Math.max(this.#length, index + 1);
  }

  /**
   * Set a value for a whole span.
   *
   * @param {number} fromMs
   * @param {number} toMs
   * @param {number} value
   */
  fill(fromMs, toMs, value) {
    for (let at = Math.max(0, fromMs); at < toMs; at += STEP_MS) this.put(at, value);
    this.put(toMs, value);
  }

  /**
   * @param {number} fromMs
   * @param {number} toMs
   * @returns {number} the highest value in between
   */
  peak(fromMs, toMs) {
    const end = Math.min(this.#length, Math.ceil(toMs / STEP_MS));
    let peak = 0;
    for (let i = Math.max(0, Math.floor(fromMs / STEP_MS)); i < end; i++) peak = Math.max(peak, this.#values[i]);
    return peak;
  }
}

/**
 * @typedef {object} Cut
 * @property {number | null} onsetMs the caller's first sound
 * @property {number} silentMs the assistant's last
 * @property {number | null} tookMs
 *
 * @typedef {object} Span
 * @property {number} fromMs
 * @property {number | null} toMs null: not finished
 *
 * @typedef {object} Remark a decision without an interruption
 * @property {number} atMs
 * @property {string} what
 * @property {string} why
 */

/** The timeline of a call. */
export class Track {
  caller = new Curve();
  assistant = new Curve();
  voice = new Curve();
  /** @type {{user: Span[], assistant: Span[]}} */
  speech = { user: [], assistant: [] };
  /** @type {Cut[]} */
  cuts = [];
  /** @type {Remark[]} */
  remarks = [];

  /**
   * @param {"user" | "assistant"} role
   * @param {"started" | "stopped"} status
   * @param {number} atMs
   */
  spoke(role, status, atMs) {
    const spans = this.speech[role];
    const last = spans?.at(-1);
    if (!spans) return;
    if (status === "started") spans.push({ fromMs: atMs, toMs: null });
    else if (last && last.toMs === null) last.toMs = atMs;
  }

  /** @param {number} atMs end of the call */
  close(atMs) {
    this.spoke("user", "stopped", atMs);
    this.spoke("assistant", "stopped", atMs);
  }

  /** @returns {number | null} the median of the cuts' milliseconds */
  medianTookMs() {
    const all = this.cuts.flatMap((cut) => (cut.tookMs === null ? [] : [cut.tookMs])).sort((a, b) => a - b);
    if (all.length === 0) return null;
    const middle = Math.floor(all.length / 2);
    return all.length % 2 ? all[middle] : Math.round((all[middle - 1] + all[middle]) / 2);
  }
}
