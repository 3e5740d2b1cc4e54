/** A page with Vapi's web SDK, as its documents show it; the test drives it from outside. */

import Vapi from "@vapi-ai/web";

import { measure, type Reading, soundedAfter } from "./meter.js";

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

  /** For each interruption, how long the page went on sounding after its message, in milliseconds. */
  lateSounds(): number[] {
    return this.messages("user-interrupted").map(({ at }) => soundedAfter(this.readings, at));
  }
}

Object.assign(globalThis, { TestPage });
