"""The tool `query`: the text of uploaded files of each kind, and the passages that are found in it."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from bargein.ports import ToolResult
from bargein.tools import query, text_of
from bargein.tools.passages import Index, best, split, words
from bargein.tools.text_of import UnreadableError, kind_of, read
from tests.tools.tool_calls import StoredFiles, call, tools

pytestmark = pytest.mark.anyio

HANDBOOK = """# Returns

Goods may be returned within thirty days. Refunds are paid to the card that was charged.

# Delivery

Parcels go out on weekdays at four o'clock. Delivery to islands takes a week longer.

# Opening hours

The shop in Überlingen is open from nine to six; on Sundays it is closed.
"""


def tool(*ids: str, **more: Any) -> dict[str, Any]:
    base = {"provider": "google", "name": "handbook", "description": "Rules of the shop", "fileIds": list(ids)}
    return {"type": "query", "knowledgeBases": [base], **more}


async def ask(stored: StoredFiles, asked: dict[str, Any], **arguments: Any) -> ToolResult:
    async with tools(stored=stored) as runner:
        return await runner.run(asked, call("search_knowledge", json.dumps(arguments)))


def pdf(*pages: str) -> bytes:
    """Write a small PDF: one line of Helvetica on each page."""
    kids = " ".join(f"{3 + 2 * n} 0 R" for n in range(len(pages)))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>"]
    font = "<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    for n, words_ in enumerate(pages):
        stream = f"BT /F1 12 Tf 40 700 Td ({words_}) Tj ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Resources {font} /Contents {4 + 2 * n} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    out, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    return out.encode("latin-1")


def word_document(folder: Path) -> bytes:
    import docx

    document = docx.Document()
    document.add_heading("Warranty", 1)
    document.add_paragraph("Kettles are under warranty for five years.")
    row = document.add_table(1, 2).rows[0]
    row.cells[0].text, row.cells[1].text = "Toasters", "two years"
    document.save(str(folder / "made.docx"))
    return (folder / "made.docx").read_bytes()


class TestFinding:
    async def test_the_passage_that_answers_comes_first_with_its_file(self, tmp_path: Path) -> None:
        stored = StoredFiles(tmp_path)
        asked = tool(stored.put("handbook.md", HANDBOOK), stored.put("poem.txt", "Roses are red. " * 200))
        result = await ask(stored, asked, query="When are refunds paid?")
        assert not result.failed
        assert result.text.startswith("[handbook.md]\n# Returns\n")
        assert "poem" not in result.text

    async def test_nothing_found(self, tmp_path: Path) -> None:
        stored = StoredFiles(tmp_path)
        result = await ask(stored, tool(stored.put("a.txt", HANDBOOK)), query="xylophone")
        assert result == ToolResult("Nothing about this was found in the files.")

    async def test_the_answer_is_bounded(self, tmp_path: Path) -> None:
        stored = StoredFiles(tmp_path)
        text = "\n\n".join(f"Apples number {n}. " + "Filler words of no weight. " * 40 for n in range(100))
        result = await ask(stored, tool(stored.put("a.txt", text)), query="apples")
        assert 0 < len(result.text) < 7_500

    async def test_one_knowledge_base_of_several_can_be_named(self, tmp_path: Path) -> None:
        stored = StoredFiles(tmp_path)
        bases = [
            {"name": n, "description": f"About {n}", "fileIds": [stored.put(f"{n}.txt", f"Opening hours of {n}")]}
            for n in ("bakery", "bank")
        ]
        asked = {"type": "query", "knowledgeBases": bases}
        assert "bakery.txt" not in (await ask(stored, asked, query="opening hours", knowledgeBase="bank")).text
        both = (await ask(stored, asked, query="opening hours")).text
        assert "[bakery.txt]" in both
        assert "[bank.txt]" in both
        assert "[bank.txt]" in (await ask(stored, asked, query="opening hours", knowledgeBase="none such")).text
        async with tools(stored=stored) as runner:
            (declared,) = await runner.expand(asked)
        function = declared["function"]
        assert function["name"] == "search_knowledge"
        assert function["description"] == "Look something up in files. bakery: About bakery; bank: About bank"
        assert function["parameters"]["properties"]["knowledgeBase"]["enum"] == ["bakery", "bank"]

    async def test_the_owners_own_function_is_kept(self, tmp_path: Path) -> None:
        stored = StoredFiles(tmp_path)
        own = {"name": "ask_shop", "description": "Ask", "parameters": {"type": "object", "properties": {"q": {}}}}
        asked = tool(stored.put("a.md", HANDBOOK), function=own)
        async with tools(stored=stored) as runner:
            assert (await runner.expand(asked))[0]["function"] == own
        assert "weekdays" in (await ask(stored, asked, q="delivery of parcels")).text

    async def test_a_file_is_read_once_for_all_calls(self, tmp_path: Path) -> None:
        stored = StoredFiles(tmp_path)
        file_id = stored.put("a.md", HANDBOOK)
        library = query.Library(stored)
        _, first = await library.index(file_id)
        stored.files[file_id].path.unlink()
        assert (await library.index(file_id))[1] is first

    async def test_files_are_read_when_the_call_begins(self, tmp_path: Path) -> None:
        stored = StoredFiles(tmp_path)
        asked = tool(stored.put("a.md", HANDBOOK), "gone")
        async with tools(stored=stored) as runner:
            await runner.expand(asked)
            kept = runner._shared.library._cache
            with anyio.fail_after(20):
                while not kept:
                    await anyio.sleep(0.01)
            stored.files["file-0"].path.unlink()
            result = await runner.run(asked, call("q", '{"query": "refunds"}'))
        assert "[a.md]" in result.text
        assert result.text.endswith("Not searched: there is no file gone.")

    async def test_the_least_recently_used_files_are_dropped(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(query, "_MAX_CACHED_CHARS", 10)
        stored = StoredFiles(tmp_path)
        library = query.Library(stored)
        ids = [stored.put(f"{n}.txt", "some text here") for n in range(3)]
        for file_id in ids:
            await library.index(file_id)
        assert list(library._cache) == ids[-1:]


class TestTroubles:
    @pytest.mark.parametrize(
        ("name", "content", "why"),
        [
            ("a.exe", b"MZ", "a.exe has a format that cannot be read"),
            ("a.pdf", b"no PDF", "a.pdf: it cannot be read as PDF (PdfStreamError)"),
            ("a.docx", b"no zip", "a.docx: it cannot be read as a Word document (PackageNotFoundError)"),
            ("a.json", b"{", "a.json: it is not JSON"),
            ("a.txt", b" \n", "a.txt holds no text"),
        ],
    )
    async def test_a_file_that_cannot_be_read_is_named(
        self, tmp_path: Path, name: str, content: bytes, why: str
    ) -> None:
        stored = StoredFiles(tmp_path)
        result = await ask(stored, tool(stored.put(name, content)), query="anything")
        assert result == ToolResult(f"The files cannot be searched: {why}.", failed=True)

    async def test_a_file_that_takes_too_long_is_given_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(query, "_READING_S", 0.001)
        stored = StoredFiles(tmp_path)
        result = await ask(stored, tool(stored.put("a.txt", "text")), query="anything")
        assert result.text == "The files cannot be searched: a.txt takes too long to read."

    @pytest.mark.parametrize("arguments", [{}, {"query": ""}, {"query": 7}])
    async def test_no_question(self, tmp_path: Path, arguments: dict[str, Any]) -> None:
        stored = StoredFiles(tmp_path)
        result = await ask(stored, tool(stored.put("a.txt", "text")), **arguments)
        assert result == ToolResult("Not run: there is no question in its arguments.", failed=True)

    async def test_no_files(self, tmp_path: Path) -> None:
        assert (
            await ask(StoredFiles(tmp_path), tool(), query="x")
        ).text == "Not run: its knowledge bases name no files."
        assert (await ask(StoredFiles(tmp_path), {"type": "query"}, query="x")).failed

    async def test_memory_is_bounded(self, tmp_path: Path) -> None:
        stored = StoredFiles(tmp_path)
        file_id = stored.put("huge.txt", "")
        with stored.files[file_id].path.open("r+b") as file:
            file.truncate(text_of.MAX_MEMORY_BYTES)  # a sparse file takes no space on the disk
        result = await ask(stored, tool(file_id), query="x")
        assert result.text == "The files cannot be searched: huge.txt: it cannot be read (MemoryError)."


class TestReading:
    async def test_each_kind_is_searched(self, tmp_path: Path) -> None:
        table = io.StringIO()
        csv.writer(table).writerows([["model", "price"], ["kettle", "20"], ["toaster", "35"]])
        page = "<title>Shop</title><style>kettle{}</style><h1>Kettles</h1><p>A kettle &amp; a <b>lid</b></p>"
        files = {
            "a.txt": ("The kettle is blue.", "The kettle is blue."),
            "a.csv": (table.getvalue(), "model: kettle; price: 20"),
            "a.json": ('[{"model": "kettle"}, {"model": "toaster"}]', '{"model": "kettle"}'),
            "a.html": (page, "A kettle & a lid"),
            "a.pdf": (pdf("Nothing here", "The kettle boils"), "The kettle boils"),
            "a.docx": (word_document(tmp_path), "Kettles are under warranty for five years."),
        }
        for name, (content, expected) in files.items():
            stored = StoredFiles(tmp_path)
            result = await ask(stored, tool(stored.put(name, content)), query="kettle")
            assert result.text.startswith(f"[{name}"), result
            assert expected in result.text
            assert "kettle{}" not in result.text
            assert ("page 2" in result.text) == (name == "a.pdf")

    def test_a_word_table_is_read_in_its_place(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_bytes(word_document(tmp_path))
        assert read(path, "docx").split("\n\n")[:3] == [
            "Warranty",
            "Kettles are under warranty for five years.",
            "Toasters | two years",
        ]

    @pytest.mark.parametrize(
        ("data", "text"),
        [
            ("Grüße".encode(), "Grüße"),
            ("\ufeffGrüße".encode(), "Grüße"),
            ("Grüße".encode("utf-16"), "Grüße"),
            ("Grüße".encode("cp1252"), "Grüße"),
        ],
    )
    def test_encodings(self, tmp_path: Path, data: bytes, text: str) -> None:
        path = tmp_path / "x"
        path.write_bytes(data)
        assert read(path, "text") == text

    def test_a_long_file_is_cut(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(text_of, "MAX_CHARS", 25)
        path = tmp_path / "x"
        path.write_text(json.dumps(["a" * 10] * 5))
        assert len(read(path, "json")) == 25

    def test_kinds(self) -> None:
        assert kind_of("a.PDF", "") == "pdf"
        assert kind_of("noending", "text/plain; charset=utf-8") == "text"
        assert kind_of("noending", "application/json") == "json"
        assert kind_of("a.md", "application/octet-stream") == "text"
        assert kind_of("photo.jpg", "image/jpeg") is None

    def test_without_the_extra_it_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "pypdf", None)
        with pytest.raises(UnreadableError, match=r"pip install 'bargein\[files\]'"):
            read(tmp_path, "pdf")


class TestRanking:
    def test_a_rare_word_weighs_more_than_a_common_one(self) -> None:
        index = Index("\n\n".join(["The shop sells tea. " * 40] * 9 + ["The shop sells quinces. " * 40]))
        assert "quinces" in best([index], "shop quinces", 3)[0][2].text

    def test_word_forms_and_accents(self) -> None:
        index = Index(f"{'Filler. ' * 100}\n\nWe refunded Zoë in Überlingen.\n\n{'Padding. ' * 100}")
        for question in ("refunds", "ZOE", "uberlingen"):
            assert "refunded" in best([index], question, 1)[0][2].text

    def test_scripts_without_spaces(self) -> None:
        assert words("東京都 Hi") == ["東京", "京都", "hi"]
        index = Index("営業時間は九時から六時までです。\f休業日は日曜日です。")
        (_, _, passage), *_ = best([index], "日曜日", 1)
        assert passage.page == 2

    def test_passages_keep_every_word_and_their_page(self) -> None:
        text = f"{HANDBOOK}\f{'One sentence of some length stands here. ' * 60}\n\n{'x' * 3000}\f\f"
        passages = split(text)
        assert {p.page for p in passages} == {1, 2}
        assert all(0 < len(p.text) <= 1900 for p in passages)
        assert "".join("".join(p.text for p in passages).split()) == "".join(text.split())

    def test_an_empty_file_has_no_passages(self) -> None:
        assert split("") == []
        assert best([Index("")], "x", 3) == []
        assert best([], "x", 3) == []
