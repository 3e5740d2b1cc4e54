"""Tools of type code: TypeScript or JavaScript of the tool's author, run in a process of its own.

The author of a tool is whoever may write the owner's tools, and the code runs on the operator's machine. So it is off
unless the operator names a runtime, and a tool that a caller wrote is never run. The process gets no environment, an
empty folder and limits of time, memory and output. Deno and Node refuse it files and further processes; Bun has no
such limits. The network is open to it, also private addresses.

As in Vapi, `args` has the arguments, `env` the tool's environment variables, and what the code returns is the result.
"""

import json
import os
import re
import secrets
import shutil
import signal
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE

import anyio
from anyio.abc import Process

from bargein.ports import ToolCall, ToolResult
from bargein.tools.extraction import with_variables
from bargein.tools.outcome import MAX_RESULT_CHARS, ToolError, arguments_of, done
from bargein.tools.templates import Templates
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object_or_none, as_objects, as_string, read_json
from bargein.wire.ownership import is_callers

DEFAULT_TIMEOUT_S = 10.0
"""Vapi's default of `timeoutSeconds` of a code tool."""
MAX_MEMORY_MB = 256
"""The memory of the JavaScript heap of a code tool, in megabytes."""
MOST_AT_ONCE = 8
"""The most code tools that run at the same time; more wait."""
MAX_OUTPUT_BYTES = 4 * MAX_RESULT_CHARS
"""The most output of a code tool that is read."""
_MOST_ERROR_CHARS = 300

_STRIPS_TYPES = (22, 13)
_PERMISSION = (23, 5)
_VERSION_S = 10.0
_VERSION = re.compile(r"v(\d+)\.(\d+)")

_PROGRAM = """\
const args = %(args)s;
const env = %(env)s;
const write = process.stdout.write.bind(process.stdout);
console.log = console.info = console.warn = console.error = console.debug = () => {};
const run = async () => {
%(code)s
};
let outcome;
try {
  const value = await run();
  outcome = {value: value === undefined ? null : value};
} catch (error) {
  outcome = {error: String(error && error.message ? error.message : error)};
}
write("%(mark)s" + JSON.stringify(outcome) + "\\n", () => process.exit(0));
"""


@dataclass(slots=True)
class CodeRuntime:
    """A JavaScript runtime of this machine.

    Attributes:
        name: deno, bun or node.
        path: the program.
    """

    name: str
    path: str
    _command: list[str] | None = None
    _limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(MOST_AT_ONCE))

    async def run(self, program: str, timeout_s: float) -> bytes:
        """Run a program, and return its output.

        Raises:
            ToolError: it took too long, or the runtime cannot be started.
        """
        async with self._limiter:
            try:
                with anyio.fail_after(timeout_s):
                    return await self._run(program)
            except TimeoutError:
                raise ToolError(f"The code did not end within {timeout_s:g} seconds.") from None
            except OSError:
                raise ToolError("The code was not run: the runtime cannot be started.") from None

    async def _run(self, program: str) -> bytes:
        command = await self._arguments()
        folder = await anyio.to_thread.run_sync(tempfile.mkdtemp, None, "bargein-code-")
        environment = {"HOME": folder, "DENO_DIR": folder, "NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1"}
        try:
            process = await anyio.open_process(
                command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd=folder, env=environment, start_new_session=True
            )
            try:
                return await _output_of(process, program)
            finally:
                _kill(process)
                with anyio.CancelScope(shield=True):
                    await process.aclose()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(shutil.rmtree, folder, True)  # noqa: FBT003  # `ignore_errors`

    async def _arguments(self) -> list[str]:
        """Return the command that runs a program of its standard input."""
        if self._command is None:
            self._command = await self._find_arguments()
        return self._command

    async def _find_arguments(self) -> list[str]:
        if self.name == "deno":
            heap = f"--v8-flags=--max-old-space-size={MAX_MEMORY_MB}"
            return [self.path, "run", "--no-prompt", "--no-config", "--allow-net", "--ext=ts", heap, "-"]
        if self.name == "bun":
            return [self.path, "run", "--smol", "-"]
        version = await self._version()
        permission = "--permission" if version >= _PERMISSION else "--experimental-permission"
        typed = ["--experimental-strip-types", "--input-type=module-typescript"]
        kind = typed if version >= _STRIPS_TYPES else ["--input-type=module"]
        return [self.path, permission, "--no-warnings", f"--max-old-space-size={MAX_MEMORY_MB}", *kind, "-"]

    async def _version(self) -> tuple[int, int]:
        with anyio.fail_after(_VERSION_S):
            told = await anyio.run_process([self.path, "--version"], check=False, stdin=DEVNULL, env={})
        found = _VERSION.match(told.stdout.decode(errors="replace"))
        return (0, 0) if found is None else (int(found[1]), int(found[2]))


def find_runtime(wanted: str | None) -> CodeRuntime | None:
    """Return the runtime that a setting names, by its name or path; None: none is wanted, or it is not installed."""
    path = None if wanted is None else shutil.which(wanted)
    return None if path is None else CodeRuntime(Path(path).stem.lower(), path)


async def run_code(tool: JsonObject, call: ToolCall, runtime: CodeRuntime, templates: Templates) -> ToolResult:
    """Run a code tool.

    Raises:
        ToolError: it cannot be run, took too long or failed; the text is for the model.
    """
    if is_callers(tool):
        raise ToolError("Not run: code of a caller is not run on this server.")
    mark = secrets.token_hex(16)
    given = as_objects(tool.get("environmentVariables"))
    values = {
        "args": json.dumps(arguments_of(call)),
        "env": json.dumps({str(one.get("name")): templates.value(one.get("value")) for one in given}),
        "code": as_string(tool.get("code")) or "",
        "mark": mark,
    }
    output = await runtime.run(_PROGRAM % values, _timeout_s(tool))
    outcome = _outcome(output.decode(errors="replace"), mark)
    if outcome is None:
        raise ToolError("The code ended without a result: it cannot be read, needs too much memory, or ended itself.")
    if "error" in outcome:
        raise ToolError(f"The code failed: {str(outcome['error'])[:_MOST_ERROR_CHARS]}")
    value: object = outcome.get("value")
    return await with_variables(done(value), tool, value, {}, templates)


def _outcome(output: str, mark: str) -> JsonObject | None:
    _, found, text = output.rpartition(mark)
    try:
        value = read_json(text.splitlines()[0]) if found and text else None
    except ValueError:
        return None
    return as_object_or_none(value)


def _timeout_s(tool: JsonObject) -> float:
    given: object = tool.get("timeoutSeconds")
    return float(given) if isinstance(given, int | float) else DEFAULT_TIMEOUT_S


async def _output_of(process: Process, program: str) -> bytes:
    """Write the program, and return its output."""
    if process.stdin is None or process.stdout is None:
        raise AssertionError
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # it may end before it has read everything
        await process.stdin.send(program.encode())
        await process.stdin.aclose()
    output = bytearray()
    async for part in process.stdout:
        output += part
        if len(output) > MAX_OUTPUT_BYTES:
            raise ToolError("The code returned too much.")
    return bytes(output)


def _kill(process: Process) -> None:
    """End a process with all that it has started."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
