/** The two who take part in a call. */

import type { DailyParticipant, DailyTrackState } from "./types.js";

/** By this name Vapi's SDK knows the assistant. */
export const ASSISTANT = "Vapi Speaker";

const OFF: DailyTrackState = { subscribed: false, state: "off" };

interface Who {
  sessionId: string;
  name: string;
  local: boolean;
  joinedAt: Date;
  audio: DailyTrackState;
}

/** One of them, as Daily describes people; there is audio and nothing else. */
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

/** The state of the assistant's voice: to be had, or being had. */
export function voiceState(track: MediaStreamTrack, subscribed: boolean): DailyTrackState {
  return subscribed
    ? { subscribed, state: "playable", track, persistentTrack: track }
    : { subscribed, state: "sendable" };
}

/** A new name that no other has. */
export function newId(): string {
  // randomUUID is there on https and loopback alone
  return crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(16)).join("-");
}
