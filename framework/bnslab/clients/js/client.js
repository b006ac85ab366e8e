// Drives blockstack.js from standard input: node client.js DIRECTORY, the one that the package is installed in.
//
// The first line is a JSON object: network (the name of its class), api, broadcaster (URLs), and of the Bitcoin side
// either insight (a URL) or bitcoind (a URL), user, password. Each further line is a JSON array: the path of a function of
// the package ("transactions.makePreorder", "config.network.getNamePrice") and its arguments. Each is answered by a line
// with {"result": ...} or {"error": "..."}. An argument {"namespace": {...}} becomes a BlockstackNamespace with these
// fields.
'use strict'

const { createRequire } = require('module')
const readline = require('readline')

const blockstack = createRequire(`${process.argv[2]}/`)('blockstack')
const { BitcoindAPI, InsightClient } = blockstack.network

function connect ({ network, api, broadcaster, insight, bitcoind, user, password }) {
  const bitcoin = insight ? new InsightClient(insight) : new BitcoindAPI(bitcoind, { username: user, password })
  blockstack.config.network = new blockstack.network[network](api, broadcaster, bitcoin)
  blockstack.config.logLevel = 'error'
}

function argument (value) {
  if (value === null || typeof value !== 'object' || !value.namespace) return value
  const { namespaceID, ...fields } = value.namespace
  return Object.assign(new blockstack.transactions.BlockstackNamespace(namespaceID), fields)
}

async function call ([path, ...args]) {
  const names = path.split('.')
  const method = names.pop()
  const owner = names.reduce((object, name) => object[name], blockstack)
  return owner[method](...args.map(argument))
}

// Amounts are objects of a big number library, which say what they are worth in decimal digits.
function plain (_, value) {
  return value && value.constructor && value.constructor.name === 'BigInteger' ? value.toString() : value
}

async function main () {
  let connected = false
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer
    try {
      const asked = JSON.parse(line)
      if (connected) answer = { result: await call(asked) }
      else answer = { result: connect(asked) }
      connected = true
    } catch (error) {
      answer = { error: String((error && error.message) || error) }
    }
    process.stdout.write(JSON.stringify(answer, plain) + '\n')
  }
}

main()
