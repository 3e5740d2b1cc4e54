/** The events of a call object, with Daily's names. */

import type { DailyParticipant, DailyParticipantsAudioLevel, DailyParticipantsObject } from "./types.js";

interface Event<Name extends string> {
  action: Name;
  callClientId: string;
}

export type DailyEventObjectNoPayload = Event<"joining-meeting" | "left-meeting" | "call-instance-destroyed">;

export interface DailyEventObjectParticipants extends Event<"joined-meeting"> {
  participants: DailyParticipantsObject;
}

export interface DailyEventObjectParticipant extends Event<"participant-joined" | "participant-updated"> {
  participant: DailyParticipant;
}

export interface DailyEventObjectParticipantLeft extends Event<"participant-left"> {
  participant: DailyParticipant;
}

export interface DailyEventObjectTrack extends Event<"track-started" | "track-stopped"> {
  participant: DailyParticipant | null;
  track: MediaStreamTrack;
  type: string;
}

/** A client message of Vapi's as JSON text, or the bare word `listening`. */
export interface DailyEventObjectAppMessage extends Event<"app-message"> {
  data: string;
  fromId: string;
}

export interface DailyEventObjectRemoteParticipantsAudioLevel extends Event<"remote-participants-audio-level"> {
  participantsAudioLevel: DailyParticipantsAudioLevel;
}

export interface DailyEventObjectLocalAudioLevel extends Event<"local-audio-level"> {
  audioLevel: number;
}

/** The call ended unexpectedly. */
export interface DailyEventObjectFatalError extends Event<"error"> {
  errorMsg: string;
  error: { type: "connection-error" | "not-allowed"; msg: string };
}

/** The reason for a missing microphone; the call continues without it. */
export type DailyCameraError = { msg: string } & (
  | { type: "permissions"; blockedBy: "user" | "browser"; blockedMedia: ("video" | "audio")[] }
  | { type: "not-found"; missingMedia: ("video" | "audio")[] }
  | { type: "constraints"; reason: "invalid" | "none-specified"; failedMedia: ("video" | "audio")[] }
  | { type: "mic-in-use" }
  | { type: "undefined-mediadevices" }
  | { type: "unknown" }
);

export interface DailyEventObjectCameraError extends Event<"camera-error"> {
  errorMsg: { errorMsg: string; audioOk: boolean; videoOk: boolean };
  error: DailyCameraError;
}

export interface DailyEventObjectNonFatalError extends Event<"nonfatal-error"> {
  type: "input-settings-error" | "local-audio-level-observer-error" | "audio-processor-error" | "screen-share-error";
  errorMsg: string;
}

export interface DailyEventObjectRecordingError extends Event<"recording-error"> {
  errorMsg: string;
}

/** Declared by Vapi's web SDK; recordings are made by the server, so this is never sent. */
export type DailyEventObjectRecordingStarted = Event<"recording-started">;

/** Declared by Vapi's web SDK; never sent. */
export type DailyEventObjectRecordingStopped = Event<"recording-stopped">;

export interface CallEvents {
  "joining-meeting": DailyEventObjectNoPayload;
  "joined-meeting": DailyEventObjectParticipants;
  "left-meeting": DailyEventObjectNoPayload;
  "call-instance-destroyed": DailyEventObjectNoPayload;
  "participant-joined": DailyEventObjectParticipant;
  "participant-updated": DailyEventObjectParticipant;
  "participant-left": DailyEventObjectParticipantLeft;
  "track-started": DailyEventObjectTrack;
  "track-stopped": DailyEventObjectTrack;
  "app-message": DailyEventObjectAppMessage;
  "remote-participants-audio-level": DailyEventObjectRemoteParticipantsAudioLevel;
  "local-audio-level": DailyEventObjectLocalAudioLevel;
  "error": DailyEventObjectFatalError;
  "camera-error": DailyEventObjectCameraError;
  "nonfatal-error": DailyEventObjectNonFatalError;
  "recording-error": DailyEventObjectRecordingError;
}
