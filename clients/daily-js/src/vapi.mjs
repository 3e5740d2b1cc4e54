// Vapi's web SDK is CommonJS with a default export. Bundlers that keep to node's rules give an import of it the whole
// module in place of the class. An alias of `@vapi-ai/web` to this file gives them the class; it is no part of the SDK.
import * as sdk from "@vapi-ai/web/dist/vapi.js";

const found = sdk.default;

export default found.default ?? found;
