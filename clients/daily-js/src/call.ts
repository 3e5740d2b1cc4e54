/** The subset of Daily's call object that Vapi's clients use, over the socket of a bargein call. */

import { devices, devicesInUse, playOn } from "./devices.js";
import { Ears } from "./ears.js";
import { Emitter } from "./emitter.js";
import type { CallEvents } from "./events.js";
import { LevelObserver } from "./levels.js";
import { type Connect, socketUrl } from "./line.js";
import { type AudioSource, type Microphone, openMicrophone } from "./microphone.js";
import { microphoneState, newId, participant } from "./participants.js";
import { type OpenSound, openSound } from "./sound.js";
import { Stay } from "./stay.js";
import type {
  DailyCallOptions,
  DailyDeviceInfos,
  DailyFactoryOptions,
  DailyInputDevices,
  DailyInputSettings,
  DailyMeetingState,
  DailyParticipant,
  DailyParticipantsAudioLevel,
  DailyParticipantsObject,
  DailyParticipantUpdateOptions,
  DailyStartScreenShareOptions,
} from "./types.js";

/** What a call object takes from the browser; a test gives others. */
export interface Platform {
  connect: Connect;
  openSound: OpenSound;
  openMicrophone: (source: AudioSource) => Promise<Microphone | null>;
}

const BROWSER: Platform = { connect: (url) => new WebSocket(url), openSound, openMicrophone };

