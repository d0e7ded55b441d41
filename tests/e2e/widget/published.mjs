// The published widget, unchanged from npm, in a customer's page that points its `baseUrl` here.
//
//   node published.mjs <local server's binary>

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'

import { served } from '../local.mjs'
import { consent, play, popupOf } from './stage.mjs'

const WIDGET = await readFile(new URL('../.work/widget/node_modules/@withone/auth/dist/index.esm.js', import.meta.url), 'utf8')

/** What a customer writes. The options stand in the address, so that they are the same when the browser comes back. */
const page = (baseUrl) => `<!doctype html><html lang="en"><title>Customer</title><h1>Customer</h1><button id="open">Connect</button>
<script type="module">
  import { useOneAuth } from '/one-auth.js'
  globalThis.heard = []
  const hear = (what) => (value) => heard.push([what, value])
  const { open } = useOneAuth({
    baseUrl: ${JSON.stringify(baseUrl)},
    token: { url: new URL('/api/widget', location).href, headers: { 'x-user-id': 'alice' } },
    onSuccess: hear('success'), onError: hear('error'), onClose: hear('close'),
    ...JSON.parse(new URLSearchParams(location.search).get('options')),
  })
  document.getElementById('open').onclick = open
</script></html>`

/** How the back end's route was asked. */
const asked = []
/** The customer's site, under two names of which the project allows one. */
let site

/** Its page, the package, and the route of its back end, as the package's own documentation has it. */
async function answer(here, request, response) {
  const { pathname, search } = new URL(request.url, 'http://customer.example')
  const send = (type, body) => response.setHeader('content-type', type).end(body)
  if (pathname === '/') return send('text/html', page(`${here.env.BASE_URL}/connect/frame`))
  if (pathname === '/one-auth.js') return send('text/javascript', WIDGET)
  if (pathname !== '/api/widget') return response.writeHead(404).end()
  response.setHeader('access-control-allow-origin', '*')
  response.setHeader('access-control-allow-headers', 'Content-Type, Authorization, x-user-id')
  if (request.method === 'OPTIONS') return response.end()
  const { cookie, 'x-user-id': user } = request.headers
  asked.push({ method: request.method, search, cookie, user })
  if (user !== 'alice') return response.writeHead(401).end(JSON.stringify({ error: 'Unauthorized' }))
  return send('application/json', JSON.stringify(await here.api('POST', `/v1/authkit/token${search}`, { identity: user, identityType: 'user' })))
}

async function prepare(here) {
  site = await served((request, response) => answer(here, request, response))
  const path = `/projects/${here.env.PROJECT_ID}`
  const { allowed_origins: allowed } = await here.admin('GET', path)
  await here.admin('PATCH', path, { allowed_origins: [...allowed, site.url('customer')] })
}

/** Opens the widget on that page. */
async function open(page, options, name = 'customer') {
  asked.length = 0
  await page.goto(`${site.url(name)}/?options=${encodeURIComponent(JSON.stringify(options))}`)
  await page.click('#open')
  return page.frameLocator('#event-link')
}

const heading = (frame, text) => frame.getByRole('heading', { level: 1, name: text }).waitFor()

/** What the page's callbacks were called with, once one was. */
async function heard(page, what) {
  await page.waitForFunction((what) => globalThis.heard?.some(([name]) => name === what), what)
  return page.evaluate((what) => globalThis.heard.find(([name]) => name === what)[1], what)
}

/** The person's own word, where nothing else proves who began. */
async function confirm(page) {
  await page.waitForURL('**/connect/confirm/**')
  await page.waitForSelector('[data-sleeps]:not([aria-disabled])')
  await page.hover('h1')
  await page.click('button[value=confirm]')
}

const gone = (page) => page.waitForSelector('#event-link', { state: 'detached' })

