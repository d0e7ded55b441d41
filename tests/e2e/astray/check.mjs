// What a person does beside the straight way: goes back, reloads, opens an old link, has two tabs, no script, a phone. Each ends at a
// definite page, from where it is plain how to go on.

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { launch, picture, plain } from '../browser.mjs'
import { local } from '../local.mjs'
import { later } from './later.mjs'
import { HEADINGS, Person, STEPS } from './person.mjs'

const SHOTS = fileURLToPath(new URL('../.work/shots/astray/', import.meta.url))
const EXPIRED = 'This link has expired'
const USED = 'This link was already used'
const UNKNOWN = "We don't know this link"

const mooring = await local(process.argv[2])
const browser = await launch()
let people = 0

/** A link for a user of the app's whom nobody else is. */
function links(more) {
  const identity = `user-${(people += 1)}`
  const linked = async () =>
    (await mooring.api('POST', '/v1/connect/sessions', { identity, identityLabel: 'Ada Lovelace', connectors: ['acme'], ...more })).url
  const rows = async () => (await mooring.api('GET', `/v1/vault/connections?identity=${identity}`)).rows
  return { linked, rows }
}

async function context(settings) {
  const made = await browser.newContext({ viewport: { width: 1080, height: 860 }, locale: 'en-GB', ...settings })
  made.setDefaultTimeout(15_000)
  return made
}

async function person(settings) {
  const { linked, rows } = links()
  return Object.assign(new Person(await (await context(settings)).newPage(), linked), { rows })
}

/** The person once more, or another one, in a tab of their own at this address. */
async function tab(of, address) {
  const page = await of.newPage()
  await page.goto(address)
  return new Person(page)
}

