"""Starts server processes without the second that importing takes: `python -m bench.torture.launcher`.

It imports the server once and forks itself for each line of standard input: a JSON object with `data_dir`, `port`,
`log` and `environment`. It answers each line with the process id of the new server, a process that runs
`bargein serve` as the command line does. It ends with its standard input, and
kills those that still run.
"""

import json
import os
import signal
import sys

import psutil

import bargein.cli
import bargein.configuration
import bargein.providers.registry
import bargein.server.app
import bargein.server.serving  # imported for the children


def _serve(given: dict[str, object]) -> None:
    """Become `bargein serve` in this process; does not return."""
    log = os.open(str(given["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    environment = given["environment"]
    if isinstance(environment, dict):
        os.environ.update({str(name): str(value) for name, value in environment.items()})
    os.environ["BARGEIN_DATA_DIR"] = str(given["data_dir"])
    os.chdir(str(given["data_dir"]))
    sys.argv = ["bargein", "serve", "--host", "127.0.0.1", "--port", str(given["port"])]
    bargein.cli.main()


def main() -> None:
    """Fork a server for each line of standard input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system removes children that have ended
    secretive = ("BARGEIN_", "OPENAI_", "TWILIO_", "TELNYX_", "VONAGE_")
    for name in [name for name in os.environ if name.startswith(secretive)]:
        del os.environ[name]
    while line := sys.stdin.readline():
        given = json.loads(line)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                _serve(given)
            finally:
                os._exit(1)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for child in psutil.Process().children():
        child.kill()


if __name__ == "__main__":
    main()
