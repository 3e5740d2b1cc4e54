/**
 * The parts of Daily's call object that Vapi's clients use. The names are Daily's, so that Vapi's own type
 * declarations compile with this package; fields without a meaning here have one fixed value.
 */

export type DailyMeetingState = "new" | "joining-meeting" | "joined-meeting" | "left-meeting" | "error";

/** The options of the browser's noise suppression; other processors are not supported. */
export interface DailyInputSettings {
  audio?: { processor?: { type: "none" | "noise-cancellation" } };
  video?: { processor?: { type: "none" } };
}

export interface DailyAdvancedConfig {
  /** URL of this package's `worklet.js` on the page's server, for pages whose policy forbids `blob:` scripts. */
  workletUrl?: string;
  avoidEval?: boolean;
  alwaysIncludeMicInPermissionPrompt?: boolean;
  [other: string]: unknown;
}

export interface DailyCallOptions {
  /** `webCallUrl` of a call made by `POST /call/web`: the ws or wss address of its socket. */
  url?: string;
  /** A microphone: the default one (true), none (false), a device's id, or a track that the page made itself. */
  audioSource?: string | MediaStreamTrack | boolean;
  videoSource?: string | MediaStreamTrack | boolean;
  startAudioOff?: boolean;
  startVideoOff?: boolean;
  subscribeToTracksAutomatically?: boolean;
  inputSettings?: DailyInputSettings;
  dailyConfig?: DailyAdvancedConfig;
  userName?: string;
  token?: string;
}

export interface DailyFactoryOptions extends DailyCallOptions {
  allowMultipleCallInstances?: boolean;
  strictMode?: boolean;
}

export interface DailyTrackState {
  subscribed: "staged" | boolean;
  state: "blocked" | "off" | "sendable" | "loading" | "interrupted" | "playable";
  off?: { byUser?: boolean };
  blocked?: { byDeviceMissing?: boolean; byDeviceInUse?: boolean; byPermissions?: boolean };
  track?: MediaStreamTrack;
  persistentTrack?: MediaStreamTrack;
}

export interface DailyParticipantTracks {
  audio: DailyTrackState;
  video: DailyTrackState;
  screenAudio: DailyTrackState;
  screenVideo: DailyTrackState;
  [custom: string]: DailyTrackState | undefined;
}

export interface DailyParticipant {
  session_id: string;
  user_id: string;
  user_name: string;
  local: boolean;
  owner: boolean;
  record: boolean;
  audio: boolean;
  video: boolean;
  screen: boolean;
  joined_at: Date;
  will_eject_at: Date;
  tracks: DailyParticipantTracks;
  permissions: {
    hasPresence: boolean;
    canSend: boolean;
    canReceive: { base: boolean };
    canAdmin: boolean;
  };
  cam_info: object;
  screen_info: object;
}

export interface DailyParticipantsObject {
  local: DailyParticipant;
  [id: string]: DailyParticipant;
}

export interface DailyParticipantUpdateOptions {
  setAudio?: boolean;
  setVideo?: boolean;
  setSubscribedTracks?:
    | "staged"
    | "avatar"
    | boolean
    | { audio?: "staged" | boolean; video?: "staged" | boolean; [other: string]: unknown };
}

export interface DailyDeviceInfos {
  camera: object;
  mic: object | MediaDeviceInfo;
  speaker: object | MediaDeviceInfo;
}

export interface DailyInputDevices {
  audioDeviceId?: string | false | null;
  audioSource?: MediaStreamTrack | false;
  videoDeviceId?: string | false | null;
  videoSource?: MediaStreamTrack | false;
}

export interface DailyParticipantsAudioLevel {
  [sessionId: string]: number;
}

/** Screen sharing is not supported: any request is refused. */
export type DailyStartScreenShareOptions = object;

/** Declared by Vapi's web SDK; this package sends no video. */
export type DailyVideoSendSettings = object;
