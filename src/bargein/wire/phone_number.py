"""The base of all phone numbers, and their validation by `provider`.

The types of phone numbers are in their carriers' packages (`bargein.carriers`), which may add types that Vapi does not
have.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Union

from pydantic import Field, TypeAdapter, ValidationError

from bargein.wire.base import JsonObject, Name, WireModel
from bargein.wire.errors import bad_request, findings
from bargein.wire.plans import Server


class PhoneNumberBase(WireModel):
    """A phone number.

    Attributes:
        secrets: JSON names of the fields that are stored for calls and never returned.
    """

    secrets: ClassVar[frozenset[str]] = frozenset()

    name: Name | None = None
    assistant_id: str | None = None
    workflow_id: str | None = None
    squad_id: str | None = None
    server: Server | None = None
    fallback_destination: JsonObject | None = None
    hooks: list[JsonObject] | None = None


class PhoneNumberTypes:
    """All types of phone numbers.

    Args:
        types: the types by their `provider`.

    Attributes:
        secrets: the secret fields of all types.
    """

    def __init__(self, types: Mapping[str, type[PhoneNumberBase]]) -> None:
        self._types = types
        self.secrets = frozenset(name for number_type in types.values() for name in number_type.secrets)
        union: Any = Union[tuple(types.values())]  # noqa: UP007  # a union of a variable number of types
        by_provider: Any = Annotated[union, Field(discriminator="provider")]
        self._any: TypeAdapter[PhoneNumberBase] = TypeAdapter(by_provider)

    def parse(self, data: object) -> PhoneNumberBase:
        """Validate a phone number of any type and return it as its model.

        Raises:
            WireError: 400, with all problems.
        """
        try:
            return self._any.validate_python(data, by_alias=True, by_name=False)
        except ValidationError as error:
            raise bad_request(*findings(error, data)) from None
