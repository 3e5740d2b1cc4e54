/** Runs on the audio thread: the microphone as frames of 20 ms at 16 kHz, with a level and the onsets of sound. */

import { OnsetDetector } from "./onset.js";
import { Resampler, rms, toPcm16 } from "./resample.js";

const RATE_HZ = 16000;
const FRAME = 320;

class Microphone extends AudioWorkletProcessor {
  #resampler = new Resampler(sampleRate, RATE_HZ);
  #onsets = new OnsetDetector(RATE_HZ);
  #frame = new Float32Array(FRAME);
  #filled = 0;
  #startFrame = null;
  #muted = false;
  #silence = new Float32Array(128);

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      this.#muted = data.muted;
    };
  }

  process(inputs) {
    this.#startFrame ??= currentFrame;
    const heard = inputs[0]?.[0];
    // Without a microphone, or muted, silence is sent: a gap in the stream would disturb the server's voice detection.
    const samples = this.#resampler.push(heard && !this.#muted ? heard : this.#silence);
    for (const { what, sample } of this.#onsets.push(samples)) {
      this.port.postMessage({ what, at: this.#startFrame / sampleRate + sample / RATE_HZ });
    }
    for (let i = 0; i < samples.length;) {
      const part = samples.subarray(i, i + FRAME - this.#filled);
      this.#frame.set(part, this.#filled);
      this.#filled += part.length;
      i += part.length;
      if (this.#filled === FRAME) this.#send();
    }
    return true;
  }

  #send() {
    const pcm = toPcm16(this.#frame).buffer;
    this.port.postMessage({ what: "frame", pcm, level: rms(this.#frame), at: currentTime - FRAME / RATE_HZ }, [pcm]);
    this.#filled = 0;
  }
}

registerProcessor("microphone", Microphone);
