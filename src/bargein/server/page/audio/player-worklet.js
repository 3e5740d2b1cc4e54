/** Runs on the audio thread: plays the assistant's audio. */

import { PlayoutQueue } from "./playout.js";
import { Resampler, fromPcm16, rms } from "./resample.js";

const RATE_HZ = 16000;
const REPORT_S = 0.02;

class Player extends AudioWorkletProcessor {
  #queue = new PlayoutQueue(sampleRate);
  #resampler = new Resampler(RATE_HZ, sampleRate);
  #energy = 0;
  #blocks = 0;
  #reported = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data.what === "flush") {
        this.#queue.flush();
        this.#resampler = new Resampler(RATE_HZ, sampleRate);
      } else {
        this.#queue.push(this.#resampler.push(fromPcm16(new Int16Array(data.pcm))));
      }
    };
  }

  process(_inputs, outputs) {
    const out = outputs[0][0];
    this.#queue.render(out, currentFrame);
    const silentAt = this.#queue.takeSilentAt();
    if (silentAt !== null) this.port.postMessage({ what: "silent", at: silentAt / sampleRate });
    this.#energy += rms(out) ** 2;
    this.#blocks += 1;
    if (currentTime - this.#reported >= REPORT_S) this.#report();
    return true;
  }

  #report() {
    this.port.postMessage({
      what: "level",
      at: this.#reported, // start of the measured span
      level: Math.sqrt(this.#energy / this.#blocks),
      queuedMs: this.#queue.queuedMs,
      playing: this.#queue.playing,
    });
    this.#reported = currentTime;
    this.#energy = 0;
    this.#blocks = 0;
  }
}

registerProcessor("player", Player);
