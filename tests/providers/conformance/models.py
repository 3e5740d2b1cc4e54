"""The models of the conformance suite: each a fake of its vendor, and the model made as a call makes it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from bargein.ports import Model
from bargein.providers.registry import MODELS, VENDORS
from bargein.settings import Settings
from bargein.testing.vendors.anthropic_llm import AnthropicLlm
from bargein.testing.vendors.bedrock_llm import ACCESS_KEY_ID, SECRET_ACCESS_KEY, BedrockLlm
from bargein.testing.vendors.chat_llm import VENDORS as CHAT_VENDORS
from bargein.testing.vendors.chat_llm import ChatLlm
from bargein.testing.vendors.google_llm import GoogleLlm
from bargein.testing.vendors.scripted_llm import KEY, ModelScript, ScriptedLlm
from tests.providers.resources import make_resources

AWS_CREDENTIAL = {
    "provider": "anthropic-bedrock",
    "region": "eu-central-1",
    "authenticationPlan": {
        "type": "aws-iam",
        "awsAccessKeyId": ACCESS_KEY_ID,
        "awsSecretAccessKey": SECRET_ACCESS_KEY,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A provider.

    Attributes:
        provider: Vapi's name.
        fake: makes the fake of its vendor.
        model: the name of a model.
        base_url: the field of the vendor's settings with the address; empty: the assistant names it (`custom-llm`).
        tools: whether it has tools.
        warms: whether it opens a connection ahead.
        wrong_key_status: the status of its answer to a wrong key.
        needs_end: whether an answer without an end is an error even if it has text.
        secret: what no error may hold.
        more: further fields of the assistant's model.
    """

    provider: str
    fake: Callable[[ModelScript], ScriptedLlm]
    model: str = "some-model"
    base_url: str = "base_url"
    tools: bool = True
    warms: bool = True
    wrong_key_status: int = 401
    needs_end: bool = False
    secret: str = KEY
    more: dict[str, Any] = field(default_factory=dict[str, Any])

    def create(self, fake: ScriptedLlm, client: httpx.AsyncClient, *, key: str = KEY, **config: Any) -> Model:
        """Make the model of one call at the fake."""
        url = {"url": fake.url} if not self.base_url else {}
        part = MODELS[self.provider]
        vendor = next(vendor for vendor in VENDORS if self.provider in vendor.models)
        credential: dict[str, Any] = {"apiKey": key}
        if self.provider == "anthropic-bedrock":
            plan = AWS_CREDENTIAL["authenticationPlan"]
            plan = plan if key == KEY else {**cast("dict[str, str]", plan), "awsAccessKeyId": key}
            credential = {**AWS_CREDENTIAL, "authenticationPlan": plan}
        section: Any = vendor.settings
        sections = (section(**{self.base_url: fake.url}),) if self.base_url else ()
        given = {"provider": self.provider, "model": self.model, **url, **self.more, **config}
        resources = make_resources(Settings(sections=sections), client, {self.provider: credential})
        return part.create(part.config.from_json(given), resources)


def _chat(provider: str, **case: Any) -> Case:
    return Case(provider=provider, fake=lambda script: ChatLlm(CHAT_VENDORS[provider], script), **case)


CASES = (
    _chat("openai"),
    _chat("custom-llm", base_url="", warms=False),
    _chat("groq"),
    _chat("cerebras"),
    _chat("deep-seek"),
    _chat("deepinfra"),
    _chat("openrouter"),
    _chat("perplexity-ai", tools=False, warms=False),
    _chat("together-ai"),
    _chat("xai"),
    _chat("minimax", warms=False),
    _chat("anyscale"),
    _chat("inflection-ai", warms=False),
    Case(provider="anthropic", fake=AnthropicLlm, model="claude-haiku-4-5", needs_end=True),
    Case(
        provider="anthropic-bedrock", fake=BedrockLlm, model="claude-haiku-4-5-20251001", base_url="bedrock_base_url",
        wrong_key_status=403, needs_end=True, secret=SECRET_ACCESS_KEY,
    ),
    Case(provider="google", fake=GoogleLlm, model="gemini-3-flash"),
)  # fmt: skip
