/** The caller's side of a call: which microphone it is, and what becomes of it. */

import type { DailyCameraError } from "./events.js";
import { type AudioSource, closeMicrophone, type Microphone, MicrophoneError } from "./microphone.js";
import type { DailyInputSettings } from "./types.js";

export interface EarsEvents {
  /** There is another microphone now, or none. */
  changed(track: MediaStreamTrack | null): void;
  /** There is none, and why. */
  refused(error: DailyCameraError): void;
  /** The browser does not do what was asked of its noise suppression. */
  failed(message: string): void;
}

/** Keeps one microphone open, from when it is needed until it is dropped. */
export class Ears {
  #open: (source: AudioSource) => Promise<Microphone | null>;
  #events: EarsEvents;
  #source: AudioSource;
  #settings: DailyInputSettings;
  #microphone: Microphone | null = null;
  /** Rises with every drop: a microphone that was asked for before comes too late. */
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

  /** Open the microphone, or another one if a source is given. That it cannot be had is told, not thrown. */
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

  /** Take another microphone; the one before stays if this cannot be had. */
  async change(source: AudioSource): Promise<void> {
    await this.#take(source);
  }

  drop(): void {
    this.#drops += 1;
    closeMicrophone(this.#microphone);
    this.#microphone = null;
  }

  /** The browser's own noise suppression does `noise-cancellation`; it is on unless `none` is asked for. */
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

  /** A device that was unplugged is followed by whichever is the default now. */
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
