// A person on the way to a connection, by a link.

import assert from 'node:assert/strict'

/** What the person does to get to each page, in order. */
const steps = {
  async link(person) {
    person.link = await person.linked()
    await person.page.goto(person.link)
  },
  async login({ page }) {
    await page.click('form .actions button')
    await page.waitForSelector('#username')
  },
  async consent({ page, account }) {
    await page.fill('#username', account)
    await page.fill('#password', 'demo')
    await page.click('button.primary')
    await page.waitForSelector('button[value=allow]')
  },
  async confirmation({ page }) {
    await page.click('button[value=allow]')
    await page.waitForURL(/\/connect\/confirm\//)
  },
  async outcome({ page }) {
    await confirm(page)
  },
}

export const STEPS = Object.keys(steps)

/** What heads each of these pages. */
export const HEADINGS = {
  link: 'Connect Acme to Orbit CRM',
  login: 'Sign in',
  consent: 'Allow Orbit CRM to use your Acme account?',
  confirmation: 'Connect this account to Orbit CRM?',
  outcome: 'Connected',
}

/** The button that counts takes a click a moment after the pointer came in, or the finger. */
async function confirm(page) {
  const sleeping = page.locator('[data-sleeps][aria-disabled]')
  const button = page.locator('button[value=confirm]')
  await sleeping.waitFor({ state: 'detached' })
  if (await page.evaluate(() => navigator.maxTouchPoints > 0)) {
    await button.tap()
  } else {
    await page.hover('h1')
    await button.click()
  }
  await page.waitForURL(/\/connect\/outcome\//)
}

export class Person {
  /** `linked` makes a link; `account` is who they are at the provider. */
  constructor(page, linked, account = 'alice') {
    Object.assign(this, { page, linked, account, visited: [] })
    page.on('request', (request) => request.isNavigationRequest() && this.visited.push(request.url()))
  }

  /** Goes on to this page, from the one named or from the start. */
  async goTo(step, from) {
    for (const next of STEPS.slice(from ? STEPS.indexOf(from) + 1 : 0, STEPS.indexOf(step) + 1)) {
      await steps[next](this)
      await this.sees(HEADINGS[next])
    }
    return this
  }

  /** Does what each page asks for, whichever comes, until nothing is asked any more. */
  async finish() {
    const { page, account } = this
    for (let pages = 0; pages < 8; pages += 1) {
      const before = page.url()
      if (await page.locator('#username').count()) await steps.consent({ page, account })
      else if (await page.locator('button[value=allow]').count()) await page.click('button[value=allow]')
      else if (await page.locator('button[value=confirm]').count()) await confirm(page)
      else if (await page.locator('form .actions button').count()) await page.click('form .actions button')
      else return
      await page.waitForURL((url) => url.href !== before)
      await page.waitForLoadState()
    }
    assert.fail(`${page.url()} asks again and again`)
  }

  /** The page is a definite one: it has this heading. */
  async sees(heading) {
    assert.equal(await this.page.textContent('h1'), heading, this.page.url())
  }

  /** The address on the way that holds this. */
  address(part) {
    return this.visited.find((url) => url.includes(part))
  }
}
