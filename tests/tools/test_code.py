"""Tools of type code: what runs, what does not get out, and where they are off."""

import time
from pathlib import Path
from typing import Any

import pytest

from bargein.ports import ToolCall, ToolResult
from bargein.testing import make_settings
from bargein.tools.code import CodeRuntime, find_runtime, run_code
from bargein.tools.kinds import need_of
from bargein.tools.outcome import ToolError
from bargein.tools.templates import Templates
from bargein.wire.ownership import marked
from tests.programs import needs
from tests.tools.tool_calls import call, tools

pytestmark = pytest.mark.anyio


async def run(code: str, arguments: str = "{}", **tool: Any) -> ToolResult:
    runtime = find_runtime("node")
    assert runtime is not None
    templates = Templates(lambda text, more: text.replace("{{ key }}", "from a variable"))
    return await run_code({"type": "code", "code": code, **tool}, ToolCall("c1", "run", arguments), runtime, templates)


@needs("node")
async def test_code_gets_its_arguments_and_returns_a_result() -> None:
    plan = {"aliases": [{"key": "sum", "value": "{{ sum }}"}]}
    result = await run(
        "console.log('no'); return {sum: args.a + await Promise.resolve(1), key: env.KEY, all: Object.keys(env)}",
        '{"a": 2}',
        environmentVariables=[{"name": "KEY", "value": "{{ key }}"}],
        variableExtractionPlan=plan,
    )
    assert result.text == '{"sum": 3, "key": "from a variable", "all": ["KEY"]}'
    assert result.variables == {"sum": "{{ sum }}"}, "the templates of this test render nothing else"
    assert (await run("return 'plain'")).text == "plain"
    assert (await run("")).text == "null"


@needs("node")
@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("throw new Error('no table is free')", "The code failed: no table is free"),
        ("syntax error(", "ended without a result"),
        ("process.exit(0)", "ended without a result"),
        ("return 'x'.repeat(900000)", "returned too much"),
        ("const {readFileSync} = await import('node:fs'); return readFileSync('/etc/hosts', 'utf8')", "restricted"),
        ("const {execSync} = await import('node:child_process'); return `${execSync('id')}`", "restricted"),
    ],
)
async def test_a_failure_is_told_and_files_and_programs_are_out_of_reach(code: str, why: str) -> None:
    with pytest.raises(ToolError, match=why):
        await run(code)


@needs("node")
async def test_code_has_no_environment_and_is_ended_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of the operator")
    assert "OPENAI_API_KEY" not in (await run("return Object.keys(process.env)")).text
    began = time.monotonic()
    with pytest.raises(ToolError, match="did not end within 1 seconds"):
        await run("while (true) {}", timeoutSeconds=1)
    assert time.monotonic() - began < 5


async def test_code_of_a_caller_is_not_run() -> None:
    runtime = CodeRuntime("node", "/nowhere")
    assistant = marked({"model": {"tools": [{"type": "code", "code": "return 1"}]}}, "caller")
    (tool,) = assistant["model"]["tools"]
    with pytest.raises(ToolError, match="code of a caller is not run"):
        await run_code(tool, call("run"), runtime, Templates(lambda text, more: text))
    with pytest.raises(ToolError, match="cannot be started"):
        await run_code({"type": "code"}, call("run"), runtime, Templates(lambda text, more: text))


async def test_code_is_off_by_default_and_says_how_to_switch_it_on(tmp_path: Path) -> None:
    assert make_settings().calls.code_runtime is None
    need = need_of({"type": "code"}, code=False)
    assert need is not None
    assert "BARGEIN_CODE_RUNTIME" in need
    async with tools() as runner:
        assert "BARGEIN_CODE_RUNTIME" in (await runner.run({"type": "code", "code": "return 1"}, call("run"))).text
    assert need_of({"type": "code"}, code=True) is None
    for wrong in ("python", str(tmp_path / "node")):
        with pytest.raises(ValueError, match="BARGEIN_CODE_RUNTIME"):
            make_settings(code_runtime=wrong)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v20.1.0", ["--experimental-permission", "--input-type=module"]),
        ("v22.14.0", ["--experimental-permission", "--input-type=module-typescript"]),
        ("v24.1.0", ["--permission", "--input-type=module-typescript"]),
    ],
)
async def test_node_reads_types_where_it_can(tmp_path: Path, version: str, expected: list[str]) -> None:
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\necho {version}\n")
    node.chmod(0o755)
    runtime = find_runtime(str(node))
    assert runtime is not None
    arguments = await runtime._arguments()
    assert set(expected) <= set(arguments)
    deno = await CodeRuntime("deno", "deno")._arguments()
    assert "--allow-net" in deno
    assert not [one for one in deno if one.startswith("--allow-") and one != "--allow-net"]
