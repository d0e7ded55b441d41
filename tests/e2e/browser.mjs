// Chromium as people have it, by playwright-core, which lib.sh installs.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** Finds what lib.sh has installed. */
export const modules = createRequire(new URL('.work/browser/', import.meta.url))
const { chromium } = modules('playwright-core')
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/**
 * What playwright-core switches off, but for ThirdPartyStoragePartitioning: with that off, a site in another's frame has the storage
 * of its own windows or none, which is so in nobody's browser. Of two such switches Chromium takes the last.
 */
const OFF = [
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsUpgrades',
  'HttpsFirstBalancedModeAutoEnable',
  'LensOverlay',
  'MediaRouter',
  'PaintHolding',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'OptimizationHints',
  'NetworkTimeServiceQuerying',
  'AimEnabled',
  'PreconnectToSearch',
]

/** A browser whose contexts are people of their own. */
export function launch(off = OFF) {
  return chromium.launch({ executablePath, args: ['--no-sandbox', `--disable-features=${off}`] })
}

/** One without storage partitioning, to show that a check of it tells the two apart. */
export const launchUnpartitioned = () => launch([...OFF, 'ThirdPartyStoragePartitioning'])

/**
 * One that nobody but us has started, with the switches that it needs here and no others: one person, a new profile. While it is
 * still opening its first page it may miss who connects; then another is started.
 */
export async function plain(tries = 3) {
  const profile = await mkdtemp(join(tmpdir(), 'mooring-chromium-'))
  const switches = ['--headless=new', '--no-sandbox', '--no-first-run', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank']
  const child = spawn(executablePath, switches, { stdio: 'ignore' })
  process.once('exit', () => child.kill()) // also where the test has failed
  const port = await debuggingPort(join(profile, 'DevToolsActivePort'), child)
  const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { timeout: 10_000 }).catch((error) => error)
  if (browser instanceof Error) {
    child.kill()
    if (tries === 1) throw browser
    return plain(tries - 1)
  }
  return {
    browser,
    context: browser.contexts()[0],
    async close() {
      await browser.close()
      child.kill()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
    },
  }
}

async function debuggingPort(file, child) {
  for (let tries = 0; tries < 600 && child.exitCode === null; tries += 1) {
    const [port, path] = (await readFile(file, 'utf8').catch(() => '')).split('\n')
    if (path) return port
    await wait(50)
  }
  throw new Error('Chromium did not start')
}

/** Whether a site has a storage of its own in another's frame. Without partitioning it has there that of its windows, or none. */
export async function partitions(context) {
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>Empty</title>'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const at = (name) => `http://${name}.localhost:${server.address().port}/`
  const page = await context.newPage()
  try {
    await page.goto(at('mooring'))
    await page.evaluate(() => localStorage.setItem('stored', 'in a window'))
    await page.goto(at('app'))
    await page.setContent(`<iframe src="${at('mooring')}"></iframe>`)
    return (await storedIn(page.frames()[1])) === 'nothing'
  } finally {
    await page.close()
    server.closeAllConnections()
    server.close()
  }
}

/** What a frame finds under the name that the site has stored something by in a window. */
export function storedIn(frame) {
  return frame.evaluate(() => {
    try {
      return localStorage.getItem('stored') ?? 'nothing'
    } catch (error) {
      return error.name // it may store nothing
    }
  })
}

/** A picture. Chromium can't always take one at once ("Unable to capture screenshot"): it is tried again before that counts. */
export async function picture(page, options) {
  for (const wait of [200, 1000]) {
    try {
      return await page.screenshot(options)
    } catch {
      await page.waitForTimeout(wait)
    }
  }
  return page.screenshot(options)
}
