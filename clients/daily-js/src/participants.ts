/** The two participants of a call. */

import type { DailyParticipant, DailyTrackState } from "./types.js";

/** The name of the assistant in Vapi's SDK. */
export const ASSISTANT = "Vapi Speaker";

const OFF: DailyTrackState = { subscribed: false, state: "off" };

interface Who {
  sessionId: string;
  name: string;
  local: boolean;
  joinedAt: Date;
  audio: DailyTrackState;
}

/** A participant as Daily describes it, with audio only. */
export function participant({ sessionId, name, local, joinedAt, audio }: Who): DailyParticipant {
  return {
    session_id: sessionId,
    user_id: sessionId,
    user_name: name,
    local,
    owner: false,
    record: false,
    audio: audio.state === "playable",
    video: false,
    screen: false,
    joined_at: joinedAt,
    will_eject_at: new Date(0),
    tracks: { audio, video: OFF, screenAudio: OFF, screenVideo: OFF },
    permissions: { hasPresence: true, canSend: local, canReceive: { base: true }, canAdmin: false },
    cam_info: {},
    screen_info: {},
  };
}

/** The state of the caller's microphone. */
export function microphoneState(track: MediaStreamTrack | null, enabled: boolean): DailyTrackState {
  if (!track) return { subscribed: true, state: "blocked", blocked: { byPermissions: true } };
  if (!enabled) return { subscribed: true, state: "off", off: { byUser: true }, persistentTrack: track };
  return { subscribed: true, state: "playable", track, persistentTrack: track };
}

/** The state of the assistant's audio: playable, or loading. */
export function voiceState(track: MediaStreamTrack, subscribed: boolean): DailyTrackState {
  return subscribed
    ? { subscribed, state: "playable", track, persistentTrack: track }
    : { subscribed, state: "sendable" };
}

/** A new unique name. */
export function newId(): string {
  // randomUUID exists only on https and on localhost
  return crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(16)).join("-");
}
