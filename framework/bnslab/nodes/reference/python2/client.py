"""Calls functions of the reference's client module. Python 2.7; started by `bnslab.clients.reference`.

    client.py URL

URL is that of a node. Standard input holds a JSON array of [function, arguments]; the last line of standard output is a
JSON array of what they gave, with {"base64": ...} for bytes that are no text.
"""

from __future__ import absolute_import, print_function

import base64
import inspect
import json
import sys

import ripemd  # noqa: F401 - before what needs the hash
from blockstack.lib import client

# It counts pages by a list of a hundred million numbers, three gigabytes for each history.
client.range = xrange  # noqa: F821


def call(url, function, arguments):
    method = getattr(client, function)
    try:
        if inspect.getargspec(method).args[0] == "hostport":
            return method(url, *arguments)
        return method(*arguments, hostport=url)
    except Exception as error:
        return {"exception": "%s: %s" % (type(error).__name__, error)}


def plain(value):
    if isinstance(value, dict):
        return dict((key, plain(each)) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        try:
            return value.decode("utf8")
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode("ascii")}
    return value


def main():
    url = sys.argv[1]
    answers = [call(url, function, arguments) for function, arguments in json.load(sys.stdin)]
    print(json.dumps(plain(answers)))


main()
