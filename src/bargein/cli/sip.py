"""`bargein sip`: the configuration of Kamailio."""

from pathlib import Path
from typing import Annotated

import typer

from bargein.cli.console import app, fail, read_settings

sip = typer.Typer(no_args_is_help=True, help="Telephone calls over SIP.")
app.add_typer(sip, name="sip")


@sip.command()
def config(
    address: Annotated[str, typer.Option(help="The IP address of this machine that receives calls.")],
    port: Annotated[int, typer.Option(help="The port for UDP and TCP.")] = 5060,
    inner: Annotated[
        str | None, typer.Option(help="Address and port for the agent only, if it cannot reach --address.")
    ] = None,
    tls_port: Annotated[int, typer.Option(help="The port for TLS; with --certificate and --key.")] = 5061,
    certificate: Annotated[Path | None, typer.Option(help="A PEM file with the certificate and its chain.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--key", help="A PEM file with the certificate's key.")] = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("kamailio"),
) -> None:
    """Write a configuration for Kamailio from the stored phone numbers; run it again when they change."""
    settings = read_settings()
    import anyio  # noqa: PLC0415  # only this command needs them

    from bargein.carriers.sip import SipSettings  # noqa: PLC0415
    from bargein.carriers.sip.kamailio import ConfigError, Edge  # noqa: PLC0415
    from bargein.carriers.sip.secret import proxy_secret  # noqa: PLC0415
    from bargein.clock import LoopClock  # noqa: PLC0415
    from bargein.ports import StoreError  # noqa: PLC0415
    from bargein.server.telephony.sip import stored_lines, write_configuration  # noqa: PLC0415
    from bargein.store.vault import VaultError  # noqa: PLC0415

    agent = settings.section(SipSettings)
    if not agent.enabled:
        raise fail("BARGEIN_SIP_LISTEN is not set: there is no SIP agent that Kamailio could route calls to")
    edge = Edge(
        address=address,
        port=port,
        public_address=agent.public_address,
        agent=agent.listen,
        inner=inner,
        tls_port=tls_port,
        certificate=None if certificate is None else str(certificate.absolute()),
        key=None if tls_key is None else str(tls_key.absolute()),
        folder=str(out.absolute()),
    )
    try:
        lines = anyio.run(stored_lines, settings, LoopClock())
        files, warnings = write_configuration(out, edge, lines, proxy_secret(agent, settings.storage.data_dir))
    except (ConfigError, StoreError, VaultError, ValueError, OSError) as error:
        raise fail(str(error)) from None
    for warning in warnings:
        typer.secho(f"bargein: {warning}", fg=typer.colors.YELLOW, err=True)
    for file in files:
        typer.echo(str(file))
