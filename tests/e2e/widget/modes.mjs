// connect.js on the demo app's page, in Chromium. Each case is a person of its own.

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { launch, launchUnpartitioned, partitions, picture, plain } from '../browser.mjs'
import { local } from '../local.mjs'

const PASSWORD = 'demo'
const SHOTS = fileURLToPath(new URL('../.work/shots/widget/', import.meta.url))

const mooring = await local(process.argv[2])
const APP = mooring.env.APP_URL

const cases = {
  async 'a window connects, and is closed'(page) {
    const popup = await inWindow(page)
    await consent(popup, 'allow')
    await connected(page)
    assert(popup.isClosed())
  },
  async 'a window whose person says no'(page) {
    const popup = await inWindow(page)
    await consent(popup, 'deny')
    assert.match(await trouble(page), /Access was denied/)
    assert(popup.isClosed())
  },
  async 'a window that is closed'(page) {
    const popup = await inWindow(page)
    await popup.waitForSelector('#username')
    await popup.close()
    await page.bringToFront()
    assert.match(await trouble(page), /window was closed/)
  },
  async 'a window that the browser blocks'(page) {
    await page.evaluate(() => (window.open = () => null))
    await page.click('button[data-mode=popup]')
    assert.match(await trouble(page), /blocked the window/)
  },
  async 'a provider that severs the window (Cross-Origin-Opener-Policy)'(page, context) {
    await context.route('**/oauth/authorize**', async (route) => {
      const response = await route.fetch()
      await route.fulfill({ response, headers: { ...response.headers(), 'cross-origin-opener-policy': 'same-origin' } })
    })
    const popup = await inWindow(page)
    await consent(popup, 'allow')
    await connected(page)
    await popup.waitForSelector('h1')
    assert.equal(await popup.textContent('h1'), 'Connected')
  },
  async 'a cookie for a secure host, without TLS on this machine'(page, context) {
    const popup = await inWindow(page)
    await popup.waitForSelector('#username')
    const { hostname } = new URL(mooring.env.BASE_URL)
    const kept = (await context.cookies()).filter(({ domain }) => domain === hostname)
    assert(kept.length > 0 && kept.every(({ name, secure }) => name.startsWith('__Host-') && secure), JSON.stringify(kept))
    await popup.close()
  },
  async 'a window that is reloaded on its way'(page) {
    const popup = await inWindow(page)
    await popup.waitForSelector('#username')
    await popup.reload()
    await consent(popup, 'allow')
    await connected(page)
  },
  async 'the same window connects, and comes back'(page) {
    await page.click('button[data-mode=redirect]')
    await consent(page, 'allow')
    await connected(page)
    assert(!page.url().includes('mooring_attempt'))
  },
  async 'the same window comes back from a person who says no'(page) {
    await page.click('button[data-mode=redirect]')
    await consent(page, 'deny')
    assert.match(await trouble(page), /Access was denied/)
    assert(!page.url().includes('mooring_attempt'))
  },
  async 'the same window goes back from the provider, and leaves once more'(page) {
    await page.click('button[data-mode=redirect]')
    await page.waitForSelector('#username')
    await page.goBack()
    await page.waitForSelector('.ways:not([hidden])')
    await page.click('button[data-mode=redirect]')
    await consent(page, 'allow')
    await connected(page)
    await page.goBack() // to the provider's page, which has been answered
    await page.goForward()
    await connected(page)
  },
  async 'two windows of two tabs'(page, context) {
    const before = await page.locator('li.connection').count()
    const other = await context.newPage()
    await other.goto(APP)
    await other.waitForSelector('.ways:not([hidden])')
    const [one, two] = [await inWindow(page), await inWindow(other)]
    await consent(one, 'allow')
    await connected(page)
    await two.reload() // the person is signed in at the provider by now
    await two.click('button[value=allow]')
    await connected(other)
    assert.equal(await other.locator('li.connection').count(), before + 2)
  },
  async 'what can be read at the address stays without the session'(page, context) {
    const seen = []
    context.on('request', (request) => seen.push(request.url()))
    const [answer, popup] = await Promise.all([page.waitForResponse('**/api/connect-session'), inWindow(page)])
    const { session } = await answer.json()
    await consent(popup, 'allow')
    await connected(page)
    assert(session.length > 20)
    assert(!seen.some((url) => url.includes(session)), 'a session stands in an address')
    const kept = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage]))
    assert(!kept.includes(session), 'a session stands in the storage')
  },
}

/** The window that a click opens. */
async function inWindow(page) {
  const [popup] = await Promise.all([page.waitForEvent('popup'), page.click('button[data-mode=popup]')])
  return popup
}

/** What a person does at the provider. */
async function consent(page, decision) {
  await page.fill('#username', 'alice')
  await page.fill('#password', PASSWORD)
  await page.click('button.primary')
  await page.click(`button[value=${decision}]`)
}

async function connected(page) {
  await page.waitForURL(/status=connected/)
  await page.waitForSelector('li.connection')
}

async function trouble(page) {
  await page.waitForSelector('#trouble:not([hidden])')
  return page.textContent('#trouble')
}

/** As a person who has just logged in at the app. */
async function played(name, context) {
  context.setDefaultTimeout(20_000)
  const page = await context.newPage()
  page.on('pageerror', (error) => console.log(`${name}: ${error.message}`))
  await page.goto(APP)
  await page.locator('form[action="/login"] button').first().click()
  await page.waitForSelector('.ways:not([hidden])')
  try {
    await cases[name](page, context)
  } catch (error) {
    await picture(page, { path: `${SHOTS}failed.png` })
    throw new Error(name, { cause: error })
  }
  await picture(page, { path: `${SHOTS}${name.replace(/\W+/g, '-')}.png` })
  console.log(`ok: ${name}`)
}

async function asPeopleHaveIt() {
  const browser = await launch()
  assert(await partitions(await browser.newContext()), 'this browser keeps one storage for a site wherever it stands')
  for (const name of Object.keys(cases)) {
    const context = await browser.newContext()
    await played(name, context)
    await context.close()
  }
  await browser.close()
}

async function theCheckOfPartitioningTellsThemApart() {
  const browser = await launchUnpartitioned()
  assert.equal(await partitions(await browser.newContext()), false)
  await browser.close()
}

async function inABrowserWithoutOneSwitchOfPlaywrights() {
  const { context, close } = await plain()
  assert(await partitions(context))
  await played('a window connects, and is closed', context)
  await close()
}

mkdirSync(SHOTS, { recursive: true })
try {
  for (const run of [theCheckOfPartitioningTellsThemApart, asPeopleHaveIt, inABrowserWithoutOneSwitchOfPlaywrights]) {
    await run()
    console.log(`ok: ${run.name}`)
  }
  await mooring.close()
} catch (error) {
  console.error(error)
  process.exit(1)
}
