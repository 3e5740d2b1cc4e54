/**
 * Conversion of a stream's sample rate, for browsers whose audio does not run at the call's rate.
 *
 * A windowed sinc, evaluated at any ratio. Sample n of the output is at the time of sample n * from / to of the input;
 * it is available once the input has advanced by another `TAPS` / 2 samples of the slower rate.
 */

const TAPS = 16;

/** Resamples one mono stream, piece by piece, without discontinuities. */
export class Resampler {
  #ratio;
  #cutoff;
  #reach;
  #history;
  #position;

  /**
   * @param {number} fromHz rate of the input
   * @param {number} toHz rate of the output
   */
  constructor(fromHz, toHz) {
    this.#ratio = fromHz / toHz;
    this.#cutoff = Math.min(1, toHz / fromHz);
    this.#reach = Math.ceil(TAPS / 2 / this.#cutoff);
    this.#history = new Float32Array(this.#reach);
    this.#position = this.#reach;
  }

  /**
   * @param {Float32Array} samples in [-1, 1]
   * @returns {Float32Array} as many samples as are ready
   */
  push(samples) {
    if (this.#ratio === 1) return samples.slice();
    const held = new Float32Array(this.#history.length + samples.length);
    held.set(this.#history);
    held.set(samples, this.#history.length);
    const last = held.length - this.#reach - 1;
    const count = Math.max(0, Math.floor((last - this.#position) / this.#ratio) + 1);
    const out = new Float32Array(count);
    for (let i = 0; i < count; i++) out[i] = this.#at(held, this.#position + i * this.#ratio);
    const next = this.#position + count * this.#ratio;
    const drop = Math.max(0, Math.floor(next) - this.#reach);
    this.#history = held.slice(drop);
    this.#position = next - drop;
    return out;
  }

  #at(held, position) {
    const first = Math.max(0, Math.ceil(position - this.#reach));
    const end = Math.min(held.length - 1, Math.floor(position + this.#reach));
    let sum = 0;
    for (let i = first; i <= end; i++) sum += held[i] * this.#weight(position - i);
    return sum;
  }

  #weight(distance) {
    const x = Math.PI * distance * this.#cutoff;
    const sinc = Math.abs(x) < 1e-9 ? 1 : Math.sin(x) / x;
    const hann = 0.5 + 0.5 * Math.cos((Math.PI * distance) / this.#reach);
    return this.#cutoff * sinc * hann;
  }
}

/**
 * @param {Float32Array} samples in [-1, 1]; louder samples are clipped
 * @returns {Int16Array}
 */
export function toPcm16(samples) {
  const pcm = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i++) {
    pcm[i] = Math.round(Math.max(-1, Math.min(1, samples[i])) * 32767);
  }
  return pcm;
}

/**
 * @param {Int16Array} pcm
 * @returns {Float32Array} in [-1, 1]
 */
export function fromPcm16(pcm) {
  const samples = new Float32Array(pcm.length);
  for (let i = 0; i < pcm.length; i++) samples[i] = pcm[i] / 32768;
  return samples;
}

/**
 * @param {Float32Array} samples
 * @returns {number} root mean square, 0 to 1
 */
export function rms(samples) {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += samples[i] * samples[i];
  return samples.length ? Math.sqrt(sum / samples.length) : 0;
}
