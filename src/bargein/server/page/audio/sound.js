/** The page's audio: one audio context with the microphone and the player. */

const RATE_HZ = 16000;

/** The microphone is not available. `reason` is the name of the browser's own error. */
export class MicrophoneError extends Error {
  /** @param {string} reason */
  constructor(reason) {
    super(`microphone: ${reason}`);
    this.reason = reason;
  }
}

/**
 * Request the microphone, with echo cancellation.
 *
 * @returns {Promise<MediaStream>}
 * @throws {MicrophoneError}
 */
export async function askForMicrophone() {
  if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneError("InsecureContext");
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    throw new MicrophoneError(error instanceof Error ? error.name : "unknown");
  }
}

/**
 * @typedef {object} SoundEvents
 * @property {(pcm: ArrayBuffer, level: number, atMs: number) => void} frame 20 ms of the caller, 16 kHz s16le
 * @property {(what: "onset" | "offset", atMs: number) => void} voice the caller's sound began or ended
 * @property {(state: {level: number, queuedMs: number, playing: boolean, atMs: number}) => void} playback
 * @property {(atMs: number) => void} silent a flush took effect
 * @property {() => void} lost the microphone was taken away
 */

/** The audio of a call. Times are milliseconds of the audio device's clock. */
export class Sound {
  #context;
  #stream;
  #microphone;
  #player;

  /**
   * @param {MediaStream | null} stream null: the caller is silent
   * @param {SoundEvents} events
   * @returns {Promise<Sound>}
   */
  static async open(stream, events) {
    const { context, source } = contextFor(stream);
    try {
      await Promise.all([
        context.audioWorklet.addModule(new URL("./microphone-worklet.js", import.meta.url)),
        context.audioWorklet.addModule(new URL("./player-worklet.js", import.meta.url)),
      ]);
      await context.resume();
      return new Sound(context, stream, source, events);
    } catch (error) {
      stream?.getTracks().forEach((track) => track.stop());
      await context.close();
      throw error;
    }
  }

  constructor(context, stream, source, events) {
    this.#context = context;
    this.#stream = stream;
    this.#microphone = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 1, channelCount: 1 });
    this.#player = new AudioWorkletNode(context, "player", { numberOfInputs: 0, outputChannelCount: [1] });
    this.#listen(events);
    source?.connect(this.#microphone);
    // It outputs nothing, but some browsers run only nodes that lead to the loudspeaker.
    this.#microphone.connect(context.destination);
    this.#player.connect(context.destination);
    stream?.getAudioTracks()[0]?.addEventListener("ended", events.lost);
  }

  #listen(events) {
    this.#microphone.port.onmessage = ({ data }) => {
      if (data.what === "frame") events.frame(data.pcm, data.level, data.at * 1000);
      else events.voice(data.what, data.at * 1000);
    };
    this.#player.port.onmessage = ({ data }) => {
      if (data.what === "silent") events.silent(data.at * 1000);
      else events.playback({ ...data, atMs: data.at * 1000 });
    };
  }

  /** @returns {number} */
  nowMs() {
    return this.#context.currentTime * 1000;
  }

  /** @param {ArrayBuffer} pcm 16 kHz s16le; an odd last byte is dropped */
  play(pcm) {
    const whole = pcm.byteLength % 2 ? pcm.slice(0, -1) : pcm;
    this.#player.port.postMessage({ what: "pcm", pcm: whole }, [whole]);
  }

  /** Drop what is queued; the event `silent` has the time at which it was silent. */
  flush() {
    this.#player.port.postMessage({ what: "flush" });
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.#microphone.port.postMessage({ muted });
  }

  async close() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#microphone.port.onmessage = null;
    this.#player.port.onmessage = null;
    if (this.#context.state !== "closed") await this.#context.close();
  }
}

/** Some browsers cannot use a microphone in a context of another rate; the worklets resample then. */
function contextFor(stream) {
  const context = new AudioContext({ sampleRate: RATE_HZ, latencyHint: "interactive" });
  if (!stream) return { context, source: null };
  try {
    return { context, source: context.createMediaStreamSource(stream) };
  } catch {
    void context.close();
    const native = new AudioContext({ latencyHint: "interactive" });
    return { context: native, source: native.createMediaStreamSource(stream) };
  }
}
