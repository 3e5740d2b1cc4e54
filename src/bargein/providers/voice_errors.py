"""The errors and time limits of a voice, and the pacing that every voice shares."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Self

import anyio
import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from bargein.http_client import answer_problem
from bargein.ports import ProviderError, ServerError, SpeechChunk
from bargein.providers.http import StreamError
from bargein.providers.interface import Account
from bargein.providers.vendor_errors import quote_of

_KEY_STATUSES = frozenset({401, 403})
_FIELD_STATUSES = frozenset({400, 404, 422})
_MOST_RETRY_AFTER_CHARS = 40


@dataclass(frozen=True, slots=True)
class VoiceLimits:
    """The time limits of a voice.

    Attributes:
        first_s: the longest wait for the first audio, connecting included.
        chunk_s: the longest wait for more audio, and how far the waits together may be behind the audio that they
            brought: a voice that is slower than real time is heard as silence.
    """

    first_s: float = 10.0
    chunk_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceErrors:
    """The maker of one voice's errors.

    Attributes:
        name: what the messages name: "the voice 11labs".
        failed: the `endedReason` of most failures.
        provider: the `provider` of the voice in Vapi's JSON; empty for a server of the owner's.
        key_setting: what to change when the vendor refuses the key.
        fields_setting: what to change when the vendor refuses the request.
        secrets: keys of the requests, which are masked in what the vendor says.
        reasons: the `endedReason` by HTTP status, where Vapi has one of its own.
        reason_of: returns the `endedReason` for the body of an error, where Vapi distinguishes them; None: by status.
    """

    name: str
    failed: str
    provider: str = ""
    key_setting: str = ""
    fields_setting: str = "voice.voiceId and voice.model"
    secrets: tuple[str, ...] = field(default=(), repr=False)
    reasons: Mapping[int, str] = field(default_factory=dict[int, str])
    reason_of: Callable[[bytes], str | None] | None = None

    @classmethod
    def of_account(
        cls,
        account: Account,
        key_variable: str,
        failed: str,
        *,
        reasons: Mapping[int, str] | None = None,
        reason_of: Callable[[bytes], str | None] | None = None,
    ) -> Self:
        """Return the maker of the errors of a vendor's voice.

        Args:
            account: the account that pays for it.
            key_variable: the environment variable of its key.
            failed: the `endedReason` of most failures.
            reasons: as the attribute.
            reason_of: as the attribute.
        """
        provider = account.provider
        return cls(
            name=f"the voice {provider}",
            failed=failed,
            provider=provider,
            key_setting=f"the credential {provider}, or {key_variable}",
            secrets=(account.key,),
            reasons=reasons or {},
            reason_of=reason_of,
        )

    def failure(self, problem: str, quote: str = "", *, reason: str | None = None) -> ProviderError:
        """Return an error: "the voice 11labs <problem>"."""
        return ProviderError(
            f"{self.name} {problem}", ended_reason=reason or self.failed, provider=self.provider, quote=quote
        )

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Return the error for an HTTP status: what to change, and the vendor's words.

        Args:
            status: the status.
            headers: of the answer; `Retry-After` is told.
            body: of the answer, or the beginning of it.
        """
        wait = headers.get("retry-after", "").strip()[:_MOST_RETRY_AFTER_CHARS]
        asks = f" (Retry-After: {wait})" if wait and wait.isprintable() else ""
        setting = ""
        if status in _KEY_STATUSES:
            setting = self.key_setting
        elif status in _FIELD_STATUSES and self.provider:
            setting = self.fields_setting
        reason = None if self.reason_of is None else self.reason_of(body)
        return ProviderError(
            f"{self.name} answered {status}{asks}",
            ended_reason=reason or self.reasons.get(status, self.failed),
            provider=self.provider,
            setting=setting,
            quote=quote_of(body, self.secrets),
        )

    def refused_frame(self, data: bytes | str) -> ProviderError:
        """Return the error for a message of the vendor's that reports one."""
        body = data if isinstance(data, bytes) else data.encode("utf-8", "replace")
        reason = None if self.reason_of is None else self.reason_of(body)
        return self.failure("reports an error", quote_of(body, self.secrets), reason=reason)

    def of(self, error: Exception) -> ProviderError:
        """Return the error for an exception of the transport or of a reader."""
        match error:
            case ProviderError():
                return error
            case httpx.HTTPError():
                named = f"could not be reached or broke off ({type(error).__name__})"
                return self.failure(answer_problem(error) or named)
            case InvalidStatus():
                response = error.response
                return self.refusal(response.status_code, response.headers, bytes(response.body or b""))
            case ConnectionClosed():
                said = error.rcvd.reason if error.rcvd is not None else ""
                return self.failure("broke off", quote_of(said, self.secrets) if said else "")
            case ServerError():
                return self.failure(f"cannot be asked: {error}")
            case StreamError():
                return self.failure(f"sent an unreadable answer: {error}")
            case _:
                return self.failure(answer_problem(error) or f"could not be reached ({type(error).__name__})")


async def paced(
    chunks: AsyncGenerator[SpeechChunk], text: str, errors: VoiceErrors, limits: VoiceLimits
) -> AsyncGenerator[SpeechChunk]:
    """Yield a voice's chunks under its time limits; closing this closes `chunks`.

    Args:
        chunks: the speech as it arrives.
        text: what is spoken; one without letters and digits may have no audio.
        errors: makes the errors.
        limits: the limits.

    Raises:
        ProviderError: the voice is late, breaks off, or has no audio.
    """
    started = False
    late_s, until_s = 0.0, anyio.current_time() + limits.first_s
    async with aclosing(chunks):
        while True:
            asked_s = anyio.current_time()
            limit_s = limits.chunk_s if started else max(0.0, until_s - asked_s)
            try:
                with anyio.fail_after(limit_s):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                waited_s = limits.chunk_s if started else limits.first_s
                raise errors.failure(f"sent no audio for {waited_s:g} s") from None
            except (httpx.HTTPError, WebSocketException, StreamError, ServerError, OSError) as error:
                raise errors.of(error) from error
            if chunk is None:
                break
            if started:
                late_s += anyio.current_time() - asked_s
            late_s = max(0.0, late_s - chunk.pcm.size / chunk.rate_hz)
            if late_s > limits.chunk_s:
                raise errors.failure(f"is {limits.chunk_s:g} s slower than its sound plays")
            started = started or bool(chunk.pcm.size)
            yield chunk
    if not started and any(letter.isalnum() for letter in text):
        raise errors.failure("answered without any audio")
