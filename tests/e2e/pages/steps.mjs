// The pages in the order of the flow. Each step opens what it looks at by the way that a person comes.

import { storedIn } from '../browser.mjs'
import { consentedConnector, keyedConnector, sitesConnector } from './world.mjs'

export async function links({ demo, context, look, session, assert }) {
  const preview = await (await context()).newPage()
  await preview.setExtraHTTPHeaders({ 'sec-purpose': 'prefetch' })
  const url = await session(demo, { connectors: ['acme'] })
  await preview.goto(url)
  await look(preview, 'continue')
  await preview.setExtraHTTPHeaders({})
  await preview.click('button')
  assert.match(preview.url(), /\/connect\/acme\?link=/)
  assert.equal(new URL(preview.url()).searchParams.get('token'), null)

  const second = await (await context()).newPage()
  await second.goto(url)
  await look(second, 'used')
}

export async function catalogue({ demo, context, look, session, assert }) {
  const page = await (await context()).newPage()
  await page.goto(await session(demo))
  await look(page, 'catalogue')
  const shown = () => page.locator('.connectors > li:visible h2').allTextContents()
  await page.fill('#q', 'GIT')
  assert.deepEqual(await shown(), ['GitHub'])
  await page.fill('#q', '')
  const chips = await page.locator('input[name=category][value=crm]').count() // of many categories a list is made
  if (chips) await page.check('input[name=category][value=crm]', { force: true })
  else await page.selectOption('select[name=category]', 'crm')
  assert.deepEqual(await shown(), ['HubSpot', 'Salesforce'])
  await page.fill('#q', 'nobody has this')
  await look(page, 'catalogue-nothing')
  await page.click('[data-empty] a')
  assert.ok((await shown()).length > 10, (await shown()).join())

  const german = await (await context('de-DE')).newPage()
  await german.goto(await session(demo))
  await look(german, 'catalogue')

  // without a script the form does the same
  const plain = await (await demoWithout(context)).newPage()
  await plain.goto(await session(demo))
  await plain.fill('#q', 'mail')
  await plain.click('button[type=submit]')
  const names = await plain.locator('.connectors > li:visible h2').allTextContents()
  assert.ok(names.includes('Gmail') && !names.includes('GitHub'), names.join())
}

async function demoWithout(context) {
  const base = await context()
  return base.browser().newContext({ javaScriptEnabled: false, locale: 'en-GB' })
}

