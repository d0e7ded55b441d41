// oidc-provider as a browser test has it: started, and what a person does on its own pages.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** oidc-provider, which knows Mooring as its client. `lines` grows by what it tells later. */
export async function provider(redirectUri, ...switches) {
  const script = fileURLToPath(new URL('server.mjs', import.meta.url))
  const command = [script, '--redirect-uri', redirectUri, '--host', 'oidc.localhost', ...switches]
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'ignore'] })
  process.once('exit', () => child.kill())
  const reader = createInterface(child.stdout)
  const [line] = await once(reader, 'line')
  const lines = []
  reader.on('line', (text) => lines.push(JSON.parse(text)))
  return { ...JSON.parse(line), lines, close: () => child.kill() }
}

/** Logs in and consents, on pages that are the provider's. */
export async function atProvider(page, issuer, login) {
  await page.waitForSelector('input[name=login]')
  assert.equal(new URL(page.url()).origin, issuer)
  await page.fill('input[name=login]', login)
  await page.fill('input[name=password]', 'any')
  await page.click('button[type=submit]')
  await page.waitForSelector('input[name=prompt][value=consent]', { state: 'attached' })
  await page.click('button[type=submit]')
}
