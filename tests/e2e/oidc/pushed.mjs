// oidc-provider that takes no request of a browser's own (RFC 9126), and devices (RFC 8628): a person connects by a link, and once
// more by a code that is shown on another device.

import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'

import { launch } from '../browser.mjs'
import { local } from '../local.mjs'
import { atProvider, provider } from './provider.mjs'

const mooring = await local(process.argv[2])
const project = await mooring.project({ name: 'Television', vouches_for_users: true })
const { redirect_uri: redirectUri } = await mooring.admin('GET', '/connectors/github')
const certified = await provider(redirectUri.replace('github', `certified-${project.id}`), '--pushed')
const { issuer, client_id, client_secret, lines } = certified

/** Puts the connector there, with or without the endpoint that takes requests in advance. */
async function define(oauth2) {
  await mooring.admin('PUT', `/projects/${project.id}/connectors/certified`, {
    name: 'Certified',
    oauth2: {
      authorization_endpoint: `${issuer}/auth`,
      token_endpoint: `${issuer}/token`,
      device_authorization_endpoint: `${issuer}/device/auth`,
      issuer,
      authorization_response_iss_parameter_supported: true,
      scopes: ['openid', 'email'],
      ...oauth2,
    },
    api: { base_url: issuer },
    profile: { url: `${issuer}/me`, account_id: 'sub', email: 'email' },
  })
}

const rows = async () => (await project.api('GET', '/v1/vault/connections')).rows
const person = async (browser) => {
  const context = await browser.newContext()
  context.setDefaultTimeout(20_000)
  // its pages ask another host for a font
  await context.route(({ hostname }) => !hostname.endsWith('.localhost'), (route) => route.abort())
  return context.newPage()
}

/** The provider's address as it is on this machine, where nothing stands in front of it. */
const plain = (address) => address.replace(/^https:/, 'http:')

/** From a link of ours to wherever the provider lets the browser go. */
async function byLink(page) {
  const { url } = await project.api('POST', '/v1/connect/sessions', { identity: 'ada', identityLabel: 'Ada', connectors: ['certified'] })
  const asked = []
  page.on('request', (request) => request.url().startsWith(`${issuer}/auth?`) && asked.push(new URL(request.url()).searchParams))
  await page.goto(url)
  await page.click('form[action*="/connect/certified"] button')
  await page.waitForURL((at) => at.href.startsWith(issuer) || at.pathname.includes('/connect/outcome/'))
  return asked
}

const steps = {
  async 'a request of the browser itself is refused'(page) {
    await define({})
    const asked = await byLink(page)
    assert.ok(asked[0].has('redirect_uri') && !asked[0].has('request_uri'))
    await page.waitForURL((at) => at.pathname.includes('/connect/outcome/'))
    assert.match(await page.textContent('main'), /invalid_request/)
    assert.deepEqual([lines, await rows()], [[], []])
  },
  async 'a pushed one is taken, and the browser carries its name alone'(page) {
    await define({ pushed_authorization_request_endpoint: `${issuer}/request` })
    const asked = await byLink(page)
    assert.deepEqual([...asked[0].keys()].sort(), ['client_id', 'request_uri'])
    const [{ pushed, params }] = lines.splice(0)
    assert.equal(pushed, client_id)
    for (const name of ['redirect_uri', 'state', 'scope', 'code_challenge', 'code_challenge_method']) assert.ok(params.includes(name), name)
    await atProvider(page, issuer, 'alice')
    await page.waitForSelector('[data-sleeps]:not([aria-disabled])')
    await page.hover('h1') // the button takes a click a moment after the pointer came in
    await page.click('[data-sleeps]')
    await page.waitForURL((at) => at.pathname.includes('/connect/outcome/'))
    assert.deepEqual((await rows()).map(({ name, identity }) => [name, identity]), [['alice@oidc.example', 'ada']])
    // the reference was used: whoever finds it later is sent back without a code
    const again = await page.request.get(`${issuer}/auth?${asked[0]}`, { maxRedirects: 0 })
    const back = new URL(again.headers().location, issuer).searchParams
    assert.deepEqual([back.get('error'), back.has('code')], ['invalid_request_uri', false], again.headers().location)
  },
  async 'a code that is typed on another device'(page) {
    const user = { userId: 'bob' }
    const begun = await project.api('POST', '/v1/connect/device', { connector: 'certified', ...user })
    assert.deepEqual(lines.splice(0), [{ device: client_id }])
    const collect = () => project.api('POST', `/v1/connect/device/${begun.attempt}`, user)
    const told = async (code) => assert.match(String(await collect().catch((error) => error)), new RegExp(`400 .*"${code}"`))
    const interval = (begun.interval + 1) * 1000
    await wait(interval)
    await told('authorization_pending')
    await told('slow_down') // asked again at once: our word, the provider does not hear of it

    await page.goto(plain(begun.verification_uri))
    await page.fill('input[name=user_code]', begun.user_code)
    await page.keyboard.press('Enter')
    await page.waitForSelector('text=Confirm Device')
    assert.ok((await page.textContent('code')).includes(begun.user_code))
    await page.click('button[autofocus]')
    await atProvider(page, issuer, 'bob')
    await page.waitForSelector('text=Sign-in Success')

    await wait(interval)
    const { connectionId } = await collect()
    const row = (await rows()).find(({ key }) => key === connectionId)
    assert.deepEqual([row.name, row.identity], ['bob@oidc.example', 'bob'])
    assert.equal((await collect()).connectionId, connectionId, 'who did not hear it hears it again')
  },
  async 'a person who says no on the other device'(page) {
    const user = { userId: 'carol' }
    const begun = await project.api('POST', '/v1/connect/device', { connector: 'certified', ...user })
    await page.goto(plain(begun.verification_uri_complete))
    await page.waitForSelector('text=Confirm Device')
    await page.click('button[name=abort]')
    await page.waitForLoadState()
    await wait((begun.interval + 1) * 1000)
    const collected = project.api('POST', `/v1/connect/device/${begun.attempt}`, user)
    await assert.rejects(collected, /400 .*"access_denied"/)
    assert.equal((await rows()).length, 2)
  },
}

const browser = await launch()
try {
  await define({})
  await mooring.admin('PUT', `/projects/${project.id}/environments/test/connectors/certified`, { client_id, client_secret })
  for (const [step, walk] of Object.entries(steps)) {
    const page = await person(browser)
    await walk(page)
    await page.context().close()
    console.log(`oidc-provider that wants requests pushed, ${step}: as it should be`)
  }
} finally {
  await browser.close()
  certified.close()
  await mooring.close()
}
