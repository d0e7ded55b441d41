// connect.js on the demo app's page, in Chromium. Each case is a person of its own.

const assert = require('node:assert/strict')
const { mkdirSync } = require('node:fs')
const { join } = require('node:path')
const { chromium } = require('playwright-core')

const APP = process.argv[2]
const PASSWORD = 'demo'
const SHOTS = join(__dirname, '..', '.work', 'shots', 'widget')

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

async function main() {
  mkdirSync(SHOTS, { recursive: true })
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking'],
  })
  for (const [name, check] of Object.entries(cases)) {
    const context = await browser.newContext()
    context.setDefaultTimeout(20_000)
    const page = await context.newPage()
    page.on('pageerror', (error) => console.log(`${name}: ${error.message}`))
    await page.goto(APP)
    await page.locator('form[action="/login"] button').first().click()
    await page.waitForSelector('.ways:not([hidden])')
    try {
      await check(page, context)
    } catch (error) {
      await page.screenshot({ path: join(SHOTS, 'failed.png') })
      throw new Error(name, { cause: error })
    }
    await page.screenshot({ path: join(SHOTS, `${name.replace(/\W+/g, '-')}.png`) })
    await context.close()
    console.log(`ok: ${name}`)
  }
  await browser.close()
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
