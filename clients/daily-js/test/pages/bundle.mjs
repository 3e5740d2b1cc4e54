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
// esbuild keeps to node's rules here, under which the widget's import of the SDK misses the class.
const sdk = {
  name: "sdk",
  setup: ({ onResolve }) => onResolve({ filter: /^@vapi-ai\/web$/ }, () => ({ path: join(PACKAGE, "dist/vapi.mjs") })),
};
await build({ ...common, alias, plugins: [sdk], entryPoints: [join(HERE, "widget.tsx")], jsx: "automatic" });
