/** Bundles the test pages as a user's bundler would: Vapi's packages unchanged, and one alias. */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGE = join(HERE, "../..");
const outdir = process.argv[2];

const common = { bundle: true, format: "iife", outdir, logLevel: "warning", define: { "process.env.NODE_ENV": '"production"' } };
const alias = { "@daily-co/daily-js": join(PACKAGE, "dist/index.mjs") };

await build({ ...common, alias, entryPoints: [join(HERE, "sdk.ts")] });
// The widget imports the SDK in a way that fits the SDK's sources, and not its CommonJS under node's own rules.
const sources = { "@vapi-ai/web": join(PACKAGE, "node_modules/@vapi-ai/web/vapi.ts") };
await build({ ...common, alias: { ...alias, ...sources }, entryPoints: [join(HERE, "widget.tsx")], jsx: "automatic" });
