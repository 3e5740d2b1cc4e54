/** The assistant that the page calls: what a person may set, and the JSON that comes of it. */

export const GREETING =
  "Hi! I'm a demo that runs entirely on this machine. Ask me to tell you a story, and then cut in whenever you like.";

/** What the page wants to be told: Vapi's default set, and how far the assistant has got with its words. */
const CLIENT_MESSAGES = [
  "assistant.speechStarted",
  "assistant.started",
  "conversation-update",
  "function-call",
  "hang",
  "model-output",
  "speech-update",
  "status-update",
  "tool-calls",
  "transcript",
  "transfer-update",
  "user-interrupted",
  "voice-input",
  "workflow.node.started",
];

/**
 * @typedef {object} Wishes
 * @property {string} firstMessage empty: the model speaks first
 * @property {string} numWords how many words interrupt, as typed; empty: the server's own choice
 * @property {string} voiceSeconds how much voice interrupts, as typed; empty: the server's own choice
 */

/**
 * @param {Wishes} wishes
 * @returns {Record<string, unknown>} an inline `assistant` for `POST /call/web`
 */
export function assistantFrom({ firstMessage, numWords, voiceSeconds }) {
  const plan = {
    ...(numWords.trim() !== "" && { numWords: Number(numWords) }),
    ...(voiceSeconds.trim() !== "" && { voiceSeconds: Number(voiceSeconds) }),
  };
  const greeting = firstMessage.trim();
  return {
    ...(greeting
      ? { firstMessage: greeting }
      : { firstMessageMode: "assistant-speaks-first-with-model-generated-message" }),
    firstMessageInterruptionsEnabled: true,
    ...(Object.keys(plan).length > 0 && { stopSpeakingPlan: plan }),
    clientMessages: CLIENT_MESSAGES,
  };
}
