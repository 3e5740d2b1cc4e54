"""SIP, as the server sets it up: the secret that is shared with the proxy in front, and the proxy's configuration."""

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
    """The stored numbers that SIP serves.

    Raises:
        StoreError: the database cannot be read.
        VaultError: nor can what is encrypted in it.
    """
    path = settings.storage.data_dir / DATABASE
    store = await Store.open(path, clock, url=settings.storage.database_url, secret_keys=settings.keys.secret_keys)
    try:
        phone_lines = PhoneNumbers(store, settings)
        return {provider: await phone_lines.of_provider(provider) for provider in CARRIER.numbers}
    finally:
        await store.close()


def write_configuration(
    folder: Path, edge: Edge, phone_lines: Mapping[str, Mapping[str, PhoneLine]], proof: str
) -> tuple[list[Path], list[str]]:
    """Write Kamailio's configuration, readable to its owner alone; gives the files, and what was left out.

    Raises:
        ConfigError: it cannot be written of this.
        OSError: it cannot be written there.
    """
    text, odd = configuration_of(edge, phone_lines, proof)
    folder.mkdir(parents=True, exist_ok=True)
    write_private(folder / CONFIG, text)
    write_private(folder / AGENTS, agents_of(edge))
    return [folder / CONFIG, folder / AGENTS], odd
