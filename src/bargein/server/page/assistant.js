/** The assistant of the page's calls: the settings in the page, and the JSON made from them. */

export const GREETING =
  "Hi! I'm a demo that runs entirely on this machine. Ask me to tell you a story, and then cut in whenever you like.";

/** The messages that the page subscribes to: Vapi's default set, and the progress of the assistant's speech. */
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
 * @property {string} numWords number of words that interrupt, as typed; empty: the server's default
 * @property {string} voiceSeconds seconds of voice that interrupt, as typed; empty: the server's default
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
