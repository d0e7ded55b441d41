// A local server, a provider that takes keys, and the app's back end: what the pages need around them.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** Starts it all; what it answers has `close`. */
export async function world(binary) {
  const folder = await mkdtemp(join(tmpdir(), 'mooring-pages-'))
  const child = spawn(binary, { env: { ...process.env, PORT: '0', MOORING_DATA: folder }, stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  child.stdout.resume()
  const env = await environment(join(folder, 'demo.env'), child)
  const keyed = await provider()

  async function call(method, path, key, body) {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const answer = await fetch(env.BASE_URL + path, { method, headers, body: body && JSON.stringify(body) })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return JSON.parse(text)
  }

  const admin = (method, path, body) => call(method, `/v1/admin${path}`, env.ROOT_KEY, body)
  return {
    env,
    admin,
    keyed,
    api: (method, path, body) => call(method, path, env.SECRET_KEY, body),
    /** A project of its own, with a back end's key. */
    async project(settings) {
      const { id } = await admin('POST', '/projects', settings)
      const client = { name: 'Back end', roles: ['connect', 'use', 'read'], environment: 'test' }
      const { secret_key: key } = await admin('POST', `/projects/${id}/clients`, client)
      return { id, api: (method, path, body) => call(method, path, key, body) }
    },
    async close() {
      keyed.server.close()
      child.kill('SIGTERM')
      await once(child, 'exit')
      await rm(folder, { recursive: true })
    },
  }
}

async function environment(file, child) {
  for (let tries = 0; tries < 600; tries += 1) {
    if (child.exitCode !== null) throw new Error('the local server did not start')
    const text = await readFile(file, 'utf8').catch(() => '')
    if (text) return Object.fromEntries([...text.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]))
    await wait(50)
  }
  throw new Error('the local server did not start')
}

/** A customer's page that holds another in a frame, and hears what that says. */
const embedding = (url) => `<!doctype html><html lang="en"><title>Orbit</title>
<iframe title="Connect" src="${url.replaceAll('&', '&amp;')}" width="480" height="420"></iframe>
<script>heard = []; addEventListener('message', (event) => heard.push([event.origin, event.data]))</script></html>`

/** Knows one key, `good-key`; `small-key` is one without rights, and at `/down` it is down. It serves the customer's page too. */
async function provider() {
  const server = createServer((request, response) => {
    const embedded = new URL(request.url, 'http://x.example').searchParams.get('embedded')
    if (embedded) return response.writeHead(200, { 'content-type': 'text/html' }).end(embedding(embedded))
    const key = request.headers['x-api-key']
    const [status, body] = request.url.startsWith('/down') ? [503, {}]
      : key === 'good-key' ? [200, { id: 7, mail: 'ada@keyed.example' }]
      : key === 'small-key' ? [403, { error: 'insufficient_scope' }]
      : [401, { error: 'invalid_api_key' }]
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${server.address().port}`
  return { server, url }
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
    api: { base_url: `${url}/v1`, credential: { in: 'header', name: 'X-API-Key', prefix: '', value: 'api_key' } },
    profile: { url: `${url}/v1/me`, account_id: 'id', email: 'mail' },
    ...more,
  }
}
