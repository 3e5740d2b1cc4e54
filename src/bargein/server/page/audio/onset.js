/**
 * Detection of the onset of sound: an energy gate over a noise floor that it adapts to.
 *
 * It takes no decision in the call; the page measures with it how fast the assistant fell silent. So the time of an
 * onset must be exact, and the detection may be late.
 */

const HOP_MS = 10;
const OVER_FLOOR_DB = 12;
const QUIETEST_DB = -50;
const SILENCE_DB = -90;
const CONFIRM_HOPS = 3;
const HANG_HOPS = 40;
const FLOOR_RISE_DB = 0.03; // for each hop, 3 dB a second
const FLOOR_FALL = 0.2;

/** Reports the beginnings and ends of sound in a stream. */
export class OnsetDetector {
  #hop;
  #filled = 0;
  #energy = 0;
  #seen = 0;
  #floorDb = -60;
  #loudHops = 0;
  #quietHops = 0;
  #began = 0;
  #sounding = false;

  /** @param {number} rateHz */
  constructor(rateHz) {
    this.#hop = Math.round((rateHz * HOP_MS) / 1000);
  }

  /**
   * @param {Float32Array} samples in [-1, 1], the next ones of the stream
   * @returns {{what: "onset" | "offset", sample: number}[]} position in samples from the start of the stream
   */
  push(samples) {
    const found = [];
    for (const value of samples) {
      this.#energy += value * value;
      this.#filled += 1;
      this.#seen += 1;
      if (this.#filled === this.#hop) {
        const event = this.#judge(10 * Math.log10(this.#energy / this.#hop + 1e-12));
        if (event) found.push(event);
        this.#filled = 0;
        this.#energy = 0;
      }
    }
    return found;
  }

  #judge(db) {
    const level = Math.max(SILENCE_DB, db);
    const loud = level > Math.max(QUIETEST_DB, this.#floorDb + OVER_FLOOR_DB);
    if (!loud) this.#floorDb += Math.min((level - this.#floorDb) * FLOOR_FALL, FLOOR_RISE_DB);
    else this.#floorDb += FLOOR_RISE_DB; // a fan that was switched on becomes the floor in a few seconds
    return this.#sounding ? this.#whileSounding(loud) : this.#whileQuiet(loud);
  }

  #whileQuiet(loud) {
    if (loud && this.#loudHops === 0) this.#began = this.#seen - this.#hop;
    this.#loudHops = loud ? this.#loudHops + 1 : 0;
    if (this.#loudHops < CONFIRM_HOPS) return null;
    this.#sounding = true;
    this.#quietHops = 0;
    return { what: "onset", sample: this.#began };
  }

  #whileSounding(loud) {
    this.#quietHops = loud ? 0 : this.#quietHops + 1;
    if (this.#quietHops < HANG_HOPS) return null;
    this.#sounding = false;
    this.#loudHops = 0;
    return { what: "offset", sample: this.#seen - HANG_HOPS * this.#hop };
  }
}
