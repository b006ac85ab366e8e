"""./lab up: a development network on this machine."""

from __future__ import annotations

import queue
import secrets
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import click

from bnslab.commands._chain import bitcoind_option, cache_option, default_cache, report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind
    from bnslab.devnet import Devnet

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SIGNALLED = 128


class Ports(NamedTuple):
    """Where the servers listen on 127.0.0.1; None is a free port."""

    panel: int | None = None
    rest: int | None = None
    rpc: int | None = None
    legacy: int | None = None
    broadcaster: int | None = None

    @classmethod
    def chosen(cls, first: int | None, *, for_clients: bool) -> Ports:
        """Five in a row from the first on; those that old clients have built in come before."""
        ports = cls() if first is None else cls(*range(first, first + len(cls._fields)))
        return ports._replace(rest=16268, broadcaster=16269, rpc=16264, legacy=18332) if for_clients else ports


@click.command()
@click.option("--blocktime", type=click.FloatRange(0.05, 86400), metavar="S", help="A block every S seconds.")
@click.option("--port", type=click.IntRange(1, 65531), metavar="P", help="Port of the panel; the others follow it.")
@click.option("--legacy-rpc", is_flag=True, help="Also be the bitcoind, Insight, broadcaster of old clients.")
@click.option("--client-ports", is_flag=True, help="--legacy-rpc, with the ports and password that they have built in.")
@cache_option
@bitcoind_option
def command(
    blocktime: float | None,
    port: int | None,
    legacy_rpc: bool,
    client_ports: bool,
    cache: Path | None,
    bitcoind: Path | None,
) -> int:
    """Run a development network until Ctrl-C.

    A private bitcoind, a node that indexes each block at once, a faucet, a miner and a web panel, all on 127.0.0.1 and
    at free ports unless --port is given. Without --blocktime a block is made whenever a transaction arrives. Nothing is
    kept. The exit status is 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP, 2 if a part fails.
    """
    from bnslab.bitcoind import PortPool, RunDirectory, sweep
    from bnslab.devnet import Devnet

    place = (cache or default_cache()).absolute()
    binary = _bitcoind(bitcoind, place)
    sweep(place)
    ports = Ports.chosen(port, for_clients=client_ports)
    # Handlers only leave a note: raised exceptions could come in the middle of anything.
    events: queue.SimpleQueue[int | BaseException] = queue.SimpleQueue()
    former = {number: signal.signal(number, lambda received, _: events.put(received)) for number in SIGNALS}
    try:
        with ExitStack() as stack:
            run = stack.enter_context(RunDirectory.create(place))
            pool = PortPool.claimed()
            devnet = Devnet(binary, run.path, pool, rest_port=ports.rest, rpc_port=ports.rpc, failed=events.put)
            stack.enter_context(devnet)
            for_clients: dict[str, str] = {}
            if legacy_rpc or client_ports:
                for_clients = _serve_clients(stack, devnet, ports, events.put, built_in=client_ports)
            _serve(stack, devnet, ports, for_clients)
            devnet.start_miner(blocktime)
            click.echo("ready: Ctrl-C ends it")
            event = events.get()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    if isinstance(event, BaseException):
        raise event
    return _SIGNALLED + event


def _bitcoind(explicit: Path | None, cache: Path) -> Bitcoind:
    from bnslab.bitcoind import BitcoindNotFound, find, install

    try:
        return find(explicit, cache)
    except BitcoindNotFound:
        if explicit is not None:
            raise
    report("no bitcoind found, installing one")
    return install(cache, report)


def _serve_clients(
    stack: ExitStack, devnet: Devnet, ports: Ports, failed: Callable[[BaseException], None], *, built_in: bool
) -> dict[str, str]:
    """Start what old clients ask beside the node; where it is."""
    from bnslab.devnet.broadcaster import Broadcaster
    from bnslab.devnet.broadcasting import broadcaster_app
    from bnslab.devnet.legacy import PASSWORD, USER, legacy_app
    from bnslab.http import LoopbackServer

    password = PASSWORD if built_in else secrets.token_hex(16)
    shim = legacy_app(devnet, user=USER, password=password)
    bitcoind = stack.enter_context(LoopbackServer(shim, ports.legacy or 0, "bitcoind for old clients"))
    broadcaster = Broadcaster(
        devnet, tell=lambda refused: report(f"broadcaster: {refused.what}: {refused.reason}"), failed=failed
    )
    interface = broadcaster_app(stack.enter_context(broadcaster))
    broadcasting = stack.enter_context(LoopbackServer(interface, ports.broadcaster or 0, "broadcaster"))
    return {
        "bitcoind for old clients": f"{bitcoind.url}/ (user {USER}, password {password})",
        "Insight": f"{bitcoind.url}/insight-api",
        "broadcaster": broadcasting.url,
    }


def _serve(stack: ExitStack, devnet: Devnet, ports: Ports, for_clients: Mapping[str, str]) -> None:
    """Start the panel, and print where everything is."""
    from bnslab.devnet.panel import panel_app
    from bnslab.http import LoopbackServer

    node = devnet.bitcoind
    user, password = node.credentials
    rows = {
        "REST": f"{devnet.rest_url}/v1/info",
        "XML-RPC": f"{devnet.rpc_url}/RPC2",
        "bitcoind": f"http://127.0.0.1:{node.rpc_port}/ (user {user}, password {password})",
        **for_clients,
    }
    links = {"REST": rows["REST"]}
    panel = stack.enter_context(LoopbackServer(panel_app(devnet, links), ports.panel or 0, "panel (--port)"))
    for what, where in {"panel": f"{panel.url}/", **rows}.items():
        click.echo(f"{what:<25} {where}")
    for wallet in devnet.wallets:
        click.echo(f"{wallet.name:<25} {wallet.address} (private key {wallet.keys[0].secret.hex()}01)")
