// A page with connect.js and a provider that is not ours: a person of a shop connects an account at oidc-provider, on its own pages
// for login and consent: in a window, in the same one and in a frame. Shop, Mooring and provider are three sites.

import assert from 'node:assert/strict'

import { launch } from '../browser.mjs'
import { local, served } from '../local.mjs'
import { atProvider, provider } from './provider.mjs'

const mooring = await local(process.argv[2])
const { BASE_URL: base } = mooring.env

/** All that a customer writes: one script tag and ten lines. */
const PAGE = `<!doctype html>
<html lang="en"><title>Shop</title>
<button id="popup">Connect</button>
<button id="redirect">Connect here</button>
<button id="frame">Connect over it</button>
<output></output>
<script type="module">
  import { connect, resume } from '${base}/connect.js'
  const output = document.querySelector('output')
  const options = {
    sessionUrl: '/session',
    onSuccess: ({ name, key }) => (output.value = 'connected ' + name + ' ' + key),
    onError: ({ code }) => (output.value = code),
  }
  onclick = ({ target: { id } }) => id && connect({ ...options, connector: 'certified', mode: id }).catch(() => {})
  resume(options).catch(() => {})
</script></html>`

let project
const shop = await served(async (request, response) => {
  if (request.url !== '/session') return response.setHeader('content-type', 'text/html').end(PAGE)
  const session = await project.api('POST', '/v1/connect/sessions', { identity: 'ada', identityLabel: 'Ada Lovelace' })
  response.setHeader('content-type', 'application/json').end(JSON.stringify(session))
})
const address = `${shop.url('shop')}/`

const definition = (issuer) => ({
  name: 'Certified',
  oauth2: {
    authorization_endpoint: `${issuer}/auth`,
    token_endpoint: `${issuer}/token`,
    issuer,
    authorization_response_iss_parameter_supported: true,
    scopes: ['openid', 'email'],
  },
  api: { base_url: issuer },
  profile: { url: `${issuer}/me`, account_id: 'sub', email: 'email' },
})

/** What the page says in the end, and what the API then answers of that connection. */
async function connected(page, email) {
  await page.waitForFunction(() => document.querySelector('output').value)
  const [said, name, key] = (await page.textContent('output')).split(' ')
  assert.deepEqual([said, name], ['connected', email])
  const rows = (await project.api('GET', '/v1/vault/connections?identity=ada')).rows
  assert.ok(rows.some((row) => row.key === key && row.platform === 'certified'), JSON.stringify(rows))
  assert.equal(page.url(), address)
}

const modes = {
  async popup(page) {
    const [popup] = await Promise.all([page.waitForEvent('popup'), page.click('#popup')])
    await atProvider(popup, certified.issuer, 'alice')
    await connected(page, 'alice@oidc.example')
    assert.ok(popup.isClosed())
  },
  async redirect(page) {
    await page.click('#redirect')
    await atProvider(page, certified.issuer, 'bob')
    await page.waitForURL((url) => url.href.startsWith(address))
    await connected(page, 'bob@oidc.example')
  },
  async frame(page) {
    await page.click('#frame')
    const frame = page.frameLocator('dialog iframe')
    const go = frame.getByRole('button', { name: 'Continue to Certified' })
    const [popup] = await Promise.all([page.waitForEvent('popup'), go.click()])
    await atProvider(popup, certified.issuer, 'carol')
    await connected(page, 'carol@oidc.example')
    await frame.getByRole('button', { name: 'Done' }).click()
    await page.waitForSelector('dialog', { state: 'detached' })
  },
  async 'popup, cancelled at the provider'(page) {
    const [popup] = await Promise.all([page.waitForEvent('popup'), page.click('#popup')])
    await popup.click('a[href$="/abort"]')
    await page.waitForFunction(() => document.querySelector('output').value)
    assert.equal(await page.textContent('output'), 'access_denied')
    assert.ok(popup.isClosed())
  },
}

project = await mooring.project({ name: 'Shop', allowed_origins: [shop.url('shop')] })
// each connector has a redirect URI of its own, and that of a project's own connector names the project
const { redirect_uri: redirectUri } = await mooring.admin('GET', '/connectors/github')
const certified = await provider(redirectUri.replace('github', `certified-${project.id}`))
const browser = await launch()
try {
  await mooring.admin('PUT', `/projects/${project.id}/connectors/certified`, definition(certified.issuer))
  const { client_id, client_secret } = certified
  await mooring.admin('PUT', `/projects/${project.id}/environments/test/connectors/certified`, { client_id, client_secret })
  for (const [mode, walk] of Object.entries(modes)) {
    const context = await browser.newContext()
    context.setDefaultTimeout(20_000)
    // its pages ask another host for a font
    await context.route(({ hostname }) => !hostname.endsWith('.localhost'), (route) => route.abort())
    const page = await context.newPage()
    await page.goto(address)
    await walk(page)
    await context.close()
    console.log(`connect.js with oidc-provider, ${mode}: as it should be`)
  }
} finally {
  await browser.close()
  certified.close()
  shop.close()
  await mooring.close()
}
