// The local server under its three names, and the app's back end: what browser tests need around them.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

import './names.mjs'

/** Starts it on free ports; what it answers has `close`. */
export async function local(binary) {
  const folder = await mkdtemp(join(tmpdir(), 'mooring-e2e-'))
  const settings = { PORT: '0', APP_PORT: '0', PROVIDER_PORT: '0', LOOPBACK_NAMES: '1', MOORING_DATA: folder }
  const child = spawn(binary, { env: { ...process.env, ...settings }, stdio: ['ignore', 'pipe', 'inherit'] })
  child.stdout.resume()
  process.once('exit', () => child.kill()) // also where the test has failed
  const env = await environment(join(folder, 'demo.env'), child)
  const cloud = await environment(join(folder, 'lambda.env'), child)

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
    /** How to reach what plays AWS. */
    cloud,
    admin,
    api: (method, path, body) => call(method, path, env.SECRET_KEY, body),
    /** A project of its own, with a back end's key. */
    async project(settings) {
      const { id } = await admin('POST', '/projects', settings)
      const client = { name: 'Back end', roles: ['connect', 'use', 'read'], environment: 'test' }
      const { secret_key: key } = await admin('POST', `/projects/${id}/clients`, client)
      return { id, api: (method, path, body) => call(method, path, key, body) }
    },
    async close() {
      child.kill('SIGTERM')
      await once(child, 'exit')
      await rm(folder, { recursive: true })
    },
  }
}

/** A server of the test's own on any free port; `url(name)` is its address under that name. */
export async function served(answer) {
  const server = createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: (name) => `http://${name}.localhost:${server.address().port}`,
    close() {
      server.closeAllConnections()
      server.close()
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
