"""`blockstack-core snv`: what a node says of a name, proven (spec 08 section 14)."""

from __future__ import annotations

import click

from bns.commands.common import Common, common_options


@click.command()
@click.argument("subject", metavar="NAME_OR_TXID")
@click.argument("block_height", type=click.IntRange(0))
@click.argument("trust")
@click.option("--node", "address", help="Node to ask, http://HOST:PORT (default: the one on this machine).")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=30.0, help="Seconds that a call may take.")
@common_options
@click.pass_obj
def snv(common: Common, subject: str, block_height: int, trust: str, address: str | None, timeout: float) -> None:
    """Prove the operations on a name in a block from one thing that you TRUST, without trusting the node.

    TRUST is a consensus hash, or a transaction that repeats one: its txid or its serial number HEIGHT-INDEX, for which
    bitcoind is asked (by txid only if it runs with -txindex=1). A txid in the place of the name asks for the operation
    in that transaction, as one must for namespaces. Prints JSON, with those fields only that are proven.
    """
    from bns.api.text import json_text
    from bns.identity.snv import proof, roots
    from bns.identity.snv.client import Node, RpcSource
    from bns.node.anchors import BitcoindChain
    from bns.node.rpc import RpcClient

    config = common.load()
    node = Node.parse(address or f"http://127.0.0.1:{config.node.rpc_port}")
    source = RpcSource(node, timeout=timeout)
    client = RpcClient.of(config.bitcoind)
    try:
        trusted = roots.resolve(trust, source, BitcoindChain(client))
    finally:
        client.close()
    proven = proof.operations(source, config.params.first_block, block_height, trusted)
    is_txid = roots.TXID.fullmatch(subject.lower())
    found = proof.of_transaction(proven, subject.lower()) if is_txid else proof.of_name(proven, subject)
    click.echo(json_text(found))
