"""Errors that implementations of the ports raise."""

from bargein.errors import BargeinError


class ProviderError(BargeinError):
    """A model, voice or transcriber failed. The text may be shown to the owner of the call; it has no secret.

    The text is one sentence: what happened, what to change, and the vendor's own words.

    Args:
        message: what happened, naming the part and its provider.
        ended_reason: the `endedReason` (one of Vapi's) for a call that cannot go on without the provider.
        provider: the `provider` of the part, as the assistant names it; empty: the message names none.
        setting: what to change (a field of the assistant or a variable); empty: nothing helps.
        quote: the vendor's own words, shortened and without secrets (`bargein.providers.vendor_errors.quote_of`).

    Attributes:
        ended_reason: as above.
        provider: as above.
        setting: as above.
        quote: as above.
    """

    def __init__(
        self, message: str, *, ended_reason: str, provider: str = "", setting: str = "", quote: str = ""
    ) -> None:
        advice = f"; check {setting}" if setting else ""
        words = f'; it says: "{quote}"' if quote else ""
        super().__init__(f"{message}{advice}{words}")
        self.ended_reason = ended_reason
        self.provider = provider
        self.setting = setting
        self.quote = quote

    def log_fields(self) -> dict[str, str]:
        """Return the fields of the log line about a call that failed by this error, without empty ones."""
        fields = {"provider": self.provider, "setting": self.setting, "vendor_says": self.quote}
        return {name: value for name, value in fields.items() if value}


def unexpected_error(part: str, ended_reason: str) -> ProviderError:
    """Return the error for a part of a call (model, voice, transcriber) that raised one which nobody expected."""
    return ProviderError(
        f"the {part} failed with an internal error; the server's log has it", ended_reason=ended_reason
    )


class StoreError(BargeinError):
    """The store failed for now. The text may be shown, and the operation may be retried."""


class StoreUnavailableError(StoreError):
    """The database cannot be reached."""


class StoreFullError(StoreError):
    """The disk is full or broken: nothing was written."""


class ServerError(BargeinError):
    """The owner's server gave no usable answer. The text may be shown; it has no secret and no address.

    Attributes:
        reason: a short word: timeout, unreachable, status, invalid, refused.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class CarrierError(BargeinError):
    """A carrier cannot carry out an operation, or it failed. The text may be shown, also to a model."""
