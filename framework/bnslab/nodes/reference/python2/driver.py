"""Takes a chain through the reference and writes what it made of it. Python 2.7; started by `../node.py`, `../live.py`.

    driver.py -datadir=DIRECTORY

DIRECTORY holds `chain.json`: `first_block`, `blocks` (height, hash, merkle_root, time, stripped: the block without
witnesses in hex, transactions: those in it, txid to hex without witnesses), further `transactions`, `zonefiles`
(after_height, base64) and the `rpc` and `rest` questions to be answered at the end. With `import` (public_keys,
required) it begins with the state in `snapshot.bsk`; with `export` (a private key in hex) it leaves its last state in
`exported.bsk`. The result goes to `expected.json`: `seconds` of indexing, and `expected`
in golden format 1. Each height is appended to `heights` before its block is indexed, and a dash after the last.

With `live` in `chain.json` there is no end and no result: each line on the standard input is a block, and is answered
with a line on the descriptor `-answers=NUMBER`: its height, the `serialized` texts, the txids `accepted`. A first line, before
any block, tells the `rpc` and `rest` ports of the servers. With `network` (options of a peer: its port and seeds) there
is no end either: it takes part in the peer network, and says on standard output when it does and which zone files come.

The blocks go through the reference's own parser, downloader, indexer and databases. Replaced are the peer that blocks
come from, the node that is asked for previous transactions, and what costs time but decides nothing: logging, backups,
garbage collection, waiting for the disk. The files of this directory can be parsed by Python 3 too.
"""

from __future__ import absolute_import, print_function

import gc
import json
import logging
import os
import resource
import socket
import sqlite3
import sys
import time

import ripemd  # before what needs the hash

_connect = sqlite3.connect


def _connect_carelessly(*args, **options):
    connection = _connect(*args, **options)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")
    return connection


sqlite3.connect = _connect_carelessly
gc.collect = lambda *_: 0

from StringIO import StringIO

import virtualchain
from blockstack import blockstackd
from blockstack.lib import config, virtualchain_hooks
from blockstack.lib.nameset import namedb
from blockstack.lib.subdomains import subdomains_init
from golden import collect, plain
from handover import hand_over, take_over
from peer import take_part
from protocoin.serializers import BlockSerializer
from questions import LOOPBACK, Indexer, answers, keep_fresh, listen
from virtualchain.lib.blockchain import transactions
from virtualchain.lib.blockchain.bitcoin_blockchain import blocks as blocks_module
from virtualchain.lib.indexer import StateEngine


class Chain(object):
    """The chain file, the bitcoind that the reference asks for heights, and the one it fetches transactions from."""

    def __init__(self, document):
        self.first_block = document["first_block"]
        self.blocks = {}
        self.transactions = document["transactions"]
        for block in document["blocks"]:
            self.add(block)
        self.height = self.first_block - 1

    def add(self, block):
        """Make a block known, and the transactions in it."""
        self.blocks[block["height"]] = block
        self.transactions.update(block["transactions"])

    @property
    def tip(self):
        return max(self.blocks)

    def getblockcount(self):
        return self.height + config.NUM_CONFIRMATIONS

    def getinfo(self):
        return {"blocks": self.height, "version": 0}

    def post(self, _, data, **__):
        """The answers to a batch of getrawtransaction calls."""
        self.answers = []
        for call in json.loads(data):
            txid = str(call["params"][0])
            if txid not in self.transactions:
                print("the chain file lacks transaction %s" % txid, file=sys.stderr)
                os.abort()
            self.answers.append({"id": call["id"], "result": self.transactions[txid], "error": None})
        return self

    def json(self):
        return self.answers


class Downloader(blocks_module.BlockchainDownloader):
    """The reference's downloader, its peer being the chain file."""

    def __init__(self, chain, options, first, last, tx_filter):
        self.chain = chain
        self.bitcoind_opts = options
        self.tx_filter = tx_filter
        self.finished = False
        self.blocks, self.block_info, self.sender_info = {}, {}, {}
        self.num_txs_received = self.num_blocks_received = self.num_txs_processed = 0
        self.num_blocks_requested = last - first + 1
        for height in range(first, last + 1):
            block = chain.blocks[height]
            header = {"hash": block["hash"], "merkle_root": block["merkle_root"], "timestamp": block["time"]}
            self.blocks[height] = block["hash"]
            self.block_info[block["hash"]] = {"height": height, "header": header, "txns": None, "handled": False}

    def begin(self):
        """No handshake."""

    def loop(self):
        for height in sorted(self.blocks):
            raw = self.chain.blocks[height]["stripped"].decode("hex")
            self.handle_block(None, BlockSerializer().deserialize(StringIO(raw)))

    def loop_exit(self):
        self.finished = True


def attach(chain):
    """Make the chain file the only Bitcoin that the reference knows."""

    def fetch(options, first, end, tx_filter=None, **_):
        downloader = Downloader(chain, options, first, end - 1, tx_filter)
        if not downloader.run():
            os.abort()
        return downloader.get_block_info()

    transactions.get_bitcoin_virtual_transactions = fetch
    blocks_module.requests = chain
    virtualchain.connect_bitcoind = lambda *_: chain


