/** The subset of Daily's call object that Vapi's clients use, over the socket of a bargein call. */

import { devices, devicesInUse, playOn } from "./devices.js";
import { CallerAudio } from "./caller-audio.js";
import { Emitter } from "./emitter.js";
import type { CallEvents } from "./events.js";
import { LevelObserver } from "./levels.js";
import { type Connect, socketUrl } from "./call-socket.js";
import { type AudioSource, type Microphone, openMicrophone } from "./microphone.js";
import { microphoneState, newId, participant } from "./participants.js";
import { type OpenSound, openSound } from "./sound.js";
import { Session } from "./session.js";
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

/** The parts that a call object uses of the browser; tests pass others. */
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
  #session: Session | null = null;
  #callerAudio: CallerAudio;
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
    const source = properties.audioSource ?? true;
    this.#callerAudio = new CallerAudio(platform.openMicrophone, source, properties.inputSettings ?? {}, {
      changed: (track) => {
        this.#session?.listenTo(track);
        this.#tellLocal();
      },
      refused: (error) => {
        this.#tell("camera-error", { errorMsg: { errorMsg: error.msg, audioOk: false, videoOk: true }, error });
      },
      failed: (errorMsg) => this.#tell("nonfatal-error", { type: "input-settings-error", errorMsg }),
    });
  }

  // Join and leave.

  /**
   * Join the call at `webCallUrl`. A refused microphone is reported by `camera-error`; the call is joined without it.
   */
  async join(properties: DailyCallOptions = {}): Promise<DailyParticipantsObject> {
    if (this.#destroyed) throw new Error("this call object has been destroyed");
    if (this.#session) throw new Error(`join() is not possible in the state ${this.#state}`);
    Object.assign(this.properties, properties);
    const url = socketUrl(this.properties.url);
    const session = this.#newSession();
    this.#session = session;
    this.#state = "joining-meeting";
    this.#tell("joining-meeting", {});
    try {
      await this.#callerAudio.need(properties.audioSource);
      await session.enter({
        url,
        microphone: this.#callerAudio.track,
        muted: !this.#audioOn,
        speakerId: this.#speakerId,
        workletUrl: this.properties.dailyConfig?.workletUrl,
        rejoining: this.listenerCount("app-message") > 0,
        connect: this.#platform.connect,
        openSound: this.#platform.openSound,
      });
    } catch (error) {
      if (this.#session === session) {
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

  /** Leave the call: for the server the caller has hung up. */
  async leave(): Promise<void> {
    this.#end("left-meeting");
  }

  /** Leave, and release everything. Further calls do nothing. */
  destroy(): Promise<void> {
    // The flag is set first: listeners of the events below may call `destroy` again.
    this.#destroyed ??= Promise.resolve().then(() => {
      this.#end("left-meeting");
      this.#callerAudio.drop();
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

  /** Daily's own user interface, which this package does not have. */
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
   * `playable` is not sent to the server: it says that the assistant's track is being played. Messages after the end
   * of the call are dropped.
   */
  sendAppMessage(data: unknown, _to: string | string[] = "*"): this {
    const wrapped = (data as { message?: unknown } | null)?.message;
    if (data === "playable" || wrapped === "playable") this.#session?.playable();
    else this.#session?.send(typeof data === "string" ? data : JSON.stringify(data));
    return this;
  }

  // Participants.

  participants(): DailyParticipantsObject {
    const local = this.#localParticipant();
    const assistant = this.#session?.assistant;
    return assistant ? { local, [assistant.session_id]: assistant } : { local };
  }

  updateParticipant(sessionId: string, updates: DailyParticipantUpdateOptions): this {
    if (sessionId === "local" || sessionId === this.#localId) {
      if (updates.setAudio !== undefined) this.setLocalAudio(updates.setAudio);
      if (updates.setVideo) this.setLocalVideo(true);
    } else if (sessionId === this.#session?.assistantId) {
      const wanted = updates.setSubscribedTracks;
      if (wanted === true || (typeof wanted === "object" && wanted.audio === true)) this.#session.subscribe();
    }
    return this;
  }

  // The caller's audio.

  localAudio(): boolean {
    return this.#audioOn;
  }

  /** Mute or unmute. While muted, silence is sent. */
  setLocalAudio(enabled: boolean, _options?: { forceDiscardTrack: boolean }): this {
    this.#audioOn = enabled;
    this.#session?.mute(!enabled);
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
    await this.#callerAudio.need(properties.audioSource);
    return this.getInputDevices();
  }

  /** Use another device, or a track that the page made, as the microphone. */
  async setInputDevicesAsync(wanted: DailyInputDevices): Promise<DailyDeviceInfos> {
    if (wanted.videoDeviceId || wanted.videoSource) throw new Error("video is not carried by bargein");
    const source = wanted.audioSource ?? wanted.audioDeviceId ?? null;
    if (source !== null) await this.#callerAudio.change(source);
    return this.getInputDevices();
  }

  /** Play the assistant on another loudspeaker. */
  async setOutputDeviceAsync({ outputDeviceId }: { outputDeviceId: string }): Promise<DailyDeviceInfos> {
    const track = this.#session?.track;
    if (track) await playOn(outputDeviceId, track);
    this.#speakerId = outputDeviceId;
    return this.getInputDevices();
  }

  async getInputDevices(): Promise<DailyDeviceInfos> {
    return devicesInUse(this.#callerAudio.track, this.#speakerId);
  }

  async enumerateDevices(): Promise<{ devices: MediaDeviceInfo[] }> {
    return { devices: await devices() };
  }

  /** The browser's own noise suppression does `noise-cancellation`; it is on unless the processor is `none`. */
  async updateInputSettings(settings: DailyInputSettings): Promise<{ inputSettings: DailyInputSettings }> {
    await this.#callerAudio.configure(settings);
    return { inputSettings: this.#callerAudio.settings };
  }

  async getInputSettings(): Promise<DailyInputSettings> {
    return this.#callerAudio.settings;
  }

  // Audio levels.

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
    return this.#session ? { [this.#session.assistantId]: this.#remote.level } : {};
  }

  // Features that this package does not have.

  /** A recording is made by the server, if the assistant's `artifactPlan` enables it: an error says so. */
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

  // The course of a call.

  #newSession(): Session {
    return new Session({
      arrived: () => {
        const assistant = this.#session?.assistant;
        if (!assistant) return;
        this.#tell("participant-joined", { participant: assistant });
        if (this.properties.subscribeToTracksAutomatically !== false) this.#session?.subscribe();
      },
      subscribed: (track) => this.#tellTrack(track),
      message: (data) => this.#tell("app-message", { data, fromId: this.#session?.assistantId ?? "" }),
      heard: (rms, ms) => this.#local.push(rms, ms),
      played: (rms, ms) => this.#remote.push(rms, ms),
      over: (trouble) => {
        if (trouble !== null) this.#tellError(trouble);
        this.#end("left-meeting");
      },
    });
  }

  #end(state: "left-meeting" | "error"): void {
    const session = this.#session;
    if (!session) return;
    const { assistant, track } = session;
    this.#session = null;
    this.#state = state;
    session.leave();
    this.#remote.stop();
    this.#local.stop();
    this.#callerAudio.drop();
    if (assistant && track) {
      if (session.subscribed) this.#tell("track-stopped", { participant: null, track, type: "audio" });
      this.#tell("participant-left", { participant: assistant });
    }
    if (state === "left-meeting") this.#tell("left-meeting", {});
  }

  #listening(name: string): this {
    if (name === "app-message") this.#session?.listen();
    return this;
  }

  #tellTrack(track: MediaStreamTrack): void {
    const assistant = this.#session?.assistant;
    if (!assistant) return;
    // The page that plays the track confirms it with `playable`; without a listener nothing will.
    if (this.listenerCount("track-started") === 0) this.#session?.playable();
    this.#tell("track-started", { participant: assistant, track, type: "audio" });
    this.#tell("participant-updated", { participant: assistant });
  }

  #tellError(msg: string): void {
    this.#tell("error", { errorMsg: msg, error: { type: "connection-error", msg } });
  }

  #tellLocal(): void {
    if (this.#session) this.#tell("participant-updated", { participant: this.#localParticipant() });
  }

  #localParticipant(): DailyParticipant {
    return participant({
      sessionId: this.#localId,
      name: this.properties.userName ?? "",
      local: true,
      joinedAt: this.#session?.joinedAt ?? new Date(0),
      audio: microphoneState(this.#callerAudio.track, this.#audioOn),
    });
  }

  #tell<Name extends keyof CallEvents>(name: Name, rest: Omit<CallEvents[Name], "action" | "callClientId">): void {
    this.emit(name, { action: name, callClientId: this.callClientId, ...rest } as CallEvents[Name]);
  }
}
