"""The base of all wire types: camelCase names, unknown fields kept, strict numbers and booleans."""

from typing import Annotated, Any, ClassVar, NewType, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, Strict
from pydantic.alias_generators import to_camel

JsonObject = dict[str, Any]
"""A JSON object of any content."""

Template = NewType("Template", str)
"""A text in which `{{…}}` is replaced by the values of variables, some of which may be private to the owner.

Only a text that the owner wrote is one: it stands in an assistant, tool or hook, or came over the control URL with the
private key. The words of a caller or a model, the answers of servers, values of variables, and texts that have been
rendered are none. All that renders takes a `Template`, and `tests/call/test_templates.py` lists the places that make
one.
"""

Bool = Annotated[bool, Strict()]


def _integral(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shortest(value: float) -> int | float:
    return int(value) if value.is_integer() else value


Number = Annotated[float, Strict(), PlainSerializer(_shortest, return_type=int | float)]
"""A JSON number, not a boolean or a numeric string. Whole numbers are written without a fraction."""

Integer = Annotated[int, Strict(), BeforeValidator(_integral)]
"""A JSON number without a fraction (2.0 is 2, as in JavaScript)."""

Name = Annotated[str, Field(max_length=40)]
"""A name of at most 40 characters, as in Vapi."""


class WireModel(BaseModel):
    """An object of Vapi's JSON. Undeclared fields are kept and written back.

    Attributes:
        contract: the name of Vapi's own type, which `parse_request` checks a body against in addition to the fields
            declared here (`bargein.wire.contract`); None if Vapi has no such type.
        wider_fields: the JSON names of fields that take more than Vapi's type does; they are checked as declared here.
    """

    contract: ClassVar[str | None] = None
    wider_fields: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="allow",
        allow_inf_nan=False,
        protected_namespaces=(),
    )

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read JSON, with fields by Vapi's names only.

        Raises:
            pydantic.ValidationError: the data is not valid; `bargein.wire.errors` words it as Vapi does.
        """
        return cls.model_validate(data, by_alias=True, by_name=False)

    def to_json(self) -> JsonObject:
        """Return the object as JSON values, with only the fields that were set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    @classmethod
    def wire_names(cls) -> frozenset[str]:
        """Return the JSON names of all declared fields."""
        names: set[str] = set()
        for name, field in cls.model_fields.items():
            alias = field.serialization_alias or field.alias
            names.add(alias or name)
        return frozenset(names)
