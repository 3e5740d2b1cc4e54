/**
 * What the server tells of a call beyond Vapi's protocol: the voice probability and its decisions.
 * Where a server tells nothing, the page works without.
 */

/**
 * @typedef {object} InsightEvents
 * @property {(atMs: number[], probability: number[]) => void} voice times on the page's clock
 * @property {(decision: {atMs: number, what: string, why: string, turnId?: string}) => void} decision
 */

/**
 * Watch a call.
 *
 * @param {string} callId
 * @param {() => number} nowMs the page's clock
 * @param {InsightEvents} events
 * @returns {() => void} stops it
 */
export function watch(callId, nowMs, events) {
  const source = new EventSource(`/${encodeURIComponent(callId)}/insight`);
  let offsetMs = 0; // from the call's clock to the page's
  source.onmessage = ({ data }) => {
    const told = JSON.parse(data);
    if (told.kind === "clock") offsetMs = nowMs() - told.at_ms;
    else if (told.kind === "voice") {
      events.voice(
        told.at_ms.map((at) => at + offsetMs),
        told.probability,
      );
    } else if (told.kind === "decision") events.decision({ ...told, atMs: told.at_ms + offsetMs });
  };
  // By itself it would come back for ever, also to a call that is over.
  source.onerror = () => source.close();
  return () => source.close();
}
