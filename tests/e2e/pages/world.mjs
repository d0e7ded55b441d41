// The local server, a provider that takes keys, and a customer's page: what the pages need around them.

import { local, served } from '../local.mjs'

/** Starts it all; what it answers has `close`. */
export async function world(binary) {
  const mooring = await local(binary)
  const beside = await served(answer)
  return {
    ...mooring,
    keyed: { url: beside.url('ledgerly') },
    customer: beside.url('customer'),
    async close() {
      beside.close()
      await mooring.close()
    },
  }
}

/** A customer's page that holds another in a frame, and hears what that says. */
const embedding = (url) => `<!doctype html><html lang="en"><title>Orbit</title><meta name="viewport" content="width=device-width">
<style>:root { color-scheme: light dark; font-family: sans-serif } iframe { width: 480px; max-width: 100%; height: 420px; border: 1px solid gray }</style>
<main><h1>Settings</h1><iframe title="Connect" src="${url.replaceAll('&', '&amp;')}"></iframe></main>
<script>heard = []; addEventListener('message', (event) => heard.push([event.origin, event.data]))</script></html>`

/**
 * Knows one key, `good-key`; `small-key` is one without rights, and at `/down` it is down. By OAuth it asks nobody, and grants
 * reading whatever it was asked for. It serves the customer's page too.
 */
function answer(request, response) {
  const { pathname, searchParams: query } = new URL(request.url, 'http://x.example')
  if (query.has('embedded')) return response.writeHead(200, { 'content-type': 'text/html' }).end(embedding(query.get('embedded')))
  if (pathname.endsWith('/authorize')) {
    const back = new URL(query.get('redirect_uri'))
    back.search = new URLSearchParams({ code: 'c', state: query.get('state') })
    return response.writeHead(302, { location: back.href }).end()
  }
  const key = request.headers['x-api-key']
  const [status, body] = pathname.startsWith('/down') ? [503, {}]
    : pathname.endsWith('/token') ? [200, { access_token: 'a', token_type: 'Bearer', scope: 'invoices:read' }]
    : pathname.endsWith('/sites') ? [200, sites(pathname.includes('/many/') ? 14 : 3)]
    : pathname.endsWith('/whose') ? [200, { id: 'u1', mail: 'ada@tracker.example' }]
    : key === 'good-key' ? [200, { id: 7, mail: 'ada@keyed.example' }]
    : key === 'small-key' ? [403, { error: 'insufficient_scope' }]
    : [401, { error: 'invalid_api_key' }]
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** What an account reaches: two are called alike, and one has a name as long as companies have. */
function sites(count) {
  const names = ['Orbit', 'Orbit Labs', 'Österreichische Donaudampfschifffahrtsgesellschaft', ...'ABCDEFGHIJK'.split('').map((letter) => `Team ${letter}`)]
  return names.slice(0, count).map((name, at) => ({ id: `s-${at}`, name, url: `https://${name.split(' ').at(-1).toLowerCase().replace('ö', 'oe')}.tracker.example` }))
}

/** A connector of a project's own whose accounts reach several sites. */
export function sitesConnector(url) {
  return {
    name: 'Tracker',
    categories: ['productivity'],
    oauth2: { authorization_endpoint: `${url}/authorize`, token_endpoint: `${url}/token`, scopes: ['invoices:read'] },
    lookups: [{ name: 'site', title: 'Site', url: `${url}/sites`, list: '.', path: 'id', label: 'name', also: { site_url: 'url' } }],
    api: { base_url: `${url}/v1` },
    profile: { url: `${url}/whose`, account_id: 'id', tenant: '{site}', email: 'mail' },
  }
}

/** A connector of a project's own that takes a key and a few names. */
export function keyedConnector(url, more = {}) {
  return {
    name: 'Ledgerly',
    categories: ['accounting'],
    docs_url: 'https://docs.ledgerly.example/keys',
    inputs: [
      { name: 'workspace', label: 'Workspace', help: 'The first part of your address: acme.ledgerly.example', pattern: '[a-z][a-z0-9-]{1,20}' },
      { name: 'region', label: 'Region', values: ['eu', 'us'], default: 'eu' },
      { name: 'api_key', label: 'API key', help: 'Settings, Developers, API keys.', secret: true, pattern: '[a-z-]{3,40}' },
    ],
    api: { base_url: `${url}/v1`, credential: { in: 'header', name: 'X-API-Key', value: '{api_key}' } },
    profile: { url: `${url}/v1/me`, account_id: 'id', email: 'mail' },
    ...more,
  }
}

/** A connector of a project's own that a person consents to. */
export function consentedConnector(url) {
  const scopes = ['invoices:read', 'invoices:write', 'payments:write']
  return {
    name: 'Ledgerly',
    categories: ['accounting'],
    oauth2: { authorization_endpoint: `${url}/authorize`, token_endpoint: `${url}/token`, scopes },
    api: { base_url: `${url}/v1` },
  }
}
