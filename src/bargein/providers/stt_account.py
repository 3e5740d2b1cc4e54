"""The account of a vendor's transcriber, and the wording of its failures."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bargein.errors import BargeinError
from bargein.ports import ProviderError
from bargein.providers.interface import Resources, account_of
from bargein.providers.vendor_errors import quote_of

_AUTH_STATUSES = (401, 403)
_RATE_LIMITED = 429
_SERVER_ERRORS = 500
_MOST_RETRY_AFTER_CHARS = 40


class VendorReportError(BargeinError):
    """A failure that a vendor reports in a message of its own. The text is the vendor's own words.

    Args:
        words: the vendor's words.
        status: the HTTP status that means the same; None: none does.
        transient: whether a new connection may help.
    """

    def __init__(self, words: str, *, status: int | None = None, transient: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.status = status
        self.transient = transient


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorAccount:
    """The account of a transcriber, and how its failures are worded.

    Attributes:
        provider: the `provider` of `assistant.transcriber`.
        key: the secret key.
        key_variable: the environment variable of the key.
        ended_reason: the `endedReason` of a call that it fails in.
        reasons: other `endedReason`s by HTTP status; 500 stands for all from 500 on, 400 for the other ones below.
        api_url: the address that the key is for (`Account.api_url`); None: the vendor's own.
    """

    provider: str
    key: str = field(repr=False)
    key_variable: str
    ended_reason: str
    reasons: Mapping[int, str] = field(default_factory=dict[int, str])
    api_url: str | None = None

    def failure(self, problem: str, *, status: int | None = None, quote: str = "") -> ProviderError:
        """Return the error for a problem ("could not be reached").

        Args:
            problem: what happened.
            status: the HTTP status of the answer, or the one that means the same.
            quote: the vendor's words, as `quote_of` gives them.
        """
        setting = f"the credential {self.provider}, or {self.key_variable}" if status in _AUTH_STATUSES else ""
        return ProviderError(
            f"the transcriber {self.provider} {problem}",
            ended_reason=self._reason(status),
            provider=self.provider,
            setting=setting,
            quote=quote,
        )

    def refusal(self, status: int, body: bytes, retry_after: str = "") -> ProviderError:
        """Return the error for an HTTP status that refuses a request or a handshake.

        Args:
            status: the status.
            body: of the answer, or the beginning of it; it is quoted.
            retry_after: the header Retry-After; empty: there is none.
        """
        asks = f" and asks to wait {retry_after[:_MOST_RETRY_AFTER_CHARS]} s"
        problem = f"answered {status}{asks if status == _RATE_LIMITED and retry_after else ''}"
        return self.failure(problem, status=status, quote=quote_of(body, (self.key,)))

    def reported(self, report: VendorReportError) -> ProviderError:
        """Return the error for a failure that the vendor has reported in a message."""
        problem = "failed" if report.status is None else f"answered {report.status}"
        return self.failure(problem, status=report.status, quote=quote_of(report.words, (self.key,)))

    def _reason(self, status: int | None) -> str:
        if status is None:
            return self.ended_reason
        family = _SERVER_ERRORS if status >= _SERVER_ERRORS else 400
        return self.reasons.get(status, self.reasons.get(family, self.ended_reason))


def transcriber_account(
    resources: Resources,
    provider: str,
    key: str | None,
    key_variable: str,
    *,
    ended_reason: str,
    reasons: Mapping[int, str] | None = None,
) -> VendorAccount:
    """Return the account of a transcriber: the owner's credential, else the key of the settings.

    Args:
        resources: the inputs of the transcriber's factory.
        provider: the `provider` of the transcriber.
        key: the key of the vendor's settings.
        key_variable: the environment variable of that key.
        ended_reason: of a call that the transcriber fails in.
        reasons: as in `VendorAccount`.

    Raises:
        ProviderError: there is no key.
    """
    account = account_of(resources, "transcriber", provider, key, key_variable)
    return VendorAccount(
        provider=provider,
        key=account.key,
        key_variable=key_variable,
        ended_reason=ended_reason,
        reasons=reasons or {},
        api_url=account.api_url,
    )
