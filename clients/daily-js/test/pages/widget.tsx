/** A page with Vapi's React widget, as its documents show it. */

import { VapiWidget } from "@vapi-ai/client-sdk-react";
import { createRoot } from "react-dom/client";

const told: string[] = [];
Object.assign(globalThis, { told });

const given = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const root = document.body.appendChild(document.createElement("div"));
createRoot(root).render(
  <VapiWidget
    {...given}
    onVoiceStart={() => told.push("start")}
    onVoiceEnd={() => told.push("end")}
    onMessage={(message: { type: string }) => told.push(message.type)}
    onError={(error: Error) => told.push(`error: ${JSON.stringify(error)}`)}
  />,
);
