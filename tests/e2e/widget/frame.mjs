// connect.js with a frame over the demo app's page: each way in which it can end.
//
//   node frame.mjs <local server's binary>

import assert from 'node:assert/strict'

import { consent, play, popupOf } from './stage.mjs'

const frameOf = (page) => page.frameLocator('dialog iframe')

/** Opens the frame as the page's button does; with other options, as another page of the app might. What came of it is in `ended`. */
async function open(page, options) {
  if (!options) {
    await page.click('button[data-mode=frame]')
    return frameOf(page)
  }
  await page.evaluate(async (options) => {
    const { connect } = await import(`${document.querySelector('.ways').dataset.mooring}/connect.js`)
    globalThis.controller = new AbortController()
    const { signal } = globalThis.controller
    const ended = connect({ sessionUrl: '/api/connect-session', mode: 'frame', signal, ...options })
    ended.then((connection) => (globalThis.ended = { connection }), ({ code, message }) => (globalThis.ended = { code, message }))
  }, options)
  return frameOf(page)
}

async function ended(page) {
  await page.waitForFunction(() => globalThis.ended)
  return page.evaluate(() => globalThis.ended)
}

const heading = (frame, text) => frame.getByRole('heading', { level: 1, name: text }).waitFor()
const gone = (page) => page.waitForSelector('dialog', { state: 'detached' })

const trouble = async (page) => {
  await page.waitForSelector('#trouble:not([hidden])')
  return page.textContent('#trouble')
}

