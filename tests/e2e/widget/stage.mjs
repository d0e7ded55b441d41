// A local server, a provider that takes keys, and a browser with a person logged in to the demo app: what each case begins with.

import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { launch, picture } from '../browser.mjs'
import { keyedConnector, world } from '../pages/world.mjs'

const SHOTS = fileURLToPath(new URL('../.work/shots/widget/', import.meta.url))

/** Runs every case as a person of its own, after what is to be there before. */
export async function play(binary, cases, prepare) {
  mkdirSync(SHOTS, { recursive: true })
  const here = await world(binary)
  const browser = await launch()
  try {
    await here.admin('PUT', `/projects/${here.env.PROJECT_ID}/connectors/ledgerly`, keyedConnector(here.keyed.url))
    await here.admin('PUT', '/connectors/salesforce', { client_id: 'invented', client_secret: 'invented' })
    await prepare?.(here)
    for (const [name, check] of Object.entries(cases)) await one(browser, here, name, check)
  } finally {
    await browser.close()
    await here.close()
  }
}

async function one(browser, here, name, check) {
  const context = await browser.newContext({ locale: 'en-GB' })
  context.setDefaultTimeout(20_000)
  const page = await context.newPage()
  const thrown = []
  page.on('pageerror', (error) => thrown.push(error.message))
  await page.goto(here.env.APP_URL)
  await page.locator('form[action="/login"] button').first().click()
  await page.waitForSelector('.ways:not([hidden])')
  try {
    await check(page, context, here)
    if (thrown.length > 0) throw new Error(thrown.join('\n'))
  } catch (error) {
    await picture(page, { path: `${SHOTS}failed.png` })
    throw new Error(name, { cause: error })
  }
  await picture(page, { path: `${SHOTS}${name.replace(/\W+/g, '-')}.png` })
  await context.close()
  console.log(`ok: ${name}`)
}

/** What a person does at the demo provider. */
export async function consent(page, decision) {
  await page.fill('#username', 'alice')
  await page.fill('#password', 'demo')
  await page.click('button.primary')
  await page.click(`button[value=${decision}]`)
}

/** The window that a click opens. */
export async function popupOf(page, button) {
  const [popup] = await Promise.all([page.waitForEvent('popup'), button.click()])
  return popup
}
