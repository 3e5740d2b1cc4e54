/** A page with Vapi's web SDK, as its documents show it; the test drives it from outside. */

import Vapi from "@vapi-ai/web";

import { isLoud, measure, type Reading, soundedAfter } from "./meter.js";

interface Told {
  name: string;
  at: number;
  value: any;
}

const NAMES = [
  "call-start",
  "call-end",
  "speech-start",
  "speech-end",
  "volume-level",
  "local-volume-level",
  "message",
  "error",
  "camera-error",
  "recording-error",
  "call-start-failed",
] as const;

class TestPage {
  vapi: Vapi;
  told: Told[] = [];
  readings: Reading[] = [];

  constructor(key: string, url: string, config?: object) {
    this.vapi = new Vapi(key, url, config);
    const vapi = this.vapi as unknown as { on(name: string, listener: (value: any) => void): void };
    for (const name of NAMES) vapi.on(name, (value) => this.told.push({ name, at: performance.now(), value }));
    vapi.on("audio", (player: HTMLAudioElement) => {
      this.readings = measure(player);
    });
  }

  events(name: string): Told[] {
    return this.told.filter((told) => told.name === name);
  }

  messages(type: string): any[] {
    return this.events("message").flatMap(({ at, value }) => (value.type === type ? [{ ...value, at }] : []));
  }

  /** The interruptions of what could be heard, and for how long it still could after the message, in milliseconds. */
  cuts(): { turnId: string; at: number; soundedMs: number }[] {
    return this.messages("user-interrupted")
      .filter(({ at }) => this.readings.some((reading) => reading.at < at && reading.at > at - 1500 && isLoud(reading)))
      .map(({ turnId, at }) => ({ turnId, at, soundedMs: soundedAfter(this.readings, at) }));
  }
}

Object.assign(globalThis, { TestPage });