await play(process.argv[2], {
  async 'a frame connects, and says so until it is closed'(page) {
    const frame = await open(page)
    await heading(frame, 'Connect Acme to Orbit CRM')
    const popup = await popupOf(page, frame.getByRole('button', { name: 'Continue to Acme' }))
    await heading(frame, 'Go on at Acme')
    await consent(popup, 'allow')
    await heading(frame, 'Connected')
    assert(popup.isClosed())
    await frame.getByRole('button', { name: 'Done' }).click()
    await page.waitForURL(/status=connected/)
    await page.waitForSelector('li.connection')
  },
  async 'a frame whose person says no, and then yes'(page) {
    const frame = await open(page)
    const popup = await popupOf(page, frame.getByRole('button', { name: 'Continue to Acme' }))
    await consent(popup, 'deny')
    await heading(frame, 'Not connected')
    await frame.getByText('You did not agree').waitFor()
    const again = await popupOf(page, frame.getByRole('button', { name: 'Try again' }))
    await again.click('button[value=allow]') // the person is signed in at the provider by now
    await heading(frame, 'Connected')
    await frame.getByRole('button', { name: 'Close' }).click()
    await page.waitForURL(/status=connected/)
  },
  async 'a frame whose person says no, and leaves it at that'(page) {
    const frame = await open(page)
    const popup = await popupOf(page, frame.getByRole('button', { name: 'Continue to Acme' }))
    await consent(popup, 'deny')
    await heading(frame, 'Not connected')
    await frame.locator('.actions [data-close]').click()
    assert.match(await trouble(page), /Access was denied/)
  },
  async 'a frame whose window is closed'(page) {
    const frame = await open(page)
    const popup = await popupOf(page, frame.getByRole('button', { name: 'Continue to Acme' }))
    await popup.waitForSelector('#username')
    await popup.close()
    await page.bringToFront()
    await frame.getByText('The window was closed before anything was connected.').waitFor()
  },
  async 'a frame whose window the browser blocks'(page) {
    const frame = await open(page)
    await heading(frame, 'Connect Acme to Orbit CRM')
    await page.frames()[1].evaluate(() => (window.open = () => null))
    await frame.getByRole('button', { name: 'Continue to Acme' }).click()
    await frame.getByText('The browser blocked the window.').waitFor()
    await page.keyboard.press('Escape')
    assert.match(await trouble(page), /blocked the window/)
  },
  async 'a frame whose person opens the window once more, then gives up'(page) {
    const frame = await open(page)
    const first = await popupOf(page, frame.getByRole('button', { name: 'Continue to Acme' }))
    const second = await popupOf(page, frame.getByRole('button', { name: 'Open it again' }))
    await second.waitForSelector('#username')
    assert(first.isClosed())
    await Promise.all([second.waitForEvent('close'), frame.getByRole('button', { name: 'Cancel' }).click()])
    await heading(frame, 'Connect Acme to Orbit CRM')
    await page.keyboard.press('Escape')
    await gone(page)
  },
  async 'the list narrows, and leads to a key that is typed wrong, then right'(page) {
    const frame = await open(page, { showNameInput: true, title: 'Your accounts', companyName: 'Orbit' })
    await heading(frame, 'What would you like to connect to Orbit?')
    await frame.getByText('Your accounts').waitFor()
    await frame.getByRole('searchbox').fill('LEDG')
    assert.deepEqual(await frame.locator('.connectors > li:visible h2').allTextContents(), ['Ledgerly'])
    await frame.getByRole('button', { name: 'Connect Ledgerly' }).click()
    await heading(frame, 'Connect Ledgerly to Orbit')
    await frame.getByLabel('Workspace').fill('side')
    await frame.getByLabel('API key', { exact: true }).fill('bad-key')
    await frame.getByLabel('Name', { exact: true }).fill('Books')
    await frame.getByRole('button', { name: 'Connect', exact: true }).click()
    await frame.getByText('Ledgerly does not accept this.').waitFor()
    assert.equal(await frame.getByLabel('Workspace').inputValue(), 'side')
    assert.equal(await frame.getByLabel('API key', { exact: true }).inputValue(), '')
    assert.equal(await frame.getByLabel('Name', { exact: true }).inputValue(), 'Books')
    await frame.getByLabel('API key', { exact: true }).fill('good-key')
    await frame.getByRole('button', { name: 'Connect', exact: true }).click()
    await heading(frame, 'Connected')
    const { connection } = await ended(page)
    assert.equal(connection.platform, 'ledgerly')
    assert.equal(connection.name, 'Books')
    await frame.getByRole('button', { name: 'Done' }).click()
    await gone(page)
  },
  async 'a key that is being tried when somebody goes is told as it ended'(page, context) {
    const slowly = async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 1500))
      await route.continue()
    }
    for (const leave of [(frame) => frame.getByRole('button', { name: 'Back' }).click(), () => page.keyboard.press('Escape')]) {
      await page.evaluate(() => (globalThis.ended = undefined))
      const frame = await open(page, {})
      await frame.getByRole('button', { name: /Ledgerly/ }).click()
      await frame.getByLabel('Workspace').fill('side')
      await frame.getByLabel('API key', { exact: true }).fill('good-key')
      await context.route('**/v1/connect/attempts', slowly)
      await frame.getByRole('button', { name: 'Connect', exact: true }).click()
      await leave(frame)
      assert.equal((await ended(page)).connection?.platform, 'ledgerly')
      await context.unroute('**/v1/connect/attempts')
      if (await page.locator('dialog').count()) await frame.getByRole('button', { name: 'Done' }).click()
      await gone(page)
    }
  },
  async 'a window that asks for a key on its way, and is cancelled'(page) {
    await page.evaluate(async () => {
      const { connect } = await import(`${document.querySelector('.ways').dataset.mooring}/connect.js`)
      const button = Object.assign(document.createElement('button'), { id: 'key', textContent: 'Key' })
      button.onclick = () => connect({ sessionUrl: '/api/connect-session', connector: 'ledgerly' })
        .then((connection) => (globalThis.ended = { connection }), ({ code }) => (globalThis.ended = { code }))
      document.querySelector('main').prepend(button)
    })
    const cancelled = await popupOf(page, page.locator('#key'))
    await cancelled.getByRole('heading', { name: 'Connect Ledgerly' }).waitFor()
    await cancelled.getByLabel('Workspace').fill('side')
    await cancelled.getByRole('button', { name: 'Cancel' }).click().catch(() => {}) // it closes the window under the click; how it ended is asked below
    assert.equal((await ended(page)).code, 'closed')
    await page.evaluate(() => (globalThis.ended = undefined))

    const popup = await popupOf(page, page.locator('#key'))
    await popup.getByLabel('Workspace').fill('side')
    await popup.getByLabel('API key', { exact: true }).fill('bad-key')
    await popup.getByRole('button', { name: 'Continue' }).click()
    await popup.getByText('Ledgerly does not accept this.').waitFor()
    await popup.getByLabel('API key', { exact: true }).fill('good-key')
    await popup.getByRole('button', { name: 'Continue' }).click()
    assert.equal((await ended(page)).connection.platform, 'ledgerly')
  },
  async 'a window that asks for a part of the provider\'s address on its way'(page, context) {
    await context.route('https://test.salesforce.com/**', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><h1>The provider</h1>' }))
    const frame = await open(page, { connector: 'salesforce' })
    const popup = await popupOf(page, frame.getByRole('button', { name: 'Continue to Salesforce' }))
    await popup.getByRole('heading', { name: 'Connect Salesforce' }).waitFor()
    await popup.getByLabel('Environment').selectOption('test.salesforce.com')
    await popup.getByRole('button', { name: 'Continue' }).click()
    await popup.waitForURL('https://test.salesforce.com/services/oauth2/authorize?**')
    await Promise.all([popup.waitForEvent('close'), frame.getByRole('button', { name: 'Cancel' }).click()])
  },
  async 'a session that ended while somebody typed is renewed'(page, context) {
    const frame = await open(page, { connector: 'ledgerly' })
    await frame.getByLabel('Workspace').fill('side')
    await frame.getByLabel('API key', { exact: true }).fill('good-key')
    let refused = 0
    await context.route('**/v1/connect/attempts', (route) => {
      if (refused > 0) return route.continue()
      refused += 1
      return route.fulfill({ status: 401, json: { error: 'invalid_client', error_description: 'the session has expired' } })
    })
    const [renewed] = await Promise.all([
      page.waitForResponse('**/api/connect-session'),
      frame.getByRole('button', { name: 'Connect', exact: true }).click(),
    ])
    assert.equal(renewed.status(), 200)
    await heading(frame, 'Connected')
    assert.equal((await ended(page)).connection.platform, 'ledgerly')
  },
  async 'Escape closes, and so does an abort'(page) {
    const frame = await open(page, {})
    await heading(frame, 'What would you like to connect to Orbit CRM?')
    await page.keyboard.press('Escape')
    assert.equal((await ended(page)).code, 'closed')
    await gone(page)
    await page.evaluate(() => (globalThis.ended = undefined))
    await open(page, {})
    await page.evaluate(() => globalThis.controller.abort())
    assert.equal((await ended(page)).code, 'aborted')
    assert.equal(await page.locator('dialog').count(), 0)
  },
  async 'the keyboard stays inside'(page) {
    const frame = await open(page, { connector: 'acme' })
    await heading(frame, 'Connect Acme to Orbit CRM')
    const seen = []
    for (let press = 0; press < 4; press += 1) {
      await page.keyboard.press('Tab')
      seen.push(await frame.locator(':focus').evaluate((element) => element.getAttribute('aria-label') ?? element.textContent))
    }
    assert.deepEqual(seen, ['Continue to Acme', 'Close', 'Continue to Acme', 'Close'])
  },
  async 'what is no connector, and no origin of the project, leads to a sentence and no further'(page, context, here) {
    const frame = await open(page, { connector: 'nobody' })
    await frame.getByText('This connector is unknown').waitFor()
    await frame.locator('.actions [data-close]').click()
    assert.equal((await ended(page)).code, 'connector_not_found')

    const path = `/projects/${here.env.PROJECT_ID}`
    const { allowed_origins: allowed } = await here.admin('GET', path)
    await here.admin('PATCH', path, { allowed_origins: ['https://elsewhere.example'] })
    try {
      await page.evaluate(() => (globalThis.ended = undefined))
      const refused = await open(page, {})
      await refused.getByText('may not open this').waitFor()
      await refused.getByText('origin_not_allowed').waitFor()
      assert.equal(await refused.locator('button:visible').count(), 2) // both close it
      await page.keyboard.press('Escape')
      assert.equal((await ended(page)).code, 'origin_not_allowed')
    } finally {
      await here.admin('PATCH', path, { allowed_origins: allowed })
    }
  },
  async 'what can be read at the address stays without the session'(page, context) {
    const seen = []
    context.on('request', (request) => seen.push(request.url()))
    const [answer, frame] = await Promise.all([page.waitForResponse('**/api/connect-session'), open(page)])
    const { session } = await answer.json()
    const popup = await popupOf(page, frame.getByRole('button', { name: 'Continue to Acme' }))
    await consent(popup, 'allow')
    await heading(frame, 'Connected')
    assert(session.length > 20)
    assert(!seen.some((url) => url.includes(session)), 'a session stands in an address')
    const kept = await page.frames()[1].evaluate(() => JSON.stringify([localStorage, sessionStorage]))
    assert(!kept.includes(session), 'a session stands in the storage')
  },
})
