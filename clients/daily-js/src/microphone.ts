/** The caller's microphone. */

import type { DailyCameraError } from "./events.js";

export type AudioSource = string | MediaStreamTrack | boolean;

const CONSTRAINTS: MediaTrackConstraints = {
  channelCount: 1,
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
};

/** An open microphone. */
export interface Microphone {
  track: MediaStreamTrack;
  /** Whether it was opened here and must be closed here; a track of the page is not stopped. */
  own: boolean;
}

/** The microphone is not available. */
export class MicrophoneError extends Error {
  /** The name of the browser's own error (`NotAllowedError`, `NotFoundError`, …). */
  readonly reason: string;

  constructor(reason: string, detail: string) {
    super(detail ? `${reason}: ${detail}` : reason);
    this.name = "MicrophoneError";
    this.reason = reason;
  }

  /** The same error as Daily reports it. */
  describe(): DailyCameraError {
    const msg = this.message;
    switch (this.reason) {
      case "NotAllowedError":
        return { type: "permissions", msg, blockedBy: "user", blockedMedia: ["audio"] };
      case "SecurityError":
        return { type: "permissions", msg, blockedBy: "browser", blockedMedia: ["audio"] };
      case "NotFoundError":
        return { type: "not-found", msg, missingMedia: ["audio"] };
      case "OverconstrainedError":
      case "TypeError":
        return { type: "constraints", msg, reason: "invalid", failedMedia: ["audio"] };
      case "NotReadableError":
      case "AbortError":
        return { type: "mic-in-use", msg };
      case "InsecureContext":
        return { type: "undefined-mediadevices", msg };
      default:
        return { type: "unknown", msg };
    }
  }
}

/**
 * Open a microphone with echo cancellation; null if none is wanted.
 *
 * @throws MicrophoneError
 */
export async function openMicrophone(source: AudioSource): Promise<Microphone | null> {
  if (source === false) return null;
  if (typeof source === "object") return { track: source, own: false };
  if (!globalThis.navigator?.mediaDevices?.getUserMedia) {
    throw new MicrophoneError("InsecureContext", "a page has a microphone only on https or on a loopback address");
  }
  const device = typeof source === "string" ? { deviceId: { exact: source } } : {};
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { ...CONSTRAINTS, ...device } });
    const [track] = stream.getAudioTracks();
    if (!track) throw new MicrophoneError("NotFoundError", "the device gives no audio");
    return { track, own: true };
  } catch (error) {
    if (error instanceof MicrophoneError) throw error;
    const { name, message } = error as Partial<DOMException>;
    throw new MicrophoneError(name ?? "unknown", message ?? String(error));
  }
}

export function closeMicrophone(microphone: Microphone | null): void {
  if (microphone?.own) microphone.track.stop();
}
