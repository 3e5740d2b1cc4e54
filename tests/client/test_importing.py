"""`bargein import` stores an export on a running server, with the references between its records."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from bargein.cli import app
from bargein.client import ClientError, Server
from bargein.client.importing import import_folder
from tests.call.harness import serving

pytestmark = pytest.mark.anyio

ADDED = {"orgId": "o", "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z"}
OPENAI = {"provider": "openai", "model": "gpt-4o"}
TOOL = {**ADDED, "id": "tool-1", "type": "endCall", "latestVersion": "v1"}
BOOKING: dict[str, Any] = {
    **ADDED,
    "id": "booking-1",
    "name": "Booking",
    "isServerUrlSecretSet": False,
    "backchannelingEnabled": False,
    "voice": {"provider": "11labs", "voiceId": "x", "fillerInjectionEnabled": False},
    "model": {
        **OPENAI,
        "systemPrompt": "You take bookings.",
        "functions": [{"name": "book", "parameters": {"type": "object", "properties": {}}, "async": True}],
        "toolIds": ["tool-1"],
        "tools": [{"type": "handoff", "destinations": [{"type": "assistant", "assistantId": "menu-1"}]}],
    },
}
MENU: dict[str, Any] = {**ADDED, "id": "menu-1", "name": "Menu", "model": {**OPENAI, "toolIds": ["tool-1"]}}
SQUAD: dict[str, Any] = {
    **ADDED,
    "id": "squad-1",
    "members": [
        {"assistantId": "booking-1", "assistantDestinations": [{"type": "assistant", "assistantName": "Menu"}]},
        {"assistantId": "menu-1"},
    ],
}
NUMBER: dict[str, Any] = {
    **ADDED, "id": "n", "provider": "vapi", "sipUri": "sip:a@example.com", "status": "active", "squadId": "squad-1",
}  # fmt: skip


def write(folder: Path, name: str, data: object) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")


async def test_an_export_is_brought_in_whole(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    write(folder, "assistants/booking.json", BOOKING)
    write(folder, "others.json", {"assistants": [MENU], "tools": [TOOL], "squads": [SQUAD]})
    write(folder, "numbers.json", [NUMBER])
    write(folder, "package.json", {"name": "mine", "scripts": {}})
    lines: list[str] = []
    async with serving(tmp_path / "data") as url:
        report = await import_folder(folder, Server(url=url), lines.append)
        async with httpx.AsyncClient(base_url=url) as api:
            stored = {
                kind: (await api.get(f"/{kind}")).json() for kind in ("assistant", "squad", "tool", "phone-number")
            }
    assert (report.exit_code, report.stored, report.errors) == (0, 5, 0), lines
    (tool,), (squad,), (number,) = stored["tool"], stored["squad"], stored["phone-number"]
    assistants = {one["name"]: one for one in stored["assistant"]}
    booking, menu = assistants["Booking"], assistants["Menu"]
    assert {booking["id"], menu["id"], tool["id"], squad["id"]}.isdisjoint({"booking-1", "menu-1", "tool-1", "squad-1"})
    assert [member["assistantId"] for member in squad["members"]] == [booking["id"], menu["id"]]
    assert number["squadId"] == squad["id"]
    model = booking["model"]
    assert model["messages"] == [{"role": "system", "content": "You take bookings."}]
    assert model["toolIds"] == menu["model"]["toolIds"] == [tool["id"]]
    assert model["tools"][0]["destinations"] == [{"type": "assistant", "assistantId": menu["id"]}]
    assert (model["tools"][1]["function"]["name"], model["tools"][1]["async"]) == ("book", True)
    assert "  backchannelingEnabled was left out: Vapi's types have no such field" in lines
    assert "  voice.fillerInjectionEnabled was left out: Vapi's types have no such field" in lines
    assert not any("systemPrompt" in line or "orgId" in line or "isServerUrlSecretSet" in line for line in lines)


async def test_each_file_that_cannot_be_stored_is_told_and_the_others_are_stored(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    write(folder, "bad.json", "{")
    write(folder, "assistants/a.json", {"name": "x" * 41})
    write(folder, "tools/t.json", {"type": "nothing"})
    write(folder, "squads/s.json", {"members": [{"assistantId": "elsewhere"}]})
    write(folder, "assistants/good.json", {"name": "Good", "firstMessage": "Hi."})
    lines: list[str] = []
    async with serving(tmp_path / "data") as url:
        report = await import_folder(folder, Server(url=url), lines.append)
    assert (report.exit_code, report.stored, report.errors) == (1, 1, 4)
    text = "\n".join(lines)
    assert "bad.json: is not valid JSON" in text
    assert "assistants/a.json: name must be shorter than or equal to 40 characters" in text
    assert "tools/t.json: type must be one of the following values: apiRequest" in text
    assert "squads/s.json: squad was refused" in text
    assert lines[-1] == "1 record(s) stored, 4 error(s)"


def test_a_dry_run_needs_no_server(tmp_path: Path) -> None:
    write(tmp_path, "a.json", BOOKING)
    result = CliRunner().invoke(app, ["import", str(tmp_path), "--dry-run"])
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[0] == "a.json: assistant ok"
    assert result.output.splitlines()[-1] == "1 record(s) checked, 0 error(s)"
    write(tmp_path, "b.json", {"model": {"provider": "nobody"}})
    again = CliRunner().invoke(app, ["import", str(tmp_path), "--dry-run"])
    assert again.exit_code == 1
    assert "b.json: model.provider must be one of the following values" in again.output


async def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="is no folder"):
        await import_folder(tmp_path / "nothing", None, print)


async def test_an_export_is_the_body_of_a_request(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, httpx.AsyncClient(base_url=url) as api:
        refused = await api.post("/assistant", json=BOOKING)
        assert refused.status_code == 400
        assert "property id should not exist" in refused.json()["message"]
        assert not any("systemPrompt" in message for message in refused.json()["message"])
        made = await api.post("/assistant?import=true", json=BOOKING)
        assert made.status_code == 201, made.text
        assert made.json()["model"]["messages"] == [{"role": "system", "content": "You take bookings."}]
        assert made.headers["X-Bargein-Warning"].startswith("backchannelingEnabled: was left out")
        tool = await api.post("/tool?import=true", json=TOOL)
        assert (tool.status_code, tool.json()["type"]) == (201, "endCall")
        squad = {**SQUAD, "members": [{"assistantId": made.json()["id"], "later": 1}]}
        stored = await api.post("/squad?import=true", json=squad)
        assert stored.status_code == 201, stored.text
        assert "members.0.later" in stored.headers["X-Bargein-Warning"]
        number = await api.post("/phone-number?import=true", json={**NUMBER, "squadId": stored.json()["id"]})
        assert number.status_code == 201, number.text
