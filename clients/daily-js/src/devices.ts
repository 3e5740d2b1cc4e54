/** The available devices, and those in use. */

import type { DailyDeviceInfos } from "./types.js";

/** An audio element with a selectable output device. */
type Sink = HTMLAudioElement & { setSinkId?: (id: string) => Promise<void> };

export async function devices(): Promise<MediaDeviceInfo[]> {
  return (await globalThis.navigator?.mediaDevices?.enumerateDevices?.()) ?? [];
}

/** The microphone of a track, and the loudspeaker with an id. */
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
 * Play a track on a loudspeaker, in all elements of the page that play it.
 *
 * @throws Error if the browser cannot select a loudspeaker, or has none with that id
 */
export async function playOn(speakerId: string, track: MediaStreamTrack): Promise<void> {
  // Compared by id: a browser may return another object for the same track.
  const elements = [...document.querySelectorAll("audio")].filter(
    ({ srcObject }) => srcObject instanceof MediaStream && srcObject.getTrackById(track.id) !== null,
  );
  for (const element of elements as Sink[]) {
    if (!element.setSinkId) throw new Error("this browser cannot choose a loudspeaker");
    await element.setSinkId(speakerId);
  }
}
