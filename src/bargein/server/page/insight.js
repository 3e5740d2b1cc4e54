/**
 * The server's information on a call beyond Vapi's protocol: the voice probability and its decisions.
 * The page works without it where a server does not send it.
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
  // Otherwise an EventSource reconnects for ever, even to a call that has ended.
  source.onerror = () => source.close();
  return () => source.close();
}
