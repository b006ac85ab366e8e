"""What the reference made of a chain, in golden format 1. Python 2.7; imported by `driver.py`."""

from __future__ import absolute_import

import os
import sqlite3

from blockstack.lib.nameset import BlockstackDB


def text(value):
    """A byte string as text: UTF-8 if it is, else each byte a character."""
    try:
        return value.decode("utf8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def plain(value):
    """A value that JSON can hold."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return dict((plain(key), plain(member)) for key, member in value.items())
    return [plain(member) for member in value] if isinstance(value, (list, tuple, set)) else value


class Database(object):
    """A database file of the reference, to be read."""

    def __init__(self, path):
        self.connection = sqlite3.connect(path)
        self.connection.text_factory = text

    def table(self, name, order, hidden=()):
        cursor = self.connection.execute("SELECT * FROM %s ORDER BY %s" % (name, order))
        columns = [column[0] for column in cursor.description]
        kept = [position for position, column in enumerate(columns) if column not in hidden]
        rows = [[row[position] for position in kept] for row in cursor]
        return {"columns": [columns[position] for position in kept], "rows": rows}

    def column(self, query):
        return [row[0] for row in self.connection.execute(query)]

    def tables(self):
        return self.column("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")


def records(table):
    return [dict(zip(table["columns"], row)) for row in table["rows"]]


def collect(directory, first_block, tip, serialized):
    """The expected part. `serialized` maps heights to the texts that were hashed."""
    names, snapshots, atlas, subdomains = (
        Database(os.path.join(directory, name))
        for name in ("blockstack-server.db", "blockstack-server.snapshots", "atlas.db", "subdomains.db")
    )
    tables = {
        "history": names.table("history", "block_id, vtxindex, txid"),
        "name_records": names.table("name_records", "name, block_number"),
        "namespaces": names.table("namespaces", "namespace_id, block_number"),
        "snapshots": snapshots.table("snapshots", "block_id", hidden=["timestamp"]),
        "chainstate": snapshots.table("chainstate", "block_id, vtxindex", hidden=["tx_hex", "tx_merkle_path"]),
        "atlas_zonefiles": atlas.table("zonefiles", "inv_index", hidden=["tried_storage"]),
    }
    for name in subdomains.tables():
        tables["subdomains." + name] = subdomains.table(name, "rowid")
    hashes = records(tables["snapshots"])
    expected = {
        "tip": tip,
        "consensus_hashes": dict((str(row["block_id"]), row["consensus_hash"]) for row in hashes),
        "ops_hashes": dict((str(row["block_id"]), row["ops_hash"]) for row in hashes),
        "serialized_ops": dict((str(height), plain(texts)) for height, texts in serialized.items() if texts),
        "rejected_ops": {},
        "preorders": records(names.table("preorders", "block_number, vtxindex")),
        "tables": tables,
        "atlas_zonefile_inventory": "".join("01"[bool(r["present"])] for r in records(tables["atlas_zonefiles"])),
        "subdomains": records(subdomains.table("subdomain_records", "parent_zonefile_index, zonefile_offset")),
    }
    expected.update(final_records(directory, range(first_block, tip + 1), names))
    return expected


def final_records(directory, heights, names):
    """What the reference itself says of each operation, name and namespace."""
    state = BlockstackDB.get_readonly_instance(directory)
    operations = ((height, state.get_all_blockstack_ops_at(height)) for height in heights)
    found = {
        "accepted_ops": dict((str(height), plain(ops)) for height, ops in operations if ops),
        "names": {},
        "namespaces": {},
    }
    for name in names.column("SELECT DISTINCT name FROM name_records"):
        found["names"][name] = plain(state.get_name(name, include_expired=True))
    for id_ in names.column("SELECT DISTINCT namespace_id FROM namespaces"):
        found["namespaces"][id_] = plain(state.get_namespace(id_) or state.get_namespace_reveal(id_))
    state.close()
    return found
