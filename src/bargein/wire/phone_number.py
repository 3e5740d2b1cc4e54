"""What all phone numbers have in common; each kind is told apart by `provider`.

The types of the kinds stand with their carriers (`bargein.carriers`), which are free to have one that Vapi does not
know.
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
        secrets: the fields that are kept for the calls and never given back, by their names in JSON.
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
    """The kinds of phone number.

    Args:
        types: the type of each kind, by its `provider`.

    Attributes:
        secrets: the secret fields of all kinds.
    """

    def __init__(self, types: Mapping[str, type[PhoneNumberBase]]) -> None:
        self._types = types
        self.secrets = frozenset(name for number_type in types.values() for name in number_type.secrets)
        union: Any = Union[tuple(types.values())]  # noqa: UP007  # of as many as there are
        by_provider: Any = Annotated[union, Field(discriminator="provider")]
        self._any: TypeAdapter[PhoneNumberBase] = TypeAdapter(by_provider)

    def parse(self, data: object) -> PhoneNumberBase:
        """Read a phone number of any kind.

        Raises:
            WireError: 400, with every finding.
        """
        try:
            return self._any.validate_python(data, by_alias=True, by_name=False)
        except ValidationError as error:
            raise bad_request(*findings(error, data)) from None
