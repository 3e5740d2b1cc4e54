"""Importing a number at Telnyx: its webhooks are pointed at this server.

A number's webhooks are those of the application that it belongs to. Ours name the number, so that an application can
serve one number alone: one that has other numbers too is left as it is, and the number gets an application of its own.
"""

from typing import TYPE_CHECKING

from bargein.carriers.interface import Addresses
from bargein.carriers.telnyx.client import or_none
from bargein.ports import CarrierError

if TYPE_CHECKING:
    from telnyx import AsyncTelnyx
    from telnyx.types import CallControlApplication, NumbersPhoneNumberDetailed
    from telnyx.types.call_control_application_outbound_param import CallControlApplicationOutboundParam


async def find_number(client: "AsyncTelnyx", number: str) -> "NumbersPhoneNumberDetailed":
    """Return a number of the account.

    Raises:
        CarrierError: the account has no such number.
    """
    digits = number.lstrip("+")  # the filter accepts digits only, and finds numbers that contain them
    async for found in client.phone_numbers.list(filter={"phone_number": digits}):
        if found.phone_number.lstrip("+") == digits:
            return found
    raise CarrierError(f"this account at Telnyx has no number {number}.")


async def configure_webhooks(client: "AsyncTelnyx", number: str, addresses: Addresses) -> None:
    """Point a number's webhooks at `addresses`, by its own application or by a new one."""
    found = await find_number(client, number)
    held_by = found.connection_id or None
    alone = held_by is not None and await _is_alone(client, held_by)
    if held_by is not None and alone and await _configure_texml(client, held_by, addresses):
        return
    before = None if held_by is None else await _call_control(client, held_by)
    ours = before if alone and before is not None else await _named(client, _name(number))
    application_id = await _point(client, ours, before, _name(number), addresses)
    if application_id != held_by:
        await client.phone_numbers.update(found.id, connection_id=application_id)


def _name(number: str) -> str:
    return f"bargein {number}"


async def _is_alone(client: "AsyncTelnyx", connection_id: str) -> bool:
    """Return whether an application has one number only."""
    page = await client.phone_numbers.list(filter={"connection_id": connection_id}, page_size=2)
    return len(page.data or ()) == 1


async def _configure_texml(client: "AsyncTelnyx", connection_id: str, addresses: Addresses) -> bool:
    """Point the number's TeXML application at this server; return whether it has one."""
    found = await or_none(client.texml_applications.retrieve(connection_id))
    if found is None or found.data is None:
        return False
    await client.texml_applications.update(
        connection_id,
        friendly_name=found.data.friendly_name or "bargein",
        voice_url=addresses.voice,
        voice_method="post",
        status_callback=addresses.status,
        status_callback_method="post",
        active=True,
    )
    return True


async def _call_control(client: "AsyncTelnyx", connection_id: str) -> "CallControlApplication | None":
    found = await or_none(client.call_control_applications.retrieve(connection_id))
    return None if found is None else found.data


async def _named(client: "AsyncTelnyx", name: str) -> "CallControlApplication | None":
    """Return the application that an earlier import of the number made."""
    async for found in client.call_control_applications.list(filter={"application_name": {"contains": name}}):
        if found.application_name == name:
            return found
    return None


async def _point(
    client: "AsyncTelnyx",
    ours: "CallControlApplication | None",
    before: "CallControlApplication | None",
    name: str,
    addresses: Addresses,
) -> str:
    """Point an application at this server, or make one; return its id."""
    profile_id = await _outbound_profile(client, ours, before)
    outbound: CallControlApplicationOutboundParam = {}
    if profile_id is not None:
        outbound["outbound_voice_profile_id"] = profile_id
    if ours is not None and ours.id is not None:
        await client.call_control_applications.update(
            ours.id,
            application_name=ours.application_name or name,
            webhook_event_url=addresses.voice,
            webhook_api_version="2",
            active=True,
            outbound=outbound,
        )
        return ours.id
    made = await client.call_control_applications.create(
        application_name=name, webhook_event_url=addresses.voice, webhook_api_version="2", outbound=outbound
    )
    if made.data is None or made.data.id is None:
        raise CarrierError("Telnyx made no application for the number.")
    return made.data.id


async def _outbound_profile(
    client: "AsyncTelnyx", ours: "CallControlApplication | None", before: "CallControlApplication | None"
) -> str | None:
    """Return the profile for outbound calls, without which an application can only receive calls."""
    for application in (ours, before):
        profile_id = (
            None
            if application is None or application.outbound is None
            else (application.outbound.outbound_voice_profile_id)
        )
        if profile_id:
            return profile_id
    async for profile in client.outbound_voice_profiles.list():
        if profile.enabled is not False:
            return profile.id
    return None
