// Opens every page as a person does, in light, dark, on a phone, from right to left and in German.
//
//   node check.mjs <local server's binary> <folder for pictures> [<step>…]

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { launch, modules, picture } from '../browser.mjs'
import { keyedConnector, world } from './world.mjs'

const [binary, shots, ...only] = process.argv.slice(2)
const axe = await readFile(modules.resolve('axe-core/axe.min.js'), 'utf8')

const DESK = { width: 1080, height: 860 }
const LOOKS = [
  ['light', { colorScheme: 'light', viewport: DESK }],
  ['dark', { colorScheme: 'dark', viewport: DESK }],
  ['phone', { colorScheme: 'light', viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 }],
  ['rtl', { colorScheme: 'light', viewport: DESK }, 'rtl'],
  ['german', { colorScheme: 'light', viewport: { width: 320, height: 740 }, deviceScaleFactor: 2 }, undefined, 'de'],
]

const faults = []
let seen = 0

/** Looks at a page as it stands, or at what stands in a frame of it: a picture of it in every look, and what axe finds. */
async function look(page, name, inside = page.mainFrame()) {
  await page.emulateMedia({ reducedMotion: 'reduce' })
  const language = await inside.getAttribute('html', 'lang')
  for (const [look, { colorScheme, viewport }, direction, only] of LOOKS) {
    if ((only ?? 'en') !== language) continue
    await page.setViewportSize(viewport)
    await page.emulateMedia({ colorScheme })
    await inside.evaluate((dir) => { document.documentElement.dir = dir }, direction ?? 'ltr')
    await picture(page, { path: join(shots, `${name}.${look}.png`), fullPage: true })
    const overflow = await inside.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)
    if (overflow) faults.push(`${name} ${look}: wider than the window`)
    // axe is put in by the debugger's own way, since the page's policy lets no script in but ours
    const { violations } = await evaluateAxe(inside)
    for (const { id, nodes } of violations) {
      faults.push(`${name} ${look}: ${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join(' | ')}`)
    }
    seen += 1
  }
  await inside.evaluate(() => { document.documentElement.dir = 'ltr' })
  await page.setViewportSize(DESK)
  await page.emulateMedia({ colorScheme: 'light' })
}

async function evaluateAxe(frame) {
  await frame.evaluate(axe)
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
  return frame.evaluate((values) => globalThis.axe.run(document, { runOnly: { type: 'tag', values } }), tags)
}

async function session(project, body) {
  return (await project.api('POST', '/v1/connect/sessions', { identity: 'ada', identityLabel: 'Ada Lovelace', ...body })).url
}

/** Logs in at the demo provider, where nobody is yet, and decides. */
async function atAcme(page, user, decision) {
  if (await page.locator('input[name=username]').count()) {
    await page.fill('input[name=username]', user)
    await page.fill('input[name=password]', 'demo')
    await page.press('input[name=password]', 'Enter')
    await page.waitForSelector('button[value=allow]')
  }
  await page.click(`button[value=${decision}]`)
}

const here = await world(binary)
const browser = await launch()
const context = (locale = 'en-GB') => browser.newContext({ viewport: DESK, locale })
try {
  const demo = { id: here.env.PROJECT_ID, api: here.api }
  await here.admin('PUT', `/projects/${demo.id}/connectors/ledgerly`, keyedConnector(here.keyed.url))
  for (const id of ['github', 'gmail', 'google-drive', 'hubspot', 'jira', 'notion', 'outlook', 'salesforce', 'slack', 'dropbox']) {
    await here.admin('PUT', `/connectors/${id}`, { client_id: 'invented', client_secret: 'invented' })
  }
  const steps = await import('./steps.mjs')
  for (const [name, step] of Object.entries(steps)) {
    if (only.length > 0 && !only.includes(name)) continue
    const started = Date.now()
    await step({ here, demo, context, look, session, atAcme, assert })
    console.log(`  ${name}: ${((Date.now() - started) / 1000).toFixed(1)} s`)
  }
} finally {
  await browser.close()
  await here.close()
}
assert.deepEqual(faults, [], faults.join('\n'))
console.log(`${seen} looks at pages, nothing found by axe; pictures in ${shots}`)
