/** A call over Vapi's protocol from a web page: no DOM, no audio. */

const CREATE_MS = 10_000;
const OPEN_MS = 10_000;
const GOODBYE_MS = 1_500;

/** The server refused the call, or the connection failed. */
export class CallError extends Error {
  /**
   * @param {"unauthorized" | "unreachable" | "busy" | "refused"} kind
   * @param {string} [detail] the server's message
   */
  constructor(kind, detail = "") {
    super(detail || kind);
    this.kind = kind;
    this.detail = detail;
  }
}

/**
 * @typedef {object} CallEvents
 * @property {(message: Record<string, unknown>) => void} message a client message came in
 * @property {(message: Record<string, unknown>) => void} sent a message went out
 * @property {(pcm: ArrayBuffer) => void} audio 16 kHz s16le mono
 * @property {(how: {code: number, expected: boolean, reason: string}) => void} closed the connection has ended; called
 *   once; `reason` is the server's text
 */

/**
 * Make a call.
 *
 * @param {Record<string, unknown>} assistant
 * @param {string} key the public key, or empty
 * @returns {Promise<{id: string, path: string, warning: string}>} its id, the path of its socket, and what will not work
 * @throws {CallError}
 */
export async function createCall(assistant, key) {
  const headers = { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) };
  let response;
  try {
    response = await fetch("/call/web", {
      method: "POST",
      headers,
      body: JSON.stringify({ assistant }),
      signal: AbortSignal.timeout(CREATE_MS),
    });
  } catch {
    throw new CallError("unreachable");
  }
  const body = await response.json().catch(() => ({}));
  if (response.status === 401 || response.status === 403) throw new CallError("unauthorized");
  if (response.status === 503) throw new CallError("busy", textOf(body.message));
  if (!response.ok || !body.webCallUrl) throw new CallError("refused", textOf(body.message));
  return { id: body.id, path: new URL(body.webCallUrl).pathname, warning: warningIn(response) };
}

/**
 * @param {Response} response
 * @returns {string} what will not work in the call, or empty
 */
export function warningIn(response) {
  return response.headers?.get("X-Bargein-Warning") ?? "";
}

function textOf(message) {
  return [message].flat().filter(Boolean).join("; ");
}

/** The connection of one call. */
export class Call {
  #socket;
  #events;
  #ended = false;
  #goodbye = 0;

  /**
   * @param {string} path of its socket on this origin
   * @param {CallEvents} events
   * @returns {Promise<Call>} once it is open
   * @throws {CallError}
   */
  static open(path, events) {
    const url = new URL(path, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    return new Promise((resolve, reject) => {
      const fail = () => {
        clearTimeout(timer);
        socket.onopen = socket.onclose = null;
        socket.close();
        reject(new CallError("unreachable"));
      };
      const timer = setTimeout(fail, OPEN_MS);
      socket.onclose = fail;
      socket.onopen = () => {
        clearTimeout(timer);
        resolve(new Call(socket, events));
      };
    });
  }

  constructor(socket, events) {
    this.#socket = socket;
    this.#events = events;
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.#hear(data);
      else events.audio(data);
    };
    socket.onclose = ({ code, reason }) => {
      clearTimeout(this.#goodbye);
      events.closed({ code, expected: this.#ended, reason });
    };
  }

  /** @param {ArrayBuffer} pcm 20 ms of the caller */
  sendAudio(pcm) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(pcm);
  }

  /** @param {Record<string, unknown>} message a client's message, `{"type": …}` */
  send(message) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify(message));
    this.#events.sent(message);
  }

  /** End the call, with Vapi's message first. */
  hangUp() {
    this.#ended = true;
    this.send({ type: "end-call" });
    this.#goodbye = setTimeout(() => this.#socket.close(1000), GOODBYE_MS);
  }

  /** Close the connection without a message. */
  leave() {
    this.#ended = true;
    this.#socket.close(1000);
  }

  #hear(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return; // Vapi's own calls also send bare words ("listening"), which are not needed
    }
    if (!message || typeof message.type !== "string") return;
    if (message.type === "status-update" && message.status === "ended") this.#ended = true;
    this.#events.message(message);
  }
}
