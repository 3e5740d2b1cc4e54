/**
 * A call's sound: the microphone's samples out, the assistant's in, as a track that the page plays.
 *
 * The worklets are those of the server's own page (`src/bargein/server/page/audio`): the build puts them in.
 */

/** The worklets' code; the build fills it in. */
declare const WORKLET: string;

const RATE_HZ = 16_000;
const FRAME_MS = 20;
/** What still is on its way through the page's audio element when the queue is empty. */
const TAIL_MS = 80;
/** Reports of an empty queue, 20 ms apart: the first may have been under way before the last piece came. */
const QUIET_REPORTS = 3;
const GESTURES = ["pointerdown", "keydown", "touchend"] as const;

export interface SoundEvents {
  /** 20 ms of the caller, 16 kHz s16le, and its root mean square. */
  frame(pcm: ArrayBuffer, rms: number, ms: number): void;
  /** A stretch of the assistant has been played. */
  played(rms: number, ms: number): void;
}

/** What a call needs of its sound; a test has another one. */
export interface Sound {
  /** The assistant's voice. */
  readonly track: MediaStreamTrack;
  /** Take 16 kHz s16le, to sound after what was taken before. */
  play(pcm: ArrayBuffer): void;
  /** Drop what has not sounded yet. */
  flush(): void;
  /** Send silence in place of the microphone. */
  mute(muted: boolean): void;
  /** Take the caller's voice from another track; null: silence. */
  listenTo(microphone: MediaStreamTrack | null): void;
  /** Wait until all has sounded, or so long. */
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

/** Open it over the browser's audio. Without a person's gesture it may be silent until there is one. */
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
  #wake = () => void this.#context.resume().catch(() => {}); // it is asked again at the next gesture

  constructor(context: AudioContext, source: MediaStreamAudioSourceNode | null, events: SoundEvents) {
    this.#context = context;
    this.#source = source;
    this.#microphone = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 1, channelCount: 1 });
    this.#player = new AudioWorkletNode(context, "player", { numberOfInputs: 0, outputChannelCount: [1] });
    const out = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    source?.connect(this.#microphone);
    // It puts out nothing, but some browsers only run what leads to a destination.
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

  /** Browsers hold a page's sound back until a person has touched it, and take it away for a telephone call. */
  #stayAwake(): void {
    for (const name of GESTURES) addEventListener(name, this.#wake, { capture: true, passive: true });
    this.#context.onstatechange = () => {
      if (this.#context.state !== "running" && this.#context.state !== "closed") this.#wake();
    };
    this.#wake();
  }
}

/** Some browsers cannot bring a microphone into a context of another rate; then the worklets resample. */
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
