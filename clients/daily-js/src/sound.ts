/**
 * The audio of a call: samples of the microphone out, the assistant's in, as a track that the page plays.
 *
 * The worklets are those of the server's own page (`src/bargein/server/page/audio`), inserted by the build.
 */

/** The worklets' code, inserted by the build. */
declare const WORKLET: string;

const RATE_HZ = 16_000;
const FRAME_MS = 20;
/** Delay of the page's audio element after the queue is empty. */
const TAIL_MS = 80;
/** Number of reports of an empty queue, 20 ms apart: the first may be older than the last piece. */
const QUIET_REPORTS = 3;
const GESTURES = ["pointerdown", "keydown", "touchend"] as const;

export interface SoundEvents {
  /** 20 ms of the caller, 16 kHz s16le, and its root mean square. */
  frame(pcm: ArrayBuffer, rms: number, ms: number): void;
  /** A piece of the assistant's audio has been played. */
  played(rms: number, ms: number): void;
}

/** The audio that a call needs; tests have another one. */
export interface Sound {
  /** The assistant's audio track. */
  readonly track: MediaStreamTrack;
  /** Queue 16 kHz s16le. */
  play(pcm: ArrayBuffer): void;
  /** Drop the queue. */
  flush(): void;
  /** Send silence in place of the microphone. */
  mute(muted: boolean): void;
  /** Use another track as the microphone; null: silence. */
  listenTo(microphone: MediaStreamTrack | null): void;
  /** Wait until the queue has been played, with a limit. */
  drained(mostMs: number): Promise<void>;
  close(): void;
}

export type OpenSound = (
  microphone: MediaStreamTrack | null,
  events: SoundEvents,
  workletUrl: string | undefined,
) => Promise<Sound>;

type PlayerReport = { what: "level"; at: number; level: number; queuedMs: number; playing: boolean } | { what: string };
type MicrophoneReport = { what: "frame"; pcm: ArrayBuffer; level: number } | { what: string };

/** Open the browser's audio. Without a user gesture it may be silent until there is one. */
export const openSound: OpenSound = async (microphone, events, workletUrl) => {
  const { context, source } = contextFor(microphone);
  try {
    await addWorklets(context, workletUrl);
    return new WebSound(context, source, events);
  } catch (error) {
    void context.close();
    throw error;
  }
};

class WebSound implements Sound {
  readonly track: MediaStreamTrack;
  #context: AudioContext;
  #source: MediaStreamAudioSourceNode | null;
  #microphone: AudioWorkletNode;
  #player: AudioWorkletNode;
  #quietReports = QUIET_REPORTS;
  #waiting: (() => void)[] = [];
  #wake = () => void this.#context.resume().catch(() => {}); // repeated at the next gesture

  constructor(context: AudioContext, source: MediaStreamAudioSourceNode | null, events: SoundEvents) {
    this.#context = context;
    this.#source = source;
    this.#microphone = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 1, channelCount: 1 });
    this.#player = new AudioWorkletNode(context, "player", { numberOfInputs: 0, outputChannelCount: [1] });
    const out = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    source?.connect(this.#microphone);
    // It outputs nothing, but some browsers run only nodes that lead to a destination.
    this.#microphone.connect(context.destination);
    this.#player.connect(out);
    const [track] = out.stream.getAudioTracks();
    if (!track) throw new Error("the browser made no track for the assistant's voice");
    this.track = track;
    this.#listen(events);
    this.#stayAwake();
  }

  play(pcm: ArrayBuffer): void {
    const whole = pcm.byteLength % 2 ? pcm.slice(0, -1) : pcm;
    this.#quietReports = 0;
    this.#player.port.postMessage({ what: "pcm", pcm: whole }, [whole]);
  }

  flush(): void {
    this.#player.port.postMessage({ what: "flush" });
  }

  mute(muted: boolean): void {
    this.#microphone.port.postMessage({ muted });
  }

  listenTo(microphone: MediaStreamTrack | null): void {
    const next = microphone && this.#context.createMediaStreamSource(new MediaStream([microphone]));
    this.#source?.disconnect();
    this.#source = next;
    next?.connect(this.#microphone);
  }

  async drained(mostMs: number): Promise<void> {
    if (this.#quietReports >= QUIET_REPORTS) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, mostMs);
      this.#waiting.push(() => {
        clearTimeout(timer);
        setTimeout(resolve, TAIL_MS);
      });
    });
  }

  close(): void {
    this.#microphone.port.onmessage = this.#player.port.onmessage = null;
    this.#context.onstatechange = null;
    for (const name of GESTURES) removeEventListener(name, this.#wake, true);
    this.#source?.disconnect();
    this.track.stop();
    if (this.#context.state !== "closed") void this.#context.close();
  }

  #listen(events: SoundEvents): void {
    let measuredAt: number | null = null;
    this.#microphone.port.onmessage = ({ data }: MessageEvent<MicrophoneReport>) => {
      if ("pcm" in data) events.frame(data.pcm, data.level, FRAME_MS);
    };
    this.#player.port.onmessage = ({ data }: MessageEvent<PlayerReport>) => {
      if (!("level" in data)) return;
      const ms = measuredAt === null ? FRAME_MS : (data.at - measuredAt) * 1000;
      measuredAt = data.at;
      this.#quietReports = data.playing || data.queuedMs > 0 ? 0 : this.#quietReports + 1;
      if (this.#quietReports >= QUIET_REPORTS) for (const resolve of this.#waiting.splice(0)) resolve();
      events.played(data.level, ms);
    };
  }

  /** Browsers block a page's audio before a user gesture, and interrupt it for a telephone call. */
  #stayAwake(): void {
    for (const name of GESTURES) addEventListener(name, this.#wake, { capture: true, passive: true });
    this.#context.onstatechange = () => {
      if (this.#context.state !== "running" && this.#context.state !== "closed") this.#wake();
    };
    this.#wake();
  }
}

/** Some browsers cannot use a microphone in a context of another rate; the worklets resample then. */
function contextFor(microphone: MediaStreamTrack | null) {
  if (microphone) {
    const stream = new MediaStream([microphone]);
    const context = new AudioContext({ sampleRate: RATE_HZ, latencyHint: "interactive" });
    try {
      return { context, source: context.createMediaStreamSource(stream) };
    } catch {
      void context.close();
    }
    const native = new AudioContext({ latencyHint: "interactive" });
    return { context: native, source: native.createMediaStreamSource(stream) };
  }
  return { context: new AudioContext({ latencyHint: "interactive" }), source: null };
}

async function addWorklets(context: AudioContext, url: string | undefined): Promise<void> {
  if (url !== undefined) {
    await context.audioWorklet.addModule(url);
    return;
  }
  const made = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
  try {
    await context.audioWorklet.addModule(made);
  } catch (error) {
    throw new Error(
      "the audio worklets could not be loaded. Where the page's policy forbids blob: scripts, serve " +
        "@bargein/daily-js/worklet and give its address as workletUrl in the Daily config",
      { cause: error },
    );
  } finally {
    URL.revokeObjectURL(made);
  }
}
