import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { createCallObject } from "../dist/index.mjs";
import { joinAsTheSdk, names, record, Stage, Track, turns, URL_OF_CALL } from "./stage.mjs";

const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
afterEach(() => before && Object.defineProperty(globalThis, "navigator", before));

function giveNavigator(mediaDevices) {
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices }, configurable: true });
}

test("the microphone is requested with echo cancellation", async () => {
  const asked = [];
  const track = new Track();
  giveNavigator({
    getUserMedia: async (constraints) => {
      asked.push(constraints);
      return { getAudioTracks: () => [track] };
    },
    enumerateDevices: async () => [
      { kind: "audioinput", deviceId: "mic-1" },
      { kind: "audiooutput", deviceId: "default" },
    ],
  });
  const call = createCallObject({ audioSource: "mic-1" });
  const infos = await call.startCamera();
  assert.deepEqual(asked[0].audio.deviceId, { exact: "mic-1" });
  assert.ok(asked[0].audio.echoCancellation && asked[0].audio.noiseSuppression && asked[0].audio.autoGainControl);
  assert.equal(infos.mic.deviceId, "mic-1");
  assert.equal(infos.speaker.deviceId, "default");
  assert.equal((await call.enumerateDevices()).devices.length, 2);
  await call.destroy();
  assert.ok(track.stopped);
});

test("each of the browser's errors has its type", async () => {
  const kinds = {
    NotAllowedError: "permissions",
    SecurityError: "permissions",
    NotFoundError: "not-found",
    NotReadableError: "mic-in-use",
    OverconstrainedError: "constraints",
    UnheardOfError: "unknown",
  };
  for (const [name, kind] of Object.entries(kinds)) {
    giveNavigator({ getUserMedia: () => Promise.reject(new DOMException("no", name)) });
    const call = createCallObject();
    const told = record(call, "camera-error");
    await call.startCamera();
    assert.equal(told[0][1].error.type, kind);
    assert.match(told[0][1].errorMsg.errorMsg, new RegExp(name));
  }
  giveNavigator(undefined);
  const call = createCallObject();
  const told = record(call, "camera-error");
  await call.startCamera();
  assert.equal(told[0][1].error.type, "undefined-mediadevices");
});

test("a call without a microphone continues in silence", async () => {
  const stage = new Stage();
  stage.refusal = new DOMException("denied", "NotAllowedError");
  const call = stage.call();
  const told = await joinAsTheSdk(call);
  assert.deepEqual(names(told), ["camera-error", "track-started"]);
  assert.equal(stage.sound.microphone, null);
  assert.equal(call.participants().local.tracks.audio.state, "blocked");
  const silent = new Stage();
  await silent.call({ audioSource: false }).join({ url: URL_OF_CALL });
  assert.equal(silent.sound.microphone, null);
});

test("another microphone, or a track of the page, can be selected during a call", async () => {
  const stage = new Stage();
  const call = stage.call();
  await joinAsTheSdk(call);
  const [first] = stage.microphones;
  await call.setInputDevicesAsync({ audioDeviceId: "mic-2" });
  assert.equal(stage.asked.at(-1), "mic-2");
  assert.ok(first.track.stopped);
  const own = new Track();
  await call.setInputDevicesAsync({ audioSource: own });
  assert.equal(stage.sound.microphone, own);
  stage.refusal = new DOMException("gone", "NotFoundError");
  await assert.rejects(call.setInputDevicesAsync({ audioDeviceId: "mic-3" }));
  assert.equal(stage.sound.microphone, own);
  await call.destroy();
  assert.equal(own.stopped, false); // it is the page's
});

test("an unplugged microphone is replaced by the default one, or is an error", async () => {
  const stage = new Stage();
  const call = stage.call({ audioSource: "mic-1" });
  const told = await joinAsTheSdk(call);
  stage.microphones[0].track.dispatchEvent(new Event("ended"));
  await turns();
  assert.deepEqual(stage.asked, ["mic-1", true]);
  assert.equal(stage.sound.microphone, stage.microphones[1].track);
  stage.refusal = new DOMException("none left", "NotFoundError");
  stage.microphones[1].track.dispatchEvent(new Event("ended"));
  await turns();
  assert.equal(stage.sound.microphone, null);
  assert.equal(names(told).at(-1), "camera-error");
});

test("a microphone that opens after the call was left is closed", async () => {
  const stage = new Stage();
  const call = stage.call();
  const joining = call.join({ url: URL_OF_CALL });
  await call.leave();
  await assert.rejects(joining);
  assert.ok(stage.microphones[0].track.stopped);
  assert.equal(stage.sockets.length, 0);
});

test("noise cancellation is the browser's own", async () => {
  const stage = new Stage();
  const call = stage.call();
  const told = record(call, "nonfatal-error");
  await joinAsTheSdk(call);
  const [{ track }] = stage.microphones;
  const asked = { audio: { processor: { type: "noise-cancellation" } } };
  assert.deepEqual(await call.updateInputSettings(asked), { inputSettings: asked });
  assert.deepEqual(track.applied, []); // it is on already
  await call.updateInputSettings({ audio: { processor: { type: "none" } } });
  assert.equal(track.settings.noiseSuppression, false);
  assert.equal(track.applied[0].echoCancellation, true); // the rest stays
  track.refusal = new DOMException("cannot", "OverconstrainedError");
  await call.updateInputSettings(asked);
  assert.equal(told[0][1].type, "input-settings-error");
  assert.deepEqual(await call.getInputSettings(), asked);
});
