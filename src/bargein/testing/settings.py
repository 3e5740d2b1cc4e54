"""Settings for tests and benchmarks, from short names and without the environment."""

from bargein.configuration import extension_sections
from bargein.settings import CORE_SECTIONS, Section, Settings


def make_settings(**values: object) -> Settings:
    """Make settings without reading the environment.

    Args:
        values: fields of the server's own sections by name (`api_key="…"`), fields of the carriers' and vendors'
            sections by table and name (`sip_listen="…"`), or whole sections under any name.

    Raises:
        TypeError: there is no such setting.
    """
    own: dict[str, dict[str, object]] = {section.table: {} for section in CORE_SECTIONS}
    others: dict[str, dict[str, object]] = {section.table: {} for section in extension_sections()}
    whole: list[Section] = []
    for name, value in values.items():
        if isinstance(value, Section):
            whole.append(value)
        elif (core := next((each for each in CORE_SECTIONS if name in each.model_fields), None)) is not None:
            own[core.table][name] = value
        elif (found := _find(name)) is not None:
            others[found[0].table][found[1]] = value
        else:
            raise TypeError(f"there is no setting {name}")
    made = {section.table: section(**own[section.table]) for section in CORE_SECTIONS}
    extensions = (section(**others[section.table]) for section in extension_sections())
    return Settings(**made, sections=(*whole, *extensions))  # type: ignore[arg-type]  # a table has its section's name


def _find(name: str) -> tuple[type[Section], str] | None:
    for section in extension_sections():
        field = name.removeprefix(f"{section.table}_")
        if field != name and field in section.model_fields:
            return section, field
    return None