export async function forms({ here, demo, context, look, session, assert }) {
  const consent = await (await context()).newPage()
  await consent.goto(await session(demo, { connectors: ['acme'] }))
  await look(consent, 'consent')

  const page = await (await context()).newPage()
  await page.goto(await session(demo, { connectors: ['ledgerly'] }))
  await look(page, 'key')
  await page.fill('[name=input_workspace]', 'NOT A WORKSPACE')
  await page.evaluate(() => { document.querySelector('form').noValidate = true })
  await page.click('form .actions button')
  await look(page, 'key-faults')
  assert.equal(await page.evaluate(() => document.activeElement.name), 'input_workspace')

  await page.fill('[name=input_workspace]', 'side')
  await page.fill('[name=input_api_key]', 'bad-key')
  const eye = page.locator('[data-reveals]')
  await eye.click()
  assert.equal(await page.getAttribute('[name=input_api_key]', 'type'), 'text')
  await look(page, 'key-shown')
  await page.click('form .actions button')
  await look(page, 'key-refused')
  assert.equal(await page.inputValue('[name=input_workspace]'), 'side')
  assert.equal(await page.inputValue('[name=input_api_key]'), '')
  assert.equal(await page.getAttribute('[name=input_api_key]', 'type'), 'password')
  await page.fill('[name=input_api_key]', 'good-key')
  await page.click('form .actions button')
  await page.waitForURL(/\/connect\/confirm\//)

  await here.admin('PUT', `/projects/${demo.id}/connectors/downtown`, keyedConnector(`${here.keyed.url}/down`, { name: 'Downtown' }))
  const down = await (await context()).newPage()
  await down.goto(await session(demo, { connectors: ['downtown'] }))
  await down.fill('[name=input_workspace]', 'side')
  await down.fill('[name=input_api_key]', 'good-key')
  await down.click('form .actions button')
  await look(down, 'key-down')

  const german = await (await context('de-DE')).newPage()
  await german.goto(await session(demo, { connectors: ['ledgerly'] }))
  await german.fill('[name=input_workspace]', 'side')
  await german.fill('[name=input_api_key]', 'bad-key')
  await german.click('form .actions button')
  await look(german, 'key-refused')
}

export async function confirmations({ demo, context, look, session, atAcme, assert }) {
  const home = await context()
  const page = await home.newPage()
  await page.goto(await session(demo, { connectors: ['acme'] }))
  await page.click('form .actions button')
  // looked at as soon as the page's script has run: it wakes within a second
  await page.addInitScript(() => {
    addEventListener('DOMContentLoaded', () => {
      const button = document.querySelector('[data-sleeps]')
      if (button) window.atFirst = String(button.getAttribute('aria-disabled'))
    })
  })
  await atAcme(page, 'alice', 'allow')
  const atFirst = await page.waitForFunction(() => window.atFirst)
  assert.equal(await atFirst.jsonValue(), 'true', 'asleep')
  await page.waitForSelector('[data-sleeps]:not([aria-disabled])')
  // behind another window it falls asleep again, and a click then changes nothing
  const asleep = await page.evaluate(() => {
    dispatchEvent(new Event('blur'))
    const button = document.querySelector('[data-sleeps]')
    button.click()
    return button.getAttribute('aria-disabled')
  })
  assert.equal(asleep, 'true')
  assert.match(page.url(), /\/connect\/confirm\//)
  await page.waitForSelector('[data-sleeps]:not([aria-disabled])')
  await look(page, 'confirm')

  // by the keyboard alone
  await page.reload()
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement.value), 'confirm')
  await page.waitForSelector('[data-sleeps]:not([aria-disabled])')
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/connect\/outcome\//)
  assert.equal(await page.textContent('h1'), 'Connected')
  await look(page, 'connected')

  const list = await home.newPage()
  await list.goto(await session(demo))
  await look(list, 'catalogue-connected')
  await list.click('text=Renew')
  await look(list, 'renew')

  // another account is refused, and the page says which was expected
  const other = await (await context()).newPage()
  await other.goto((await session(demo, { connectors: ['acme'] })).replace('/connect/acme', '/connect/acme/edit'))
  await other.click('form .actions button')
  await atAcme(other, 'bob', 'allow')
  await other.waitForURL(/\/connect\/outcome\//)
  await look(other, 'wrong-account')

  const cancelled = await (await context('de-DE')).newPage()
  await cancelled.goto(await session(demo, { connectors: ['acme'] }))
  await cancelled.click('form .actions button')
  await atAcme(cancelled, 'alice', 'allow')
  await look(cancelled, 'confirm')
  await cancelled.click('button[value=cancel]')
  await look(cancelled, 'cancelled')

  const denied = await (await context()).newPage()
  await denied.goto(await session(demo, { connectors: ['acme'] }))
  await denied.click('form .actions button')
  await atAcme(denied, 'alice', 'deny')
  await look(denied, 'denied')
}

/** What a provider can do to a consent. */
export async function outcomes({ here, context, look, session, assert }) {
  const project = await here.project({ name: 'Orbit CRM' })
  const after = async (id, url) => {
    await here.admin('PUT', `/projects/${project.id}/connectors/${id}`, consentedConnector(url))
    const client = { client_id: 'invented', client_secret: 'invented' }
    await here.admin('PUT', `/projects/${project.id}/environments/test/connectors/${id}`, client)
    const page = await (await context()).newPage()
    await page.goto(await session(project, { connectors: [id] }))
    await page.click('form .actions button')
    return page
  }
  const page = await after('partly', here.keyed.url)
  await page.waitForSelector('[data-sleeps]:not([aria-disabled])')
  await page.hover('h1') // the button takes a click a moment after the pointer came in
  await page.click('[data-sleeps]')
  await page.waitForURL(/\/connect\/outcome\//)
  assert.deepEqual(await page.locator('.notice code').allTextContents(), ['invoices:write', 'payments:write'])
  await look(page, 'connected-partly')

  const down = await after('downtown', `${here.keyed.url}/down`)
  await down.waitForURL(/\/connect\/outcome\//)
  await look(down, 'provider-down')
  // from there a person can try again
  await down.click('a.button')
  assert.match(down.url(), /\/connect\/downtown\?link=/)
}

/** An account that reaches several: beside the confirmation, and by itself where nothing has to be confirmed. */
export async function choosers({ here, demo, context, look, session, assert }) {
  for (const [id, path] of [['tracker', ''], ['tracker-many', '/many']]) {
    await here.admin('PUT', `/projects/${demo.id}/connectors/${id}`, sitesConnector(`${here.keyed.url}${path}`))
    await here.admin('PUT', `/projects/${demo.id}/environments/test/connectors/${id}`, { client_id: 'invented', client_secret: 'invented' })
  }
  for (const locale of ['en-GB', 'de-DE']) {
    const page = await (await context(locale)).newPage()
    await page.goto(await session(demo, { connectors: ['tracker'] }))
    await page.click('form .actions button')
    await page.waitForSelector('[data-sleeps]:not([aria-disabled])')
    await page.hover('h1') // the button takes a click a moment after the pointer came in
    await page.click('[data-sleeps]')
    assert.match(page.url(), /\/connect\/confirm\//, 'without a choice it does not go on')
    await page.evaluate(() => { document.querySelector('form').noValidate = true })
    await page.click('[data-sleeps]')
    await page.waitForSelector('.pick [role=alert]')
    await look(page, 'confirm-choice-fault')
    // by the keyboard alone
    await page.reload()
    await page.goto(page.url())
    await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    await page.keyboard.press('ArrowDown')
    assert.equal(await page.evaluate(() => document.activeElement.value), 's-1')
    await look(page, 'confirm-choice')
    await page.waitForSelector('[data-sleeps]:not([aria-disabled])')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/connect\/outcome\//)
  }

  // without a script
  const plain = await (await demoWithout(context)).newPage()
  await plain.goto(await session(demo, { connectors: ['tracker-many'] }))
  await plain.click('form .actions button')
  assert.equal(await plain.locator('.option').count(), 14)
  assert.equal(await plain.locator('[data-sift]').isVisible(), false)
  await plain.check('[value=s-9]')
  await plain.hover('h1')
  await plain.waitForTimeout(700)
  await plain.click('button[value=confirm]')
  await plain.waitForURL(/\/connect\/outcome\//)
  const rows = (await demo.api('GET', '/v1/vault/connections?limit=100')).rows
  assert.equal(rows.find(({ platform }) => platform === 'tracker-many').values.site, 's-9')

  for (const locale of ['en-GB', 'de-DE']) {
    for (const connector of ['tracker', 'tracker-many']) {
      const page = await (await context(locale)).newPage()
      await page.goto(here.env.APP_URL)
      await page.locator('form[action="/login"] button').first().click()
      await page.waitForSelector('.ways:not([hidden])')
      await page.evaluate((connector) => {
        const start = async () => {
          const { connect } = await import(`${document.querySelector('.ways').dataset.mooring}/connect.js`)
          connect({ sessionUrl: '/api/connect-session', connector }).then((made) => { globalThis.made = made }, (error) => { globalThis.made = error.code })
        }
        import(`${document.querySelector('.ways').dataset.mooring}/connect.js`)
        document.addEventListener('click', start, { once: true })
      }, connector)
      const [window] = await Promise.all([page.waitForEvent('popup'), page.click('h1')])
      await window.waitForSelector('.option')
      await look(window, `pick-${connector}`)
      if (connector === 'tracker-many') {
        await window.fill('#sift', 'team j')
        assert.deepEqual(await window.locator('.option:visible .name').allTextContents(), ['Team J'])
        await window.keyboard.press('Enter')
        await window.fill('#sift', 'nobody')
        await look(window, 'pick-nothing')
        await window.fill('#sift', 'team j')
      }
      await window.locator('.option:visible input').first().check()
      await window.hover('h1')
      await window.waitForTimeout(700)
      await Promise.all([window.waitForEvent('close'), window.click('button[value=confirm]')])
      await page.waitForFunction(() => globalThis.made)
      assert.equal(typeof (await page.evaluate(() => globalThis.made)), 'object')
    }
  }
  for (const { key, platform } of (await demo.api('GET', '/v1/vault/connections?limit=100')).rows) {
    if (platform.startsWith('tracker')) await demo.api('DELETE', `/v1/vault/connections/${key}`)
  }
}

/** A renewal with another account, where the project leaves that to the person. */
export async function exchanges({ here, demo, context, look, session, atAcme, assert }) {
  await here.admin('PATCH', `/projects/${demo.id}`, { reconnect_other_account: 'ask' })
  for (const locale of ['en-GB', 'de-DE']) {
    const page = await (await context(locale)).newPage()
    await page.goto((await session(demo, { connectors: ['acme'] })).replace('/connect/acme', '/connect/acme/edit'))
    await page.click('form .actions button')
    await atAcme(page, 'bob', 'allow')
    await page.waitForSelector('.exchange')
    await look(page, 'exchange')
    await page.click('button[value=cancel]')
    await page.waitForURL(/\/connect\/outcome\//)
  }
  await here.admin('PATCH', `/projects/${demo.id}`, { reconnect_other_account: 'deny' })
}

export async function failures({ here, context, look }) {
  const page = await (await context()).newPage()
  for (const [name, path] of [['unknown', '/connect?link=nobody'], ['nothing', '/connect/nobody/at/all']]) {
    await page.goto(here.env.BASE_URL + path, { waitUntil: 'load' })
    await look(page, name)
  }
}

/** A customer's page with our page in a frame: what it hears, and what the frame shows in the end. */
export async function frames({ here, demo, context, look, session, atAcme, assert }) {
  const home = await context()
  const page = await home.newPage()
  const { allowed_origins: allowed } = await here.admin('GET', `/projects/${demo.id}`)
  await here.admin('PATCH', `/projects/${demo.id}`, { allowed_origins: [...allowed, here.customer] })
  const framed = await session(demo, { connectors: ['acme'] })
  await page.goto(`${here.env.BASE_URL}/connect.js`)
  await page.evaluate(() => localStorage.setItem('stored', 'in a window'))
  await page.goto(`${here.customer}/?embedded=${encodeURIComponent(framed)}`)
  const frame = page.frameLocator('iframe')
  await frame.locator('a.button').waitFor()
  assert.equal(await storedIn(page.frames()[1]), 'nothing', 'a frame of ours is kept apart from our windows')
  await look(page, 'framed')
  const [popup] = await Promise.all([home.waitForEvent('page'), frame.locator('a.button').click()])
  await popup.waitForLoadState()
  await popup.click('form .actions button')
  await atAcme(popup, 'alice', 'allow')
  await popup.waitForSelector('[data-sleeps]:not([aria-disabled])')
  await popup.hover('h1') // the button takes a click a moment after the pointer came in
  await popup.click('[data-sleeps]')
  await popup.waitForURL(/\/connect\/outcome\//)
  await frame.locator('[data-when-done] h1').waitFor({ state: 'visible' })
  const heard = await page.evaluate(() => globalThis.heard)
  const mooring = new URL(here.env.BASE_URL).origin
  assert.deepEqual(heard.map(([from]) => from), [mooring, mooring])
  assert.deepEqual(Object.keys(heard[0][1]).sort(), ['attempt', 'status', 'type'])
  assert.equal(heard[0][1].status, 'connected')
  assert.equal(heard[1][1], 'vectorize-connect-complete')
  await look(popup, 'connected-popup')
  await Promise.all([popup.waitForEvent('close'), popup.click('[data-outcome] button')])
}

const LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 32"><circle cx="16" cy="16" r="13" fill="#ffd400"/><circle cx="16" cy="16" r="6" fill="#1b1b1b"/><text x="36" y="23" font-family="sans-serif" font-size="20" font-weight="700" fill="#1b1b1b">Sunny</text></svg>'

export async function brands({ here, context, look, session, assert }) {
  for (const [name, colour] of [['yellow', '#ffd400'], ['night', '#101a3c']]) {
    const brand = { colour, logo_url: 'https://cdn.sunny.example/logo.svg' }
    const project = await here.project({ name: 'Sunny', brand })
    await here.admin('PUT', `/projects/${project.id}/connectors/ledgerly`, keyedConnector(here.keyed.url))
    const home = await context()
    await home.route('https://cdn.sunny.example/logo.svg', (route) => route.fulfill({ contentType: 'image/svg+xml', body: LOGO }))
    const page = await home.newPage()
    await page.goto(await session(project))
    await look(page, `brand-${name}-catalogue`)
    await page.goto(await session(project, { connectors: ['ledgerly'] }))
    assert.ok(await page.evaluate(() => document.querySelector('.tile.logo img').naturalWidth > 0))
    await look(page, `brand-${name}-key`)
  }
  const empty = await here.project({ name: 'Bare' })
  const connectors = `/projects/${empty.id}/environments/test/connectors`
  for (const { id, decided_by: decided } of (await here.admin('GET', connectors)).rows) {
    if (decided !== 'none') await here.admin('PUT', `${connectors}/${id}`, { enabled: false }) // of the others none is shown
  }
  const page = await (await context()).newPage()
  await page.goto(await session(empty))
  await look(page, 'catalogue-empty')
}

/** The frame over the demo app's page, screen by screen. */
export async function overlay({ context, look, here, assert }) {
  for (const locale of ['en-GB', 'de-DE']) {
    const page = await (await context(locale)).newPage()
    await page.goto(here.env.APP_URL)
    await page.locator('form[action="/login"] button').first().click()
    await page.waitForSelector('.ways:not([hidden])')
    const open = async (options) => {
      await page.evaluate(async (options) => {
        globalThis.frame?.abort()
        globalThis.frame = new AbortController()
        const { connect } = await import(`${document.querySelector('.ways').dataset.mooring}/connect.js`)
        connect({ sessionUrl: '/api/connect-session', mode: 'frame', signal: globalThis.frame.signal, ...options }).catch(() => {})
      }, options)
      return page.frameLocator('dialog iframe')
    }
    const seen = (name) => look(page, `overlay-${name}`, page.frames()[1])

    const list = await open({})
    await list.locator('.connectors').waitFor()
    await seen('list')
    await list.getByRole('searchbox').fill('nobody has this')
    await seen('list-nothing')

    const one = await open({ connector: 'acme', showNameInput: true })
    const [popup] = await Promise.all([page.waitForEvent('popup'), one.locator('[type=submit]').click()])
    await seen('waiting')
    await popup.fill('#username', 'alice')
    await popup.fill('#password', 'demo')
    await popup.click('button.primary')
    await popup.click('button[value=deny]')
    await one.locator('.mark').waitFor()
    await seen('failed')
    const [again] = await Promise.all([page.waitForEvent('popup'), one.locator('[data-again]').click()])
    await again.click('button[value=allow]')
    await one.locator('.mark.good').waitFor()
    await seen('done')
    await (await open({})).locator('.connectors .state:visible').waitFor()
    await seen('list-connected')

    const key = await open({ connector: 'ledgerly', showNameInput: true })
    await key.locator('#input_workspace').fill('side')
    await key.locator('#input_api_key').fill('bad-key')
    await key.locator('[type=submit]').click()
    await key.locator('[data-fields] .problem').waitFor()
    assert.equal(await page.frames()[1].evaluate(() => document.activeElement.name), 'input_api_key')
    await seen('key-refused')
    await (await open({ connector: 'nobody' })).locator('.mark.bad').waitFor()
    await seen('stopped')

    await page.evaluate(async () => {
      globalThis.frame.abort()
      const { connect } = await import(`${document.querySelector('.ways').dataset.mooring}/connect.js`)
      const start = () => connect({ sessionUrl: '/api/connect-session', connector: 'ledgerly' }).catch(() => {})
      document.addEventListener('click', start, { once: true })
    })
    const [window] = await Promise.all([page.waitForEvent('popup'), page.click('h1')])
    await window.waitForSelector('#input_workspace')
    await look(window, 'start-asks')
  }
}
