/** The duration of an interruption: from the caller's first sound to the assistant's last. */

const STALE_MS = 2_000;

/** Times are milliseconds of one clock, that of the audio device. */
export class Stopwatch {
  #onsetMs = null;
  #offsetMs = null;
  #beganMs = null;
  #waiting = [];

  /**
   * @param {"onset" | "offset"} what
   * @param {number} atMs
   */
  voice(what, atMs) {
    if (what === "onset") {
      this.#onsetMs = atMs;
      this.#offsetMs = null;
    } else this.#offsetMs = atMs;
  }

  /**
   * The assistant begins to speak.
   *
   * @param {number} atMs
   */
  began(atMs) {
    this.#beganMs = atMs;
  }

  /**
   * The server reported an interruption; the player is being flushed.
   *
   * @param {number} key key of the interrupted turn
   * @param {number} atMs
   */
  interrupted(key, atMs) {
    this.#waiting.push({ key, onsetMs: this.#onsetBefore(atMs) });
  }

  /**
   * The player has fallen silent.
   *
   * @param {number} atMs
   * @returns {{key: number, onsetMs: number | null, silentMs: number, tookMs: number | null} | null} null: no
   *   interruption was waiting for it. Without an onset the interruption was typed.
   */
  silent(atMs) {
    const first = this.#waiting.shift();
    if (!first) return null;
    const onsetMs = first.onsetMs !== null && first.onsetMs <= atMs ? first.onsetMs : null;
    return { key: first.key, onsetMs, silentMs: atMs, tookMs: onsetMs === null ? null : Math.round(atMs - onsetMs) };
  }

  #onsetBefore(atMs) {
    if (this.#onsetMs === null) return null;
    if (this.#offsetMs !== null && atMs - this.#offsetMs > STALE_MS) return null;
    // A caller who was speaking when the assistant began interrupts from then on.
    return Math.max(this.#onsetMs, this.#beganMs ?? this.#onsetMs);
  }
}
