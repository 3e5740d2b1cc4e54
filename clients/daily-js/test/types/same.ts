/** What this package takes and tells is what Daily's own declarations say. */

import type { DailyCall as Ours, CallEvents, DailyParticipant, DailyParticipantsObject } from "@daily-co/daily-js";
import type * as Original from "daily-original";

type Assignable<A, B> = A extends B ? true : false;
const holds = <T extends true>(): T => true as T;

type Told = { [Name in keyof CallEvents]: Assignable<CallEvents[Name], Original.DailyEventObject<Name>> };
holds<Told[keyof Told]>();

holds<Assignable<DailyParticipant, Original.DailyParticipant>>();
holds<Assignable<DailyParticipantsObject, Original.DailyParticipantsObject>>();

/** The methods that Vapi's SDK calls, but for those that give back the call object itself. */
type Used =
  | "join"
  | "leave"
  | "destroy"
  | "iframe"
  | "localAudio"
  | "participants"
  | "meetingState"
  | "setOutputDeviceAsync"
  | "setInputDevicesAsync"
  | "getInputDevices"
  | "enumerateDevices"
  | "startCamera"
  | "startLocalAudioLevelObserver"
  | "stopLocalAudioLevelObserver"
  | "isLocalAudioLevelObserverRunning"
  | "getLocalAudioLevel"
  | "startRemoteParticipantsAudioLevelObserver"
  | "stopRemoteParticipantsAudioLevelObserver"
  | "getRemoteParticipantsAudioLevel"
  | "startScreenShare"
  | "stopScreenShare"
  | "startRecording"
  | "stopRecording"
  | "testNetworkConnectivity"
  | "testWebsocketConnectivity"
  | "testCallQuality";

type Gives = { [Name in Used]: Assignable<ReturnType<Ours[Name]>, ReturnType<Original.DailyCall[Name]>> };
holds<Gives[Used]>();

type Takes = {
  [Name in "setOutputDeviceAsync" | "setInputDevicesAsync" | "sendAppMessage" | "setLocalAudio" | "startScreenShare"]: Assignable<
    Parameters<Original.DailyCall[Name]>,
    Parameters<Ours[Name]>
  >;
};
holds<Takes[keyof Takes]>();
