"""The configuration of the SIP proxy, written from the stored numbers (`bargein sip config`)."""

from collections.abc import Mapping
from pathlib import Path

from bargein.carriers.interface import PhoneLine
from bargein.carriers.sip import CARRIER
from bargein.carriers.sip.kamailio import AGENTS, CONFIG, Edge, agents_of, configuration_of
from bargein.carriers.sip.secret import write_private
from bargein.clock import Clock
from bargein.server.telephony.numbers import PhoneNumbers
from bargein.settings import Settings
from bargein.store import Store

DATABASE = "bargein.db"


async def stored_lines(settings: Settings, clock: Clock) -> dict[str, Mapping[str, PhoneLine]]:
    """Return the stored numbers that SIP serves, by provider and id.

    Raises:
        StoreError: the database cannot be read.
        VaultError: its encrypted values cannot be read.
    """
    path = settings.storage.data_dir / DATABASE
    store = await Store.open(path, clock, url=settings.storage.database_url, secret_keys=settings.keys.secret_keys)
    try:
        numbers = PhoneNumbers(store, settings)
        return {provider: await numbers.of_provider(provider) for provider in CARRIER.numbers}
    finally:
        await store.close()


def write_configuration(
    folder: Path, edge: Edge, phone_lines: Mapping[str, Mapping[str, PhoneLine]], secret: str
) -> tuple[list[Path], list[str]]:
    """Write Kamailio's configuration, readable to its owner only; return the files, and a text per number left out.

    Raises:
        ConfigError: a value cannot be written into it.
        OSError: the files cannot be written.
    """
    text, skipped = configuration_of(edge, phone_lines, secret)
    folder.mkdir(0o700, parents=True, exist_ok=True)
    write_private(folder / CONFIG, text)
    write_private(folder / AGENTS, agents_of(edge))
    return [folder / CONFIG, folder / AGENTS], skipped
