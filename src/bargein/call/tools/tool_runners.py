"""Who runs the tools of a call's assistants, one assistant after the other."""

from dataclasses import dataclass, field

from bargein.ports import ToolRunner


@dataclass(slots=True)
class ToolRunners:
    """The runner of the assistant that has the call, and those before it whose tools still run.

    One that has been relieved is closed once the last of its tools is done, so that a tool in flight keeps its
    connections. Whoever made the runners closes those that are left when the call is over.

    Attributes:
        runner: of the assistant that has the call; None: nobody runs its tools.
    """

    runner: ToolRunner | None
    _held: list[tuple[ToolRunner, str]] = field(default_factory=list[tuple[ToolRunner, str]])

    def take(self, runner: ToolRunner | None, call_id: str) -> None:
        """A tool call is this runner's to run."""
        if runner is not None:
            self._held.append((runner, call_id))

    def leave(self, runner: ToolRunner | None, call_id: str) -> None:
        """The call is done, or given up; told more than once it counts once."""
        if runner is None or (runner, call_id) not in self._held:
            return
        self._held.remove((runner, call_id))
        self._close_idle(runner)

    def relieve(self, runner: ToolRunner | None) -> None:
        """Another assistant's runner takes the place of this one's."""
        before, self.runner = self.runner, runner
        if before is not None:
            self._close_idle(before)

    def _close_idle(self, runner: ToolRunner) -> None:
        if runner is not self.runner and all(holder is not runner for holder, _ in self._held):
            runner.close()
