/** Vapi's own declarations compile against this package's, and what they say of the call object stays typed. */

import type { DailyCall } from "@daily-co/daily-js";
import Vapi from "@vapi-ai/web";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(): T => true as T;

holds<Same<ReturnType<Vapi["getDailyCallObject"]>, DailyCall | null>>();
holds<Same<Parameters<Vapi["setOutputDeviceAsync"]>[0], { outputDeviceId: string }>>();
holds<Same<Parameters<Vapi["setInputDevicesAsync"]>[0]["audioDeviceId"], string | false | null | undefined>>();

const vapi = new Vapi("key", "http://127.0.0.1:8700", { workletUrl: "/worklet.js" } as object, { startAudioOff: true });
vapi.on("daily-participant-updated", ({ session_id }) => session_id.length);
vapi.getDailyCallObject()?.on("camera-error", ({ error }) => error.type === "permissions" && error.blockedBy);
