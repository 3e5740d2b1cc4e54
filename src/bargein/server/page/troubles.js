/** Error messages for the user. */

import { MicrophoneError } from "./audio/sound.js";
import { CallError } from "./call.js";

/**
 * @typedef {object} Trouble
 * @property {string} title
 * @property {string} advice
 * @property {"key" | "silent" | "again" | null} offer a field for the key; a call without a microphone; another attempt
 */

const MICROPHONE = {
  NotAllowedError: [
    "Your microphone is off limits",
    "The browser was told not to share it. Allow the microphone for this page, beside its address, and call again.",
  ],
  NotFoundError: ["There is no microphone", "None is plugged in, or the system hides it from the browser."],
  NotReadableError: ["The microphone is busy", "Another program holds it. Close that program and call again."],
  InsecureContext: [
    "This address cannot use a microphone",
    "Browsers share it only with https:// pages and with localhost. Open the page at http://localhost or behind TLS.",
  ],
};

/** @type {Record<string, [string, string, Trouble["offer"]]>} */
const CALL = {
  unauthorized: [
    "This server wants a key",
    "Paste its public key. It stays in this tab and is gone when you close it.",
    "key",
  ],
  unreachable: [
    "The server does not answer",
    "It may have been stopped, or the network is down. Is it still running?",
    "again",
  ],
  busy: [
    "The server cannot take a call right now",
    "It is still loading its models, or on its way out. Try in a moment.",
    "again",
  ],
  refused: ["The server would not make this call", "", "again"],
};

const CLOSED = {
  1006: ["The connection was lost", "The server is gone, or the network broke. What was said is still here."],
  1008: ["The server refused the connection", "The call may have been taken or ended already."],
  1011: ["Something broke on the server", "Its log says what. You can call again."],
  1012: ["The server is restarting", "Call again in a moment."],
  1013: ["The server is full", "It holds as many calls as it can. Try again in a moment."],
};

/**
 * @param {unknown} error
 * @returns {Trouble}
 */
export function explain(error) {
  if (error instanceof MicrophoneError) {
    const [title, advice] = MICROPHONE[error.reason] ?? [
      "The microphone did not open",
      `The browser says: ${error.reason}.`,
    ];
    return { title, advice, offer: "silent" };
  }
  if (error instanceof CallError) {
    const [title, advice, offer] = CALL[error.kind];
    return {
      title,
      advice: error.detail ? `${error.detail}${/[.!?]$/.test(error.detail) ? "" : "."} ${advice}`.trim() : advice,
      offer,
    };
  }
  return {
    title: "The call could not begin",
    advice: error instanceof Error ? error.message : String(error),
    offer: "again",
  };
}

/**
 * @param {number} code a WebSocket close code
 * @param {string} [reason] the server's text
 * @returns {Trouble}
 */
export function explainClosing(code, reason = "") {
  const [title, advice] = CLOSED[code] ?? ["The call broke off", `The connection was closed with code ${code}.`];
  return { title, advice: reason ? `${sentence(reason)} ${advice}` : advice, offer: "again" };
}

/**
 * @param {Record<string, any>} message a client message
 * @returns {string} why the call failed, if that is what the message says
 */
export function failureIn(message) {
  const ended = message.type === "status-update" && message.status === "ended";
  return (ended && textOf(message.call?.endedMessage)) || "";
}

/**
 * @param {string} why the server's sentence
 * @returns {Trouble}
 */
export function explainFailure(why) {
  return { title: "The call failed", advice: sentence(why), offer: "again" };
}

function textOf(value) {
  return typeof value === "string" ? value : "";
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]["”]?$/.test(text) ? "" : "."}`;
}

const ENDED = {
  "customer-ended-call": "You hung up",
  "assistant-ended-call": "The assistant hung up",
  "assistant-said-end-call-phrase": "The assistant said goodbye",
  "assistant-ended-call-after-message-spoken": "The assistant said its last words",
  "silence-timed-out": "Nobody spoke for a while, so the call ended",
  "exceeded-max-duration": "The call reached its longest duration",
  "manually-canceled": "The call was ended from outside",
  "worker-shutdown": "The server was stopped",
};

/**
 * @param {string | undefined} reason Vapi's `endedReason`
 * @param {string} [byCaller] text for a caller who hung up; by default the user of the page
 * @returns {string}
 */
export function explainEnding(reason, byCaller = ENDED["customer-ended-call"]) {
  if (!reason) return "The call is over";
  if (reason === "customer-ended-call") return byCaller;
  return ENDED[reason] ?? `The call ended: ${reason.replaceAll("-", " ")}`;
}
