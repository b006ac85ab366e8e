"""Puts questions to the reference's two servers. Python 2.7; imported by `driver.py`."""

from __future__ import absolute_import

import httplib
import json
import threading
import time
import xmlrpclib

from blockstack import blockstackd
from blockstack.lib import config
from blockstack.lib.rpc import BlockstackAPIEndpoint
from blockstack.lib.util import GCThread
from golden import text

LOOPBACK = "127.0.0.1"
FAR_FUTURE = 10**8  # seconds for which no answer is called stale
ANSWERS_WITHIN = 60  # seconds


class Indexer(blockstackd.BlockstackdRPC):
    """The reference's XML-RPC object, which takes zone files; it becomes a server by `listen`."""

    def __init__(self, directory, subdomain_index):
        self.working_dir = directory
        self.subdomain_index = subdomain_index
        self.cache_flush()

    def listen(self, port=0):
        """Become a server on a port of the loopback interface, by default a free one; give back its URL."""
        blockstackd.BlockstackdRPC.__init__(
            self, self.working_dir, host=LOOPBACK, port=port, subdomain_index=self.subdomain_index
        )
        keep_fresh(self)
        serve(self)
        return "http://%s:%d" % self.server_address


def serve(server):
    thread = threading.Thread(target=server.serve_forever)
    thread.daemon = True
    thread.start()


def without_traceback(reply):
    if isinstance(reply, dict):
        reply.pop("traceback", None)
    return reply


def ask_rpc(url, question):
    """The reply to `method(arguments as JSON)`."""
    method, _, arguments = question[:-1].partition("(")
    try:
        reply = getattr(xmlrpclib.ServerProxy(url, allow_none=True), method)(*json.loads("[%s]" % arguments))
    except xmlrpclib.Fault as fault:
        return {"xmlrpc_fault": fault.faultCode, "message": fault.faultString}
    try:
        return without_traceback(json.loads(reply))
    except (TypeError, ValueError):
        return {"not_json": reply}


def ask_rest(port, question):
    """The reply to `METHOD path`."""
    method, _, path = question.partition(" ")
    connection = httplib.HTTPConnection(LOOPBACK, port, timeout=ANSWERS_WITHIN)
    connection.request(method, path.encode("utf8"))
    response = connection.getresponse()
    body = response.read()
    connection.close()
    reply = {"status": response.status, "content_type": response.getheader("content-type")}
    for header in ("location", "access-control-allow-origin", "access-control-allow-methods"):
        value = response.getheader(header)
        if value is not None and (header, value) != ("access-control-allow-origin", "*"):
            reply[header] = value
    if response.getheader("access-control-allow-origin") is None:
        reply["no_cors"] = True
    try:
        reply["json"] = without_traceback(json.loads(body))
    except ValueError:
        reply["body"] = text(body)
    return reply


def keep_fresh(indexer):
    """Let no answer be called stale."""
    indexer.last_indexing_time = time.time() + FAR_FUTURE


def listen(indexer):
    """Start both servers: their ports, RPC first."""
    # The servers count calls on it; it need not run.
    blockstackd.gc_thread = GCThread()
    url = indexer.listen()
    config.set_blockstack_api_opts({"enabled": True, "indexer_url": url, "api_host": LOOPBACK, "api_port": 0})
    endpoint = BlockstackAPIEndpoint(host=LOOPBACK, port=0)
    endpoint.bind()
    serve(endpoint)
    return indexer.server_address[1], endpoint.server_address[1]


def answers(indexer, rpc, rest):
    """The parts `rpc` and `rest`, whose keys are given."""
    rpc_port, port = listen(indexer)
    url = "http://%s:%d" % (LOOPBACK, rpc_port)
    return {
        "rpc": dict((question, ask_rpc(url, question)) for question in rpc),
        "rest": dict((question, ask_rest(port, question)) for question in rest),
    }