const cases = {
  async 'the published widget connects by a window'(page) {
    const frame = await open(page, { authWindow: 'popup', selectedConnection: 'ACME', companyName: 'Customer Inc.', title: 'Connect it' })
    await heading(frame, 'Connect Acme to Customer Inc.')
    await frame.getByText('Connect it').waitFor()
    const popup = await popupOf(page, frame.getByRole('button', { name: 'Continue to Acme' }))
    await consent(popup, 'allow')
    await heading(frame, 'Connected')
    const connection = await heard(page, 'success')
    assert.equal(connection.platform, 'acme')
    assert.equal(connection.identity, 'alice')
    await frame.getByRole('button', { name: 'Done' }).click()
    await heard(page, 'close')
    await gone(page)
    assert.deepEqual(asked, [{ method: 'POST', search: '?page=1&limit=100', cookie: undefined, user: 'alice' }])
  },
  async 'the published widget whose person says no in the window'(page) {
    const frame = await open(page, { authWindow: 'popup', selectedConnection: 'Acme' })
    const popup = await popupOf(page, frame.getByRole('button', { name: 'Continue to Acme' }))
    await consent(popup, 'deny')
    await heading(frame, 'Not connected')
    assert.match(await heard(page, 'error'), /Access was denied/)
    await page.keyboard.press('Escape')
    await gone(page)
  },
  async 'the published widget leaves its page, and comes back'(page) {
    const frame = await open(page, { selectedConnection: 'Acme' })
    await frame.getByRole('button', { name: 'Continue to Acme' }).click()
    await consent(page, 'allow')
    await confirm(page)
    await page.waitForURL(`${site.url('customer')}/?**`)
    await heading(frame, 'Connected')
    const connection = await heard(page, 'success')
    assert.equal(connection.platform, 'acme')
    assert(!page.url().includes('one_auth_'), page.url())
    await frame.getByRole('button', { name: 'Done' }).click()
    await heard(page, 'close')
    await gone(page)
  },
  async 'the published widget leaves its page, and comes back with a no'(page) {
    const frame = await open(page, { selectedConnection: 'Acme' })
    await frame.getByRole('button', { name: 'Continue to Acme' }).click()
    await consent(page, 'deny')
    await page.waitForURL(`${site.url('customer')}/?**`)
    await heading(frame, 'Not connected')
    assert.match(await heard(page, 'error'), /Access was denied/)
    assert(!page.url().includes('one_auth_'), page.url())
    // who came back is heard no more when they leave once more, so the second time is in a window
    await frame.getByRole('button', { name: 'Try again' }).click()
    const popup = await popupOf(page, frame.getByRole('button', { name: 'Continue to Acme' }))
    await popup.click('button[value=allow]') // the person is signed in at the provider by now
    await heading(frame, 'Connected')
  },
  async 'the published widget asks for a part of the provider\'s address before it leaves its page'(page) {
    const frame = await open(page, { selectedConnection: 'Salesforce' })
    await page.context().route('https://test.salesforce.com/**', (route) => route.fulfill({ body: 'a provider' })) // there is none here
    const button = frame.getByRole('button', { name: 'Continue to Salesforce' })
    await button.click()
    await frame.getByLabel('Environment').selectOption('test.salesforce.com')
    await Promise.all([page.waitForRequest('https://test.salesforce.com/services/oauth2/authorize?**'), button.click()])
  },
  async 'the published widget takes a key'(page) {
    const frame = await open(page, { selectedConnection: 'Ledgerly', showNameInput: true, appTheme: 'dark' })
    await frame.getByLabel('Workspace').fill('side')
    await frame.getByLabel('API key', { exact: true }).fill('good-key')
    await frame.getByLabel('Name', { exact: true }).fill('Books')
    await frame.getByRole('button', { name: 'Connect', exact: true }).click()
    await heading(frame, 'Connected')
    const connection = await heard(page, 'success')
    assert.deepEqual([connection.platform, connection.name], ['ledgerly', 'Books'])
    assert.equal(await frame.locator('body').getAttribute('data-theme'), 'dark')
  },
  async 'the published widget shows the list for a connection of no such name'(page) {
    const frame = await open(page, { selectedConnection: 'Nobody' })
    await heading(frame, 'What would you like to connect to Orbit CRM?')
    assert((await frame.locator('.connectors h2').allTextContents()).includes('Ledgerly'))
  },
  async 'the published widget is closed by Escape, without a click into it'(page) {
    const frame = await open(page, {})
    await heading(frame, 'What would you like to connect to Orbit CRM?')
    await page.waitForFunction(() => document.activeElement.id === 'event-link')
    await page.keyboard.press('Escape')
    await heard(page, 'close')
    await gone(page)
  },
  async 'the published widget shows nothing to press until its page is known, and to a foreign page nothing at all'(page, context) {
    let answer
    const answered = new Promise((resolve) => (answer = resolve))
    await context.route('**/v1/connect/frame', async (route) => {
      await answered
      await route.continue()
    })
    const frame = await open(page, {}, 'foreign')
    await heading(frame, 'One moment')
    const pressed = () => frame.locator('button:visible, a:visible, input:visible, select:visible').evaluateAll((all) => all.map((element) => element.dataset.close))
    assert.deepEqual(await pressed(), [''])
    const [response] = await Promise.all([page.waitForResponse((response) => response.url().endsWith('/v1/connect/frame')), answer()])
    assert.equal(response.status(), 403)
    await frame.getByText('may not open this').waitFor()
    assert.deepEqual(await pressed(), ['', ''])
    assert.match(await heard(page, 'error'), /not of an allowed origin/)
    await frame.getByRole('button', { name: 'Close' }).first().click()
    await gone(page)
  },
  async 'what stands in the address alone opens nothing'(page, context, here) {
    const data = Buffer.from(JSON.stringify({ linkTokenEndpoint: `${site.url('customer')}/api/widget`, appTheme: 'dark' })).toString('base64')
    await page.goto(site.url('foreign'))
    for (const path of ['/connect/frame', '/']) {
      await page.setContent(`<iframe src="${here.env.BASE_URL}${path}?data=${encodeURIComponent(data)}"></iframe>`)
      const frame = page.frameLocator('iframe')
      await heading(frame, 'One moment')
      assert.equal(await frame.locator('body').getAttribute('data-theme'), 'dark')
      assert.equal(await frame.locator('button:visible').count(), 1)
    }
    await page.goto(`${here.env.BASE_URL}/connect/frame?data=${encodeURIComponent(data)}`)
    await page.getByText('This page is a part of an app.').waitFor()
    assert.equal(await page.locator('button:visible').count(), 0)
  },
  async 'the frame asks nothing of Mooring in the name of the page around it'(page, context, here) {
    const seen = []
    context.on('request', (request) => seen.push(new URL(request.url()).pathname))
    const frame = await open(page, { token: { url: `${here.env.BASE_URL}/v1/connect/attempts`, headers: { authorization: 'Bearer x' } } })
    await frame.getByText('no_session').waitFor()
    assert(!seen.some((path) => path.startsWith('/v1/')), seen.join())
  },
  async 'the published widget says it when the back end hands over no session'(page) {
    const frame = await open(page, { token: { url: `${site.url('customer')}/api/widget`, headers: {} } })
    await frame.getByText('The app did not hand over a session.').waitFor()
    await frame.getByText('no_session').waitFor()
    await heard(page, 'error')
  },
}

await play(process.argv[2], cases, prepare)
site.close()
