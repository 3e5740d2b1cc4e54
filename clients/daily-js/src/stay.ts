/** One stay in a call, from `join()` to its end: the sound, the socket, and what comes and goes on it. */

import { playOn } from "./devices.js";
import { Inbox } from "./inbox.js";
import { type Connect, Line } from "./line.js";
import { ASSISTANT, newId, participant, voiceState } from "./participants.js";
import type { OpenSound, Sound } from "./sound.js";
import type { DailyParticipant } from "./types.js";

/** Who plays the assistant's track says so by the message `playable`; a browser that holds sound back never does. */
const PLAYABLE_MS = 1500;
const DRAIN_MS = 1000;
const MOST_UNSENT = 100;

/** How a call is joined. */
export interface Entrance {
  url: string;
  microphone: MediaStreamTrack | null;
  muted: boolean;
  speakerId: string;
  workletUrl: string | undefined;
  /** Whether somebody listens to messages already: then it is a call that had begun, and is rejoined. */
  rejoining: boolean;
  connect: Connect;
  openSound: OpenSound;
}

export interface StayEvents {
  /** The assistant is there. Whoever subscribes to its track in here is waited for until the track is being played. */
  arrived(): void;
  /** The assistant's track is being had. */
  subscribed(track: MediaStreamTrack): void;
  message(data: string): void;
  /** The caller's level. */
  heard(rms: number, ms: number): void;
  /** The assistant's level. */
  played(rms: number, ms: number): void;
  /** The far end has hung up; `trouble` says what went wrong, if anything did. */
  over(trouble: string | null): void;
}

export class Stay {
  readonly assistantId = newId();
  readonly joinedAt = new Date();
  #events: StayEvents;
  #leaving = new AbortController();
  #inbox = new Inbox();
  #subscribed = false;
  #playable = () => {};
  #unsent: string[] = [];
  #sound: Sound | null = null;
  #line: Line | null = null;

  constructor(events: StayEvents) {
    this.#events = events;
  }

  /** The assistant's voice, once there is sound. */
  get track(): MediaStreamTrack | null {
    return this.#sound?.track ?? null;
  }

  get subscribed(): boolean {
    return this.#subscribed;
  }

  /** The assistant, once there is sound. */
  get assistant(): DailyParticipant | null {
    if (!this.#sound) return null;
    const audio = voiceState(this.#sound.track, this.#subscribed);
    return participant({ sessionId: this.assistantId, name: ASSISTANT, local: false, joinedAt: this.joinedAt, audio });
  }

  /**
   * Join. The socket is opened last, when the assistant's track is being played: the server speaks at once, and
   * nothing of its first words may be lost.
   */
  async enter(entrance: Entrance): Promise<void> {
    const leaving = this.#leaving.signal;
    leaving.throwIfAborted();
    const sound = await this.#open(entrance);
    this.#sound = sound;
    await this.#introduce(entrance.speakerId);
    if (entrance.rejoining) this.listen();
    const line = await Line.open(
      entrance.url,
      {
        text: (text) => this.#hear(text),
        audio: (pcm) => sound.play(pcm),
        closed: ({ expected, reason }) => void this.#hungUp(expected ? null : reason),
      },
      leaving,
      entrance.connect,
    );
    if (leaving.aborted) line.close();
    leaving.throwIfAborted();
    this.#line = line;
    if (!entrance.rejoining) this.#inbox.add(() => this.#events.message("listening"));
    for (const text of this.#unsent.splice(0)) line.send(text);
  }

  /** Leave. Nothing is told any more. */
  leave(): void {
    this.#leaving.abort(new Error("the call was left"));
    this.#inbox.close();
    this.#line?.close();
    this.#sound?.close();
  }

  /** Somebody listens to messages now. */
  listen(): void {
    this.#inbox.open();
  }

  /** The page plays the assistant's track. */
  playable(): void {
    this.#playable();
  }

  send(text: string): void {
    if (this.#line) this.#line.send(text);
    else if (this.#unsent.length < MOST_UNSENT) this.#unsent.push(text);
  }

  mute(muted: boolean): void {
    this.#sound?.mute(muted);
  }

  listenTo(microphone: MediaStreamTrack | null): void {
    this.#sound?.listenTo(microphone);
  }

  subscribe(): void {
    if (!this.#sound || this.#subscribed) return;
    this.#subscribed = true;
    this.#events.subscribed(this.#sound.track);
  }

  async #open({ openSound, microphone, muted, workletUrl }: Entrance): Promise<Sound> {
    const sound = await openSound(
      microphone,
      {
        frame: (pcm, rms, ms) => {
          this.#line?.sendAudio(pcm);
          this.#events.heard(rms, ms);
        },
        played: (rms, ms) => this.#events.played(rms, ms),
      },
      workletUrl,
    );
    if (this.#leaving.signal.aborted) sound.close();
    this.#leaving.signal.throwIfAborted();
    sound.mute(muted);
    return sound;
  }

  /** Show the assistant to the page, and wait until its track is being played. */
  async #introduce(speakerId: string): Promise<void> {
    const playing = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, PLAYABLE_MS);
      this.#playable = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#leaving.signal.addEventListener("abort", this.#playable);
    });
    this.#events.arrived();
    if (!this.#subscribed) this.#playable();
    await playing;
    if (speakerId !== "default" && this.track) await playOn(speakerId, this.track).catch(() => {}); // the default then
  }

  #hear(text: string): void {
    // Before anybody else: what the caller has cut must not sound any more. The frames of what comes next follow.
    if (typeOf(text) === "user-interrupted") this.#sound?.flush();
    this.#inbox.add(() => this.#events.message(text));
  }

  async #hungUp(trouble: string | null): Promise<void> {
    if (trouble === null) await this.#sound?.drained(DRAIN_MS); // the last words
    if (this.#leaving.signal.aborted) return;
    this.#inbox.add(() => this.#events.over(trouble));
    // By then `join()` has returned, and its caller listens or never will.
    setTimeout(() => this.listen());
  }
}

function typeOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { type?: unknown } | null)?.type;
  } catch {
    return null; // a bare word, as Vapi's rooms have them
  }
}
