"""The tree of errors: every error class descends from one root, whose module's docstring prints the tree."""

import importlib
import pkgutil

import bargein
from bargein import errors
from bargein.carriers.registry import CARRIERS
from bargein.errors import BargeinError


def test_the_docstring_prints_the_tree_of_errors() -> None:
    for module in pkgutil.walk_packages(bargein.__path__, "bargein."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            importlib.import_module(module.name)
    assert _tree(BargeinError, 0) in (errors.__doc__ or "")


def test_every_error_descends_from_the_root() -> None:
    others = {
        f"{cls.__module__}.{cls.__name__}"
        for cls in _subclasses(Exception)
        if cls.__module__.startswith("bargein.") and not issubclass(cls, BargeinError)
    }
    assert others == set()


def _subclasses(cls: type[BaseException]) -> set[type[BaseException]]:
    found: set[type[BaseException]] = set()
    for sub in cls.__subclasses__():
        found |= {sub} | _subclasses(sub)
    return found


def _is_listed(cls: type[BaseException]) -> bool:
    """Return whether an error is in the tree: not private, and not defined in the folder of a carrier."""
    own = any(cls.__module__.startswith(f"bargein.carriers.{spec.name}.") for spec in CARRIERS)
    return cls.__module__.startswith("bargein.") and not cls.__name__.startswith("_") and not own


def _tree(cls: type[BaseException], depth: int) -> str:
    line = f"{'    ' * (depth + 1)}{cls.__name__}"
    if depth:
        line += f"  ({cls.__module__.removeprefix('bargein.')})"
    below = sorted(set(filter(_is_listed, cls.__subclasses__())), key=lambda sub: (sub.__module__, sub.__name__))
    return "\n".join([line, *(_tree(sub, depth + 1) for sub in below)])