export class DailyCall extends Emitter<CallEvents> {
  readonly callClientId = newId();
  readonly properties: DailyFactoryOptions;
  #platform: Platform;
  #state: DailyMeetingState = "new";
  #stay: Stay | null = null;
  #ears: Ears;
  #audioOn: boolean;
  #speakerId = "default";
  #localId = newId();
  #destroyed: Promise<void> | null = null;
  #local = new LevelObserver((audioLevel) => this.#tell("local-audio-level", { audioLevel }));
  #remote = new LevelObserver(() => {
    this.#tell("remote-participants-audio-level", { participantsAudioLevel: this.getRemoteParticipantsAudioLevel() });
  });

  constructor(properties: DailyFactoryOptions = {}, platform: Platform = BROWSER) {
    super();
    this.properties = { ...properties };
    this.#platform = platform;
    this.#audioOn = properties.startAudioOff !== true;
    this.#ears = new Ears(platform.openMicrophone, properties.audioSource ?? true, properties.inputSettings ?? {}, {
      changed: (track) => {
        this.#stay?.listenTo(track);
        this.#tellLocal();
      },
      refused: (error) => {
        this.#tell("camera-error", { errorMsg: { errorMsg: error.msg, audioOk: false, videoOk: true }, error });
      },
      failed: (errorMsg) => this.#tell("nonfatal-error", { type: "input-settings-error", errorMsg }),
    });
  }

  // Coming and going.

  /**
   * Join the call whose `webCallUrl` it is given. A refused microphone is told by `camera-error`, and does not keep
   * it from joining.
   */
  async join(properties: DailyCallOptions = {}): Promise<DailyParticipantsObject> {
    if (this.#destroyed) throw new Error("this call object has been destroyed");
    if (this.#stay) throw new Error(`join() is not possible in the state ${this.#state}`);
    Object.assign(this.properties, properties);
    const url = socketUrl(this.properties.url);
    const stay = this.#newStay();
    this.#stay = stay;
    this.#state = "joining-meeting";
    this.#tell("joining-meeting", {});
    try {
      await this.#ears.need(properties.audioSource);
      await stay.enter({
        url,
        microphone: this.#ears.track,
        muted: !this.#audioOn,
        speakerId: this.#speakerId,
        workletUrl: this.properties.dailyConfig?.workletUrl,
        rejoining: this.listenerCount("app-message") > 0,
        connect: this.#platform.connect,
        openSound: this.#platform.openSound,
      });
    } catch (error) {
      if (this.#stay === stay) {
        this.#tellError(error instanceof Error ? error.message : String(error));
        this.#end("error");
      }
      throw error;
    }
    this.#state = "joined-meeting";
    const participants = this.participants();
    this.#tell("joined-meeting", { participants });
    return participants;
  }

  /** Leave the call: the server takes it that the caller has hung up. */
  async leave(): Promise<void> {
    this.#end("left-meeting");
  }

  /** Leave, and be of no use any more. It may be called as often as one likes. */
  destroy(): Promise<void> {
    // The flag is up before anything happens: who hears of the leaving calls this again.
    this.#destroyed ??= Promise.resolve().then(() => {
      this.#end("left-meeting");
      this.#ears.drop();
      this.#tell("call-instance-destroyed", {});
      this.forget();
    });
    return this.#destroyed;
  }

  isDestroyed(): boolean {
    return this.#destroyed !== null;
  }

  meetingState(): DailyMeetingState {
    return this.#state;
  }

  /** Daily's own user interface, which is not here. */
  iframe(): HTMLIFrameElement | null {
    return null;
  }

  // Messages.

  override on(name: string, listener: (event: any) => void): this {
    super.on(name, listener);
    return this.#listening(name);
  }

  override once(name: string, listener: (event: any) => void): this {
    super.once(name, listener);
    return this.#listening(name);
  }

  /**
   * Send a message to the server: a control message of Vapi's, as text or as an object.
   *
   * `playable` is not for the server: it tells that the assistant's track is being played. What is sent after the end
   * of the call goes nowhere.
   */
  sendAppMessage(data: unknown, _to: string | string[] = "*"): this {
    const wrapped = (data as { message?: unknown } | null)?.message;
    if (data === "playable" || wrapped === "playable") this.#stay?.playable();
    else this.#stay?.send(typeof data === "string" ? data : JSON.stringify(data));
    return this;
  }

  // Who takes part.

  participants(): DailyParticipantsObject {
    const local = this.#localParticipant();
    const assistant = this.#stay?.assistant;
    return assistant ? { local, [assistant.session_id]: assistant } : { local };
  }

  updateParticipant(sessionId: string, updates: DailyParticipantUpdateOptions): this {
    if (sessionId === "local" || sessionId === this.#localId) {
      if (updates.setAudio !== undefined) this.setLocalAudio(updates.setAudio);
      if (updates.setVideo) this.setLocalVideo(true);
    } else if (sessionId === this.#stay?.assistantId) {
      const wanted = updates.setSubscribedTracks;
      if (wanted === true || (typeof wanted === "object" && wanted.audio === true)) this.#stay.subscribe();
    }
    return this;
  }

  // The caller's side.

  localAudio(): boolean {
    return this.#audioOn;
  }

  /** Mute or unmute. While muted, silence is sent. */
  setLocalAudio(enabled: boolean, _options?: { forceDiscardTrack: boolean }): this {
    this.#audioOn = enabled;
    this.#stay?.mute(!enabled);
    this.#tellLocal();
    return this;
  }

  localVideo(): boolean {
    return false;
  }

  setLocalVideo(enabled: boolean): this {
    if (enabled) throw new Error("video is not carried by bargein");
    return this;
  }

  /** Open the microphone before the call is joined. */
  async startCamera(properties: DailyCallOptions = {}): Promise<DailyDeviceInfos> {
    Object.assign(this.properties, properties);
    await this.#ears.need(properties.audioSource);
    return this.getInputDevices();
  }

  /** Take the caller's voice from another device, or from a track that the page made. */
  async setInputDevicesAsync(wanted: DailyInputDevices): Promise<DailyDeviceInfos> {
    if (wanted.videoDeviceId || wanted.videoSource) throw new Error("video is not carried by bargein");
    const source = wanted.audioSource ?? wanted.audioDeviceId ?? null;
    if (source !== null) await this.#ears.change(source);
    return this.getInputDevices();
  }

  /** Play the assistant on another loudspeaker. */
  async setOutputDeviceAsync({ outputDeviceId }: { outputDeviceId: string }): Promise<DailyDeviceInfos> {
    const track = this.#stay?.track;
    if (track) await playOn(outputDeviceId, track);
    this.#speakerId = outputDeviceId;
    return this.getInputDevices();
  }

  async getInputDevices(): Promise<DailyDeviceInfos> {
    return devicesInUse(this.#ears.track, this.#speakerId);
  }

  async enumerateDevices(): Promise<{ devices: MediaDeviceInfo[] }> {
    return { devices: await devices() };
  }

  /** The browser's own noise suppression does `noise-cancellation`; it is on unless `none` is asked for. */
  async updateInputSettings(settings: DailyInputSettings): Promise<{ inputSettings: DailyInputSettings }> {
    await this.#ears.configure(settings);
    return { inputSettings: this.#ears.settings };
  }

  async getInputSettings(): Promise<DailyInputSettings> {
    return this.#ears.settings;
  }

  // How loud it is.

  async startLocalAudioLevelObserver(intervalMs?: number): Promise<void> {
    this.#local.start(intervalMs);
  }

  stopLocalAudioLevelObserver(): void {
    this.#local.stop();
  }

  isLocalAudioLevelObserverRunning(): boolean {
    return this.#local.running;
  }

  getLocalAudioLevel(): number {
    return this.#local.level;
  }

  async startRemoteParticipantsAudioLevelObserver(intervalMs?: number): Promise<void> {
    this.#remote.start(intervalMs);
  }

  stopRemoteParticipantsAudioLevelObserver(): void {
    this.#remote.stop();
  }

  isRemoteParticipantsAudioLevelObserverRunning(): boolean {
    return this.#remote.running;
  }

  getRemoteParticipantsAudioLevel(): DailyParticipantsAudioLevel {
    return this.#stay ? { [this.#stay.assistantId]: this.#remote.level } : {};
  }

  // What is not here.

  /** A recording is made by the server, if the assistant's `artifactPlan` asks for it: this tells so. */
  startRecording(_options?: object): void {
    this.#tell("recording-error", { errorMsg: "bargein records calls on the server: see the assistant's artifactPlan" });
  }

  stopRecording(_options?: object): void {}

  startScreenShare(_options?: DailyStartScreenShareOptions): void {
    throw new Error("screen sharing is not carried by bargein");
  }

  stopScreenShare(): void {}

  async testNetworkConnectivity(_videoTrack?: MediaStreamTrack): Promise<never> {
    throw new Error("a bargein call goes over one WebSocket: there is no TURN server to test");
  }

  async testWebsocketConnectivity(): Promise<never> {
    throw new Error("only join() knows the server's address: start a call to test the connection");
  }

  async testCallQuality(): Promise<never> {
    throw new Error("a bargein call has no media server to test");
  }

  // How it goes on.

  #newStay(): Stay {
    return new Stay({
      arrived: () => {
        const assistant = this.#stay?.assistant;
        if (!assistant) return;
        this.#tell("participant-joined", { participant: assistant });
        if (this.properties.subscribeToTracksAutomatically !== false) this.#stay?.subscribe();
      },
      subscribed: (track) => this.#tellTrack(track),
      message: (data) => this.#tell("app-message", { data, fromId: this.#stay?.assistantId ?? "" }),
      heard: (rms, ms) => this.#local.push(rms, ms),
      played: (rms, ms) => this.#remote.push(rms, ms),
      over: (trouble) => {
        if (trouble !== null) this.#tellError(trouble);
        this.#end("left-meeting");
      },
    });
  }

  #end(state: "left-meeting" | "error"): void {
    const stay = this.#stay;
    if (!stay) return;
    const { assistant, track } = stay;
    this.#stay = null;
    this.#state = state;
    stay.leave();
    this.#remote.stop();
    this.#local.stop();
    this.#ears.drop();
    if (assistant && track) {
      if (stay.subscribed) this.#tell("track-stopped", { participant: null, track, type: "audio" });
      this.#tell("participant-left", { participant: assistant });
    }
    if (state === "left-meeting") this.#tell("left-meeting", {});
  }

  #listening(name: string): this {
    if (name === "app-message") this.#stay?.listen();
    return this;
  }

  #tellTrack(track: MediaStreamTrack): void {
    const assistant = this.#stay?.assistant;
    if (!assistant) return;
    // Who plays the track says so. With nobody there, nobody will.
    if (this.listenerCount("track-started") === 0) this.#stay?.playable();
    this.#tell("track-started", { participant: assistant, track, type: "audio" });
    this.#tell("participant-updated", { participant: assistant });
  }

  #tellError(msg: string): void {
    this.#tell("error", { errorMsg: msg, error: { type: "connection-error", msg } });
  }

  #tellLocal(): void {
    if (this.#stay) this.#tell("participant-updated", { participant: this.#localParticipant() });
  }

  #localParticipant(): DailyParticipant {
    return participant({
      sessionId: this.#localId,
      name: this.properties.userName ?? "",
      local: true,
      joinedAt: this.#stay?.joinedAt ?? new Date(0),
      audio: microphoneState(this.#ears.track, this.#audioOn),
    });
  }

  #tell<Name extends keyof CallEvents>(name: Name, rest: Omit<CallEvents[Name], "action" | "callClientId">): void {
    this.emit(name, { action: name, callClientId: this.callClientId, ...rest } as CallEvents[Name]);
  }
}
