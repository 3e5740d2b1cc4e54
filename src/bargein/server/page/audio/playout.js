/** The queue of what the assistant says, on the caller's side. */

const PREBUFFER_MS = 40;
const PATIENCE_MS = 60; // a first word shorter than the prebuffer must sound as well
const RAMP_MS = 5;
const MOST_S = 60;

/** Plays pieces back to back, and drops them at once when told. Frames are samples of the audio device's clock. */
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

  /** How much is waiting, in milliseconds. */
  get queuedMs() {
    return (this.#queued * 1000) / this.#rateHz;
  }

  /** Whether it sounds, or has just run dry in the middle. */
  get playing() {
    return this.#playing;
  }

  /**
   * @param {Float32Array} samples
   * @returns {boolean} false if there was no more room
   */
  push(samples) {
    if (this.#queued + samples.length > this.#rateHz * MOST_S) return false;
    if (samples.length === 0) return true;
    this.#pieces.push(samples);
    this.#queued += samples.length;
    return true;
  }

  /** Drop what waits, with a ramp of 5 ms so that it does not click. */
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

  /** @returns {number | null} the frame from which on a flush had taken effect; told once */
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
