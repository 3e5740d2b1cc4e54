"""The tool runners of a call's assistants, one assistant after the other."""

from dataclasses import dataclass, field

from bargein.ports import ToolRunner


@dataclass(slots=True)
class ToolRunners:
    """The runner of the current assistant, and earlier ones whose tools still run.

    A runner that was replaced is closed once the last of its tools is done, so that a tool in flight keeps its
    connections. The code that made the runners closes those that are left when the call is over.

    Attributes:
        runner: the runner of the current assistant; None: its tools cannot be run.
    """

    runner: ToolRunner | None
    _held: list[tuple[ToolRunner, str]] = field(default_factory=list[tuple[ToolRunner, str]])

    def acquire(self, runner: ToolRunner | None, call_id: str) -> None:
        """Keep a runner open for a tool call."""
        if runner is not None:
            self._held.append((runner, call_id))

    def release(self, runner: ToolRunner | None, call_id: str) -> None:
        """Release a runner: the tool call is done or given up. Releasing twice has no effect."""
        if runner is None or (runner, call_id) not in self._held:
            return
        self._held.remove((runner, call_id))
        self._close_idle(runner)

    def switch(self, runner: ToolRunner | None) -> None:
        """Replace the runner by that of another assistant."""
        before, self.runner = self.runner, runner
        if before is not None:
            self._close_idle(before)

    def _close_idle(self, runner: ToolRunner) -> None:
        if runner is not self.runner and all(holder is not runner for holder, _ in self._held):
            runner.close()