const cases = {
  async 'a reload shows the same page'() {
    const ada = await person()
    for (const [index, step] of STEPS.entries()) {
      await ada.goTo(step, STEPS[index - 1])
      await ada.page.reload()
      await ada.sees(HEADINGS[step])
    }
    assert.equal((await ada.rows()).length, 1)
  },

  async 'back by one is the page before, or what became of it'() {
    const before = [
      ['login', HEADINGS.link],
      ['consent', HEADINGS.consent], // the person is logged in by now
      ['confirmation', 'This request is over'], // the provider's own word: it was decided
      ['outcome', HEADINGS.outcome], // it was confirmed
    ]
    for (const [step, heading] of before) {
      const ada = await (await person()).goTo(step)
      await ada.page.goBack()
      await ada.sees(heading)
      await ada.page.goForward()
      await ada.sees(HEADINGS[step])
    }
  },

  async 'from wherever back leads, the buttons lead to the end'() {
    const turns = [['login', 1], ['consent', 1], ['consent', 2], ['confirmation', 2], ['confirmation', 3], ['outcome', 3], ['outcome', 4]]
    for (const [step, pages] of turns) {
      const ada = await (await person()).goTo(step)
      for (let back = 0; back < pages; back += 1) await ada.page.goBack()
      await ada.finish()
      await ada.sees(HEADINGS.outcome)
      // who went back to the link's page after having connected has connected once more
      assert.equal((await ada.rows()).length, step === 'outcome' && pages === 4 ? 2 : 1, `${step}, back by ${pages}`)
    }
  },

  async 'a confirmation that the browser has kept whole is no second one'() {
    const { linked, rows } = links()
    const { context: own, close } = await plain() // playwright-core keeps no page
    own.setDefaultTimeout(15_000)
    const page = await own.newPage()
    await page.addInitScript(() => addEventListener('pageshow', ({ persisted }) => (document.documentElement.dataset.kept = persisted)))
    const ada = await new Person(page, linked).goTo('outcome')
    await page.evaluate(() => history.back())
    await page.waitForFunction(() => document.documentElement.dataset.kept === 'true')
    await ada.sees(HEADINGS.confirmation)
    await ada.finish()
    await ada.sees(HEADINGS.outcome)
    assert.equal((await rows()).length, 1)
    await close()
  },

  async 'an hour later a page says that it took too long'() {
    const late = [
      ['link', EXPIRED],
      ['login', EXPIRED],
      ['consent', EXPIRED],
      ['confirmation', 'This took too long'],
      ['outcome', HEADINGS.outcome],
    ]
    for (const [step, heading] of late) {
      const ada = await (await person()).goTo(step)
      await later(mooring)
      await ada.finish()
      await ada.sees(heading)
      await ada.page.reload()
      await ada.sees(heading)
      assert.equal((await ada.rows()).length, step === 'outcome' ? 1 : 0, step)
    }
    const ada = await person()
    const link = await ada.linked()
    await later(mooring)
    await ada.page.goto(link)
    await ada.sees(EXPIRED)
    await picture(ada.page, { path: `${SHOTS}expired.png` })
  },

  async 'an address that was used shows where it led, and to others nothing'() {
    const ada = await (await person()).goTo('confirmation')
    const [start, callback] = ['/connect/start/', '/oauth/callback'].map((part) => ada.address(part))
    const [own, other] = [ada.page.context(), await context()]
    const again = [
      [ada.link, HEADINGS.link, USED],
      [start, USED, USED],
      [callback, HEADINGS.confirmation, UNKNOWN],
      [ada.page.url(), HEADINGS.confirmation, UNKNOWN],
    ]
    for (const [address, toThem, toOthers] of again) {
      await (await tab(own, address)).sees(toThem)
      await (await tab(other, address)).sees(toOthers)
    }
    await ada.goTo('outcome', 'confirmation')
    for (const address of [callback, ada.address('/connect/confirm/'), ada.page.url()]) {
      await (await tab(own, address)).sees(HEADINGS.outcome)
      await (await tab(other, address)).sees(UNKNOWN)
    }
    assert.equal((await ada.rows()).length, 1)
  },

  async 'without a script all of it works'() {
    const ada = await (await person({ javaScriptEnabled: false })).goTo('outcome')
    assert.equal((await ada.rows()).length, 1)
    await picture(ada.page, { path: `${SHOTS}no-script.png` })
  },

  async 'on a phone, with a finger'() {
    const ada = await person({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true })
    await ada.goTo('confirmation')
    await picture(ada.page, { path: `${SHOTS}phone.png` })
    await ada.goTo('outcome', 'confirmation')
    assert.equal((await ada.rows()).length, 1)
  },

  async 'a renewal with the same account keeps the connection, with another one nothing changes'() {
    const ada = await (await person()).goTo('outcome')
    const [{ key }] = await ada.rows()
    const renewed = async (account) => {
      const page = await (await context()).newPage()
      await page.goto((await ada.linked()).replace('/connect/acme', '/connect/acme/edit'))
      const again = new Person(page, undefined, account)
      await again.finish()
      return again
    }
    await (await renewed('alice')).sees('Connected')
    await (await renewed('bob')).sees('That was another account')
    const rows = await ada.rows()
    assert.deepEqual(rows.map((row) => [row.key, row.name]), [[key, 'alice@acme.example']])
  },

  async 'two at once in two tabs of one browser'() {
    const { linked, rows } = links()
    const own = await context()
    const [one, two] = [new Person(await own.newPage(), linked), new Person(await own.newPage(), linked)]
    for (const step of ['link', 'login']) for (const tab of [one, two]) await tab.goTo(step, step === 'login' ? 'link' : undefined)
    await one.goTo('confirmation', 'login')
    // the person is logged in at the provider by now, and this tab is asked to consent
    await two.page.reload()
    await two.goTo('confirmation', 'consent')
    for (const tab of [one, two]) {
      await tab.page.bringToFront()
      await tab.goTo('outcome', 'confirmation')
    }
    assert.equal((await rows()).length, 2)
  },
}

mkdirSync(SHOTS, { recursive: true })
try {
  for (const [name, check] of Object.entries(cases)) {
    const started = Date.now()
    await check().catch((cause) => {
      throw new Error(name, { cause })
    })
    for (const used of browser.contexts()) await used.close()
    console.log(`ok: ${name}, ${((Date.now() - started) / 1000).toFixed(1)} s`)
  }
} finally {
  await browser.close()
  await mooring.close()
}
