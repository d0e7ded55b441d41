// connect.js where something around it goes wrong: each end is told once, by its code, and nothing stays open.
//
//   node ends.mjs <local server's binary>

import assert from 'node:assert/strict'

import { consent, play } from './stage.mjs'

/**
 * Calls connect() as a page of the app's might, in a click. What came of it is in `ended`, what was told to the listeners in `told`.
 * `prepare` runs in the page beforehand; functions that connect() is to be given it leaves in `more`.
 */
async function connect(page, options = {}, prepare = () => {}) {
  await page.evaluate(async () => {
    globalThis.module = await import(`${document.querySelector('.ways').dataset.mooring}/connect.js`)
    globalThis.told = []
    globalThis.controller = new AbortController()
  })
  await page.evaluate(prepare)
  await page.evaluate((options) => {
    const listeners = { onSuccess: ({ platform }) => told.push(platform), onError: ({ code }) => told.push(code) }
    const usual = { connector: 'acme', sessionUrl: '/api/connect-session', signal: controller.signal, ...listeners }
    const button = Object.assign(document.createElement('button'), { id: 'own', textContent: 'own' })
    button.onclick = () => {
      const ended = module.connect({ ...usual, ...options, ...globalThis.more })
      ended.then(({ platform }) => (globalThis.ended = { platform }), ({ code, message }) => (globalThis.ended = { code, message }))
    }
    document.body.append(button)
  }, options)
}

const press = (page) => page.click('#own')

async function popup(page) {
  const [opened] = await Promise.all([page.waitForEvent('popup'), press(page)])
  return opened
}

async function ended(page) {
  await page.waitForFunction(() => globalThis.ended, undefined, { timeout: 25_000 })
  return page.evaluate(() => globalThis.ended)
}

const isClosed = async (opened) => opened.isClosed() || (await opened.waitForEvent('close'))

const told = (page) => page.evaluate(() => globalThis.told)

await play(process.argv[2], {
  async "a listener's own exception is reported, and the account is connected all the same"(page) {
    await connect(page, {}, () => {
      globalThis.reportError = ({ message }) => told.push(`reported ${message}`)
      globalThis.more = { onSuccess: () => { throw new Error('of the page') } }
    })
    await consent(await popup(page), 'allow')
    assert.deepEqual(await ended(page), { platform: 'acme' })
    assert.deepEqual(await told(page), ['reported of the page'])
  },
  async 'a look that comes too often is taken again'(page, context) {
    let looks = 0
    await context.route('**/v1/connect/attempts/*', (route) => (looks++ === 0 ? route.fulfill({ status: 429, body: '{}' }) : route.fallback()))
    await connect(page)
    await consent(await popup(page), 'allow')
    assert.deepEqual(await ended(page), { platform: 'acme' })
    assert(looks > 1)
    assert.deepEqual(await told(page), ['acme'])
  },
  async 'an abort while the session is on its way closes the window'(page, context) {
    await context.route('**/api/connect-session', () => {})
    await connect(page)
    const opened = await popup(page)
    await page.evaluate(() => controller.abort())
    assert.equal((await ended(page)).code, 'aborted')
    assert.deepEqual(await told(page), ['aborted'])
    await isClosed(opened)
  },
  async 'an abort while nothing answers is heard'(page, context) {
    await context.route('**/v1/connect/attempts/*', () => {})
    await connect(page)
    const opened = await popup(page)
    await opened.waitForSelector('#username')
    await page.evaluate(() => controller.abort())
    assert.equal((await ended(page)).code, 'aborted')
    await isClosed(opened)
  },
  async 'what was given up beforehand opens nothing'(page, context) {
    await connect(page, {}, () => controller.abort())
    await press(page)
    assert.equal((await ended(page)).code, 'aborted')
    assert.equal(context.pages().length, 1)
  },
  async 'an option that lacks is named, and nothing opens'(page, context) {
    for (const mode of ['popup', 'redirect']) {
      await connect(page, { connector: '', mode })
      await press(page)
      assert.equal((await ended(page)).code, 'invalid_options')
      await page.reload()
      await page.waitForSelector('.ways:not([hidden])')
    }
    await connect(page, { sessionUrl: '' })
    await popup(page)
    assert.equal((await ended(page)).code, 'invalid_options')
    assert.equal(context.pages().length, 1)
  },
  async "an error of the page's own server is told in a word"(page, context) {
    await context.route('**/api/connect-session', (route) => route.fulfill({ status: 500, json: { error: { message: 'of the page' } } }))
    await connect(page)
    await popup(page)
    assert.equal((await ended(page)).code, 'no_session')
    assert.deepEqual(await told(page), ['no_session'])
  },
  async 'a window that is closed before the session came'(page, context) {
    await context.route('**/api/connect-session', () => {})
    await connect(page)
    const opened = await popup(page)
    await opened.close()
    assert.equal((await ended(page)).code, 'closed')
  },
  async 'a session that nobody knows has a code of its own'(page) {
    await connect(page, { session: 'nobody-knows-it' })
    const opened = await popup(page)
    assert.equal((await ended(page)).code, 'session_expired')
    await isClosed(opened)
  },
  async 'a frame that never comes gives the page back'(page, context) {
    await context.route('**/connect/frame', () => {})
    await connect(page, { mode: 'frame' })
    await press(page)
    await page.keyboard.press('Escape')
    assert.equal((await ended(page)).code, 'closed')
    assert.equal(await page.locator('dialog').count(), 0)

    await page.evaluate(() => (globalThis.ended = undefined))
    await press(page)
    assert.equal((await ended(page)).code, 'unreachable')
    assert.equal(await page.locator('dialog').count(), 0)
  },
  async 'a page of no origin is told that it may not'(page) {
    const start = await page.evaluate(() => `${document.querySelector('.ways').dataset.mooring}/connect/start?connector=acme`)
    const script = `
      let opened
      document.querySelector('button').onclick = () => (opened = open(${JSON.stringify(start)}))
      addEventListener('message', ({ data }) => {
        if (data.type === 'mooring:ready') opened.postMessage({ type: 'mooring:session', session: 'x' }, '*')
        else document.querySelector('button').textContent = data.error
      })`
    await page.goto(`data:text/html,${encodeURIComponent(`<button>open</button><script>${script}</script>`)}`)
    const [opened] = await Promise.all([page.waitForEvent('popup'), page.click('button')])
    await opened.waitForSelector('#failed:not([hidden])')
    await page.getByText('invalid_client').waitFor()
  },
})
