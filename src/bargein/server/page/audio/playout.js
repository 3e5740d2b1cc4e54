/** The queue of the assistant's audio in the page. */

const PREBUFFER_MS = 40;
const PATIENCE_MS = 60; // after this time audio shorter than the prebuffer is played too
const RAMP_MS = 5;
const MOST_S = 60;

/** Plays pieces without gaps, and drops them at once on request. Frames are samples of the audio device's clock. */
export class PlayoutQueue {
  #rateHz;
  #pieces = [];
  #offset = 0;
  #queued = 0;
  #playing = false;
  #waitingSince = null;
  #soundEnd = 0;
  #flushing = false;
  #silentAt = null;

  /** @param {number} rateHz the device's rate, and that of the samples */
  constructor(rateHz) {
    this.#rateHz = rateHz;
  }

  /** Length of the queue in milliseconds. */
  get queuedMs() {
    return (this.#queued * 1000) / this.#rateHz;
  }

  /** Whether it plays, or has just run dry. */
  get playing() {
    return this.#playing;
  }

  /**
   * @param {Float32Array} samples
   * @returns {boolean} false if the queue was full
   */
  push(samples) {
    if (this.#queued + samples.length > this.#rateHz * MOST_S) return false;
    if (samples.length === 0) return true;
    this.#pieces.push(samples);
    this.#queued += samples.length;
    return true;
  }

  /** Drop the queue, with a ramp of 5 ms to avoid a click. */
  flush() {
    const ramp = this.#playing ? this.#take(Math.round((this.#rateHz * RAMP_MS) / 1000)) : new Float32Array(0);
    for (let i = 0; i < ramp.length; i++) ramp[i] *= 1 - (i + 1) / ramp.length;
    this.#pieces = ramp.length ? [ramp] : [];
    this.#offset = 0;
    this.#queued = ramp.length;
    this.#waitingSince = null;
    this.#flushing = true;
  }

  /**
   * Fill `out`, which begins to sound at `frame`.
   *
   * @param {Float32Array} out
   * @param {number} frame
   */
  render(out, frame) {
    out.fill(0);
    if (this.#isDue(frame)) {
      const taken = this.#take(out.length);
      out.set(taken);
      this.#playing = true;
      if (taken.length) this.#soundEnd = frame + taken.length;
      if (this.#queued === 0 && taken.length < out.length) this.#playing = false;
    }
    if (this.#flushing && this.#queued === 0) {
      this.#flushing = false;
      this.#playing = false;
      this.#silentAt = this.#soundEnd;
    }
  }

  /** @returns {number | null} the frame at which a flush took effect; returned once */
  takeSilentAt() {
    const at = this.#silentAt;
    this.#silentAt = null;
    return at;
  }

  #isDue(frame) {
    if (this.#playing) return true;
    if (this.#queued === 0) return false;
    if (this.#flushing || this.queuedMs >= PREBUFFER_MS) {
      this.#waitingSince = null;
      return true;
    }
    this.#waitingSince ??= frame;
    if (frame - this.#waitingSince < (this.#rateHz * PATIENCE_MS) / 1000) return false;
    this.#waitingSince = null;
    return true;
  }

  #take(count) {
    const out = new Float32Array(Math.min(count, this.#queued));
    let filled = 0;
    while (filled < out.length) {
      const piece = this.#pieces[0];
      const part = piece.subarray(this.#offset, this.#offset + out.length - filled);
      out.set(part, filled);
      filled += part.length;
      this.#offset += part.length;
      if (this.#offset === piece.length) {
        this.#pieces.shift();
        this.#offset = 0;
      }
    }
    this.#queued -= out.length;
    return out;
  }
}
