"""What every wire type is made of: camelCase names, unknown fields kept, numbers that are numbers."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, Strict
from pydantic.alias_generators import to_camel

JsonObject = dict[str, Any]
"""An object that is kept and not looked into."""

Bool = Annotated[bool, Strict()]


def _integral(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shortest(value: float) -> int | float:
    return int(value) if value.is_integer() else value


Number = Annotated[float, Strict(), PlainSerializer(_shortest, return_type=int | float)]
"""A JSON number; a boolean or a numeric string is none. Whole numbers are written without a fraction."""

Integer = Annotated[int, Strict(), BeforeValidator(_integral)]
"""A JSON number without a fraction (2.0 is 2, as in JavaScript)."""

Name = Annotated[str, Field(max_length=40)]
"""Vapi's names have at most 40 characters."""


class WireModel(BaseModel):
    """An object of Vapi's JSON. Fields it does not declare are kept and written back.

    Attributes:
        contract: the name of Vapi's own type, to which a request's body is held beyond what is declared here
            (`bargein.wire.contract`); None where there is none.
    """

    contract: ClassVar[str | None] = None

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
        """Read what came over the wire: by Vapi's names only.

        Raises:
            pydantic.ValidationError: use `bargein.wire.errors` to say it as Vapi would.
        """
        return cls.model_validate(data, by_alias=True, by_name=False)

    def to_json(self) -> JsonObject:
        """The object as JSON values, with the fields that were set and no others."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    @classmethod
    def wire_names(cls) -> frozenset[str]:
        """The names that the object's fields have on the wire."""
        names: set[str] = set()
        for name, field in cls.model_fields.items():
            alias = field.serialization_alias or field.alias
            names.add(alias or name)
        return frozenset(names)
