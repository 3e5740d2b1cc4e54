"""The customer: the person who calls or is called."""

from typing import Annotated, ClassVar

from pydantic import Field

from bargein.wire.assistant import AssistantOverrides
from bargein.wire.base import Bool, Name, WireModel


class Customer(WireModel):
    """The person who calls or is called (Vapi's `CreateCustomerDTO`)."""

    contract: ClassVar[str | None] = "CreateCustomerDTO"

    number: Annotated[str, Field(min_length=3, max_length=40)] | None = None
    number_e164_check_enabled: Annotated[
        Bool | None, Field(validation_alias="numberE164CheckEnabled", serialization_alias="numberE164CheckEnabled")
    ] = None
    extension: Annotated[str, Field(max_length=10)] | None = None
    sip_uri: str | None = None
    name: Name | None = None
    email: Name | None = None
    external_id: Name | None = None
    assistant_overrides: AssistantOverrides | None = None
    squad_overrides: AssistantOverrides | None = None
