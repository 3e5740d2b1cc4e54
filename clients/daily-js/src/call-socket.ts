/** The socket of one call: `webCallUrl` of `POST /call/web`. */

const OPEN_MS = 10_000;
/** Two seconds of audio. Older audio is dropped when the network recovers: the server could not use it. */
const MOST_WAITING_BYTES = 64_000;

export const NORMAL_CLOSURE = 1000;
const NO_STATUS = 1005;

export interface SocketEvents {
  /** A text frame. */
  text(text: string): void;
  /** 16 kHz s16le mono. */
  audio(pcm: ArrayBuffer): void;
  /** The server closed the connection, or it was lost; called once, and not after `close()`. */
  closed(how: { expected: boolean; reason: string }): void;
}

/** Creates the socket; tests create another one. */
export type Connect = (url: string) => WebSocket;

/**
 * Check that a URL is one of bargein's.
 *
 * @throws Error if it is not; the message says what it should be
 */
export function socketUrl(url: string | undefined): string {
  if (!url) throw new Error("join() needs the url of a call: webCallUrl of POST /call/web");
  const { protocol } = new URL(url);
  if (protocol !== "ws:" && protocol !== "wss:") {
    throw new Error(
      `${url} is no WebSocket address. This package stands in for @daily-co/daily-js and joins calls of a bargein ` +
        "server only: pass the server's address to Vapi as its apiBaseUrl (React widget: apiUrl).",
    );
  }
  return url;
}

/** An open socket. */
export class CallSocket {
  #socket: WebSocket;

  /** Connect; rejects if that fails, takes too long, or `leaving` aborts it. */
  static async open(url: string, events: SocketEvents, leaving: AbortSignal, connect: Connect): Promise<CallSocket> {
    leaving.throwIfAborted();
    return new Promise((resolve, reject) => {
      const socket = connect(url);
      socket.binaryType = "arraybuffer";
      const fail = (error: Error) => {
        done();
        socket.onopen = socket.onclose = null;
        socket.close();
        reject(error);
      };
      const leave = () => fail(new Error("the call was left before it was joined"));
      const timer = setTimeout(() => fail(new Error(`${url} does not answer`)), OPEN_MS);
      const done = () => {
        clearTimeout(timer);
        leaving.removeEventListener("abort", leave);
      };
      leaving.addEventListener("abort", leave);
      socket.onclose = () => fail(new Error(`${url} cannot be reached`));
      socket.onopen = () => {
        done();
        resolve(new CallSocket(socket, events));
      };
    });
  }

  private constructor(socket: WebSocket, events: SocketEvents) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") events.text(data);
      else events.audio(data as ArrayBuffer);
    };
    socket.onclose = ({ code, reason }) => {
      const expected = code === NORMAL_CLOSURE || code === NO_STATUS;
      events.closed({ expected, reason: reason || `the connection was lost (${code})` });
    };
  }

  send(text: string): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(text);
  }

  /** Send 20 ms of the caller's audio; dropped while the network is blocked. */
  sendAudio(pcm: ArrayBuffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN || this.#socket.bufferedAmount > MOST_WAITING_BYTES) return;
    this.#socket.send(pcm);
  }

  /** Close the connection. Data that was sent before still arrives. */
  close(): void {
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(NORMAL_CLOSURE);
  }
}
