/** Builds dist/: the worklets, the package as a module and as CommonJS, and its type declarations. */

import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const DIST = join(HERE, "dist");
const TARGET = "es2022";

rmSync(DIST, { recursive: true, force: true });

const worklet = await build({
  entryPoints: [join(HERE, "src/worklet.js")],
  bundle: true,
  minify: true,
  write: false,
  format: "iife",
  target: TARGET,
});
const code = worklet.outputFiles[0].text;

const common = {
  bundle: true,
  platform: "neutral",
  target: TARGET,
  define: { WORKLET: JSON.stringify(code) },
  logLevel: "warning",
};
const entry = join(HERE, "src/index.ts");
await build({ ...common, entryPoints: [entry], format: "esm", outfile: join(DIST, "index.mjs") });
await build({ ...common, entryPoints: [entry], format: "cjs", outfile: join(DIST, "index.js") });
writeFileSync(join(DIST, "worklet.js"), code);
for (const name of ["vapi.mjs", "vapi.d.mts"]) copyFileSync(join(HERE, "src", name), join(DIST, name));

// node refuses to run its own child as "tsc": the package's script is asked for by path
const { bin } = JSON.parse(readFileSync(join(HERE, "node_modules/typescript/package.json"), "utf8"));
execFileSync(process.execPath, [join(HERE, "node_modules/typescript", bin.tsc), "--emitDeclarationOnly"], {
  cwd: HERE,
  stdio: "inherit",
});
