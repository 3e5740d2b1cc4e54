/** The caller's audio: the selection of the microphone, and its state. */

import type { DailyCameraError } from "./events.js";
import { type AudioSource, closeMicrophone, type Microphone, MicrophoneError } from "./microphone.js";
import type { DailyInputSettings } from "./types.js";

export interface EarsEvents {
  /** The microphone has changed; null: there is none. */
  changed(track: MediaStreamTrack | null): void;
  /** There is no microphone, with the reason. */
  refused(error: DailyCameraError): void;
  /** The browser does not apply the requested noise suppression. */
  failed(message: string): void;
}

/** Keeps a microphone open, from its first use until it is dropped. */
export class CallerAudio {
  #open: (source: AudioSource) => Promise<Microphone | null>;
  #events: EarsEvents;
  #source: AudioSource;
  #settings: DailyInputSettings;
  #microphone: Microphone | null = null;
  /** Incremented by every drop: a microphone that was requested before it is not used. */
  #drops = 0;

  constructor(
    open: (source: AudioSource) => Promise<Microphone | null>,
    source: AudioSource,
    settings: DailyInputSettings,
    events: EarsEvents,
  ) {
    this.#open = open;
    this.#source = source;
    this.#settings = settings;
    this.#events = events;
  }

  get track(): MediaStreamTrack | null {
    return this.#microphone?.track ?? null;
  }

  get settings(): DailyInputSettings {
    return this.#settings;
  }

  /** Open the microphone, or another one if a source is given. A failure is reported as an event, not thrown. */
  async need(source?: AudioSource): Promise<void> {
    if (this.#microphone && source === undefined) return;
    try {
      await this.#take(source ?? this.#source);
    } catch (error) {
      const known = error instanceof MicrophoneError;
      const reason = known ? error : new MicrophoneError("unknown", error instanceof Error ? error.message : "");
      this.#events.refused(reason.describe());
    }
  }

  /** Change the microphone; the previous one stays if the new one fails. */
  async change(source: AudioSource): Promise<void> {
    await this.#take(source);
  }

  drop(): void {
    this.#drops += 1;
    closeMicrophone(this.#microphone);
    this.#microphone = null;
  }

  /** The browser's own noise suppression does `noise-cancellation`; it is on unless the processor is `none`. */
  async configure(settings: DailyInputSettings): Promise<void> {
    this.#settings = { ...this.#settings, ...settings };
    await this.#suppressNoise();
  }

  async #take(source: AudioSource): Promise<void> {
    const drops = this.#drops;
    const next = await this.#open(source);
    if (drops !== this.#drops) {
      closeMicrophone(next);
      return;
    }
    this.#source = source;
    this.#use(next);
    await this.#suppressNoise();
  }

  #use(next: Microphone | null): void {
    const before = this.#microphone;
    this.#microphone = next;
    this.#events.changed(next?.track ?? null);
    closeMicrophone(before);
    if (next?.own) next.track.addEventListener("ended", () => void this.#replace(next));
  }

  /** Replace a device that was unplugged by the present default. */
  async #replace(lost: Microphone): Promise<void> {
    if (this.#microphone !== lost) return;
    this.#use(null);
    await this.need(true);
  }

  async #suppressNoise(): Promise<void> {
    const processor = this.#settings.audio?.processor?.type;
    const microphone = this.#microphone;
    if (!processor || !microphone?.own) return;
    const noiseSuppression = processor === "noise-cancellation";
    if (microphone.track.getSettings().noiseSuppression === noiseSuppression) return;
    try {
      await microphone.track.applyConstraints({ ...microphone.track.getConstraints(), noiseSuppression });
    } catch (error) {
      this.#events.failed(error instanceof Error ? error.message : String(error));
    }
  }
}
