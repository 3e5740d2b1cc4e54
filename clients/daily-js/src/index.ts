/**
 * Replaces `@daily-co/daily-js` below Vapi's web SDK and React widget through a bundler's alias; calls go to a bargein
 * server.
 */

import { DailyCall } from "./call.js";
import type { DailyFactoryOptions } from "./types.js";

/** Make a call object; `join()` connects it. */
export function createCallObject(properties?: DailyFactoryOptions): DailyCall {
  return new DailyCall(properties);
}

function noInterface(): never {
  throw new Error("Daily's own user interface is not in @bargein/daily-js: use createCallObject()");
}

/** The default export, for `import Daily from "@daily-co/daily-js"`. */
const Daily = { createCallObject, createFrame: noInterface, createTransparentFrame: noInterface, wrap: noInterface };

export default Daily;
export { DailyCall };
export type * from "./events.js";
export type * from "./types.js";