def configure(directory):
    """Set the reference's options, without a configuration file: those of its tests, but no peers and no backups."""
    options = {
        "enabled": True,
        "rpc_port": 0,
        "announcers": "judecn.id,muneeb.id,shea256.id",
        "backup_frequency": None,
        "backup_max_age": None,
        "server_version": config.VERSION,
        "zonefiles": os.path.join(directory, "zonefiles"),
        "subdomaindb_path": os.path.join(directory, "subdomains.db"),
        "atlas": True,
        "atlasdb_path": os.path.join(directory, "atlas.db"),
        "atlas_seeds": "",
        "atlas_blacklist": "",
        "atlas_hostname": LOOPBACK,
        "atlas_port": 0,
    }
    if not os.path.exists(options["zonefiles"]):
        os.mkdir(options["zonefiles"])
    user = {"user": "", "passwd": "", "server": LOOPBACK, "port": 0, "p2p_port": 0, "use_https": False}
    config.set_blockstack_opts(options)
    config.set_blockstack_api_opts({"enabled": False})
    config.set_bitcoin_opts(dict(("bitcoind_" + key, value) for key, value in user.items()))
    # It would read its configuration file afresh for each block, and ask the internet for its own address.
    namedb.default_blockstack_opts = lambda *_: options
    return options


def setup(directory, options):
    """The parts of the reference's server, none of them running."""
    database = blockstackd.get_or_instantiate_db_state(directory)
    atlas = blockstackd.atlas_init(options, database, port=options["rpc_port"])
    database.close()
    subdomains = subdomains_init(options, directory, atlas)
    config.set_running(True)
    config.set_indexing(directory, False)
    return {
        "working_dir": directory,
        "atlas": atlas,
        "subdomains": subdomains,
        "subdomains_initialized": False,
        "rpc": Indexer(directory, subdomains),
        "api": None,
    }


def observed(chain):
    """The texts hashed at each height, as they come to be."""
    serialized = {}
    make_snapshot = StateEngine.make_snapshot

    def observe(_, texts, previous):
        serialized[chain.height] = list(texts)
        return make_snapshot(texts, previous)

    StateEngine.make_snapshot = classmethod(observe)
    for engine_log in ("log_accept", "log_reject"):
        setattr(StateEngine, engine_log, lambda *_: None)
    return serialized


def checked():
    """The transaction ids of accepted operations at each height, as they come to be."""
    accepted = {}
    check = virtualchain_hooks.db_check

    def observe(height, new_ops, opcode, op, txid, *rest, **named):
        passed = check(height, new_ops, opcode, op, txid, *rest, **named)
        if passed:
            accepted.setdefault(height, []).append(txid)
        return passed

    virtualchain_hooks.db_check = observe
    return accepted


def index_block(chain, state, heights, height):
    """Index the next block."""
    heights.write("%d\n" % height)
    chain.height = height
    if not blockstackd.index_blockchain(state):
        print("the reference declined to index block %d" % height, file=sys.stderr)
        os.abort()


def index(chain, zonefiles, state, heights):
    """Index block by block, each followed by its zone files: the seconds it took, the texts hashed at each height."""
    serialized = observed(chain)
    begun = time.time()
    for height in range(chain.height + 1, chain.tip + 1):
        index_block(chain, state, heights, height)
        for zonefile in zonefiles:
            if zonefile["after_height"] == height:
                state["rpc"].rpc_put_zonefiles([str(zonefile["base64"])])
    return time.time() - begun, serialized


def live(chain, state, heights):
    """Index what comes in, and answer questions meanwhile."""
    answers = os.fdopen(int(sys.argv[2].partition("=")[2]), "wb", 0)
    serialized, accepted = observed(chain), checked()
    rpc, rest = listen(state["rpc"])
    answers.write(json.dumps({"rpc": rpc, "rest": rest}) + "\n")
    for line in iter(sys.stdin.readline, ""):
        block = json.loads(line)
        height = block["height"]
        chain.add(block)
        index_block(chain, state, heights, height)
        keep_fresh(state["rpc"])
        told = {"height": height, "serialized": serialized.get(height, []), "accepted": accepted.pop(height, [])}
        answers.write(json.dumps(plain(told)) + "\n")


def loopback_only():
    """Nothing here has business beyond this machine."""
    connect = socket.socket.connect

    def refuse(self, address):
        if address[0] not in (LOOPBACK, "localhost"):
            raise socket.error("no network for the reference: %r" % (address,))
        return connect(self, address)

    socket.socket.connect = refuse


def main():
    directory = sys.argv[1].partition("=")[2]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.WARNING)
    loopback_only()
    with open(os.path.join(directory, "chain.json")) as file:
        document = json.load(file)
    chain = Chain(document)
    attach(chain)
    state_directory = os.path.join(directory, "state")
    os.mkdir(state_directory)
    options = configure(state_directory)
    options.update(document.get("network") or {})
    if document.get("import"):
        chain.height = take_over(directory, state_directory, **document["import"])
    state = setup(state_directory, options)
    # Unbuffered, because an abort flushes nothing.
    with open(os.path.join(directory, "heights"), "wb", 0) as heights:
        if "live" in document:
            live(chain, state, heights)
            os._exit(0)
        seconds, serialized = index(chain, document["zonefiles"], state, heights)
        heights.write("-\n")
    if document.get("network"):
        take_part(state, options)
    expected = collect(state_directory, chain.first_block, chain.tip, serialized)
    if document["rpc"] or document["rest"]:
        expected.update(answers(state["rpc"], document["rpc"], document["rest"]))
    if document.get("export"):
        hand_over(directory, state_directory, chain.tip, str(document["export"]))
    with open(os.path.join(directory, "expected.json"), "w") as file:
        json.dump({"seconds": seconds, "expected": expected}, file)
    # Its threads and exit handlers have nothing to add.
    os._exit(0)


main()
