/** Which devices there are and which are in use. */

import type { DailyDeviceInfos } from "./types.js";

/** An audio element that can play to a chosen device. */
type Sink = HTMLAudioElement & { setSinkId?: (id: string) => Promise<void> };

export async function devices(): Promise<MediaDeviceInfo[]> {
  return (await globalThis.navigator?.mediaDevices?.enumerateDevices?.()) ?? [];
}

/** The microphone of a track, and the loudspeaker of that id. */
export async function devicesInUse(microphone: MediaStreamTrack | null, speakerId: string): Promise<DailyDeviceInfos> {
  const all = await devices();
  const micId = microphone?.getSettings?.().deviceId;
  return {
    camera: {},
    mic: all.find(({ kind, deviceId }) => kind === "audioinput" && deviceId === micId) ?? {},
    speaker: all.find(({ kind, deviceId }) => kind === "audiooutput" && deviceId === speakerId) ?? {},
  };
}

/**
 * Have the page's elements that play a track play it on a loudspeaker.
 *
 * @throws Error if the browser cannot choose one, or knows none of that id
 */
export async function playOn(speakerId: string, track: MediaStreamTrack): Promise<void> {
  // By its id: a browser may give out another object for the same track.
  const elements = [...document.querySelectorAll("audio")].filter(
    ({ srcObject }) => srcObject instanceof MediaStream && srcObject.getTrackById(track.id) !== null,
  );
  for (const element of elements as Sink[]) {
    if (!element.setSinkId) throw new Error("this browser cannot choose a loudspeaker");
    await element.setSinkId(speakerId);
  }
}
