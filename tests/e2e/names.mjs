// Names ending in `.localhost` are this machine (RFC 6761 §6.3): a browser knows, not every resolver does. With this, Node knows too.

import dns from 'node:dns'

const address = (name) => (String(name).endsWith('.localhost') ? '127.0.0.1' : name)

for (const resolver of [dns, dns.promises]) {
  const { lookup } = resolver
  resolver.lookup = (name, ...rest) => lookup(address(name), ...rest)
}
