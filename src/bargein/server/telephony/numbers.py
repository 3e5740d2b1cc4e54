"""Phone numbers with their credentials, by the id in a carrier's URL, by call, or by provider."""

from collections.abc import Mapping

from bargein.carriers.interface import PhoneLine
from bargein.carriers.registry import BY_PROVIDER
from bargein.settings import Settings
from bargein.store import Query, Store
from bargein.wire.base import JsonObject
from bargein.wire.telephony import call_id_of_inline_number, inline_number, inline_number_id

_MOST = 1000


class PhoneNumbers:
    """Finds phone numbers, with the credentials that carriers need.

    Args:
        store: where numbers, credentials and calls are.
        settings: the default credentials.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def find(self, provider: str, number_id: str) -> PhoneLine | None:
        """Return a stored number, or the inline number of a call; None if there is none of this provider."""
        call_id = call_id_of_inline_number(number_id)
        if call_id is None:
            number = await self._store.phone_numbers.get(number_id)
        else:
            call = await self._store.calls.get(call_id)
            number = None if call is None else inline_number(call)
        return None if number is None or number.get("provider") != provider else await self.with_credential(number)

    async def with_credential(self, number: JsonObject) -> PhoneLine:
        """Return a number with its credential: the one that it names, or else that of the settings."""
        named: object = number.get("credentialId")
        found = await self._store.credentials.find(named) if isinstance(named, str) else None
        spec = BY_PROVIDER.get(str(number.get("provider")))
        if spec is None:
            return PhoneLine(number, found)
        settings = self._settings.section(spec.settings)
        return PhoneLine(number, settings.credential if found is None else settings.complete(found))

    async def called(self, provider: str, number_id: str, phone_line: PhoneLine, to: str) -> tuple[str, PhoneLine]:
        """Return the id and the line of the number that was called.

        It is the number of the webhook's URL, or another with the same credential: at some carriers all numbers of an
        application share one URL.
        """
        if call_id_of_inline_number(number_id) is not None or _same(phone_line.number.get("number"), to):
            return number_id, phone_line
        credential_id: object = phone_line.number.get("credentialId")
        for number in await self._store.phone_numbers.list(Query(limit=_MOST)):
            of_account = number.get("provider") == provider and number.get("credentialId") == credential_id
            if of_account and _same(number.get("number"), to):
                return str(number["id"]), await self.with_credential(number)
        return number_id, phone_line

    async def for_call(self, call: JsonObject) -> tuple[str, PhoneLine] | None:
        """Return the id and the line of the number that an outbound call uses; None if it was deleted."""
        number_id: object = call.get("phoneNumberId")
        if isinstance(number_id, str):
            number = await self._store.phone_numbers.get(number_id)
        else:
            number, number_id = inline_number(call), inline_number_id(str(call["id"]))
        return None if number is None else (number_id, await self.with_credential(number))

    async def of_provider(self, provider: str) -> Mapping[str, PhoneLine]:
        """Return all stored numbers of a provider, by their ids."""
        wanted = await self._store.phone_numbers.list(Query(limit=_MOST))
        return {str(one["id"]): await self.with_credential(one) for one in wanted if one.get("provider") == provider}

    async def providers(self) -> set[str]:
        """Return the providers of the stored numbers."""
        return {str(one.get("provider")) for one in await self._store.phone_numbers.list(Query(limit=_MOST))}


def _same(number: object, to: str) -> bool:
    """Return whether two numbers are the same but for a leading plus."""
    return isinstance(number, str) and number.removeprefix("+") == to.removeprefix("+")
