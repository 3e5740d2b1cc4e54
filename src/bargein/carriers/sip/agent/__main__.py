"""Run the agent: `python -m bargein.carriers.sip.agent FD`."""

import logging
import socket
import sys

import anyio
import structlog

from bargein.carriers.sip.agent.switch import Switch
from bargein.clock import LoopClock


async def _serve(descriptor: int) -> int:
    switch = Switch(LoopClock())
    return await switch.serve(socket.socket(fileno=descriptor))


def main() -> int:
    """Serve until the server ends; return the exit code."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="sip agent: %(levelname)s %(name)s %(message)s")
    logging.getLogger("baresip").setLevel(logging.CRITICAL)  # its lines quote what far ends have sent
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    return anyio.run(_serve, int(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
