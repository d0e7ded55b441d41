// The page in a frame over an app's page. It is the same for everybody and has no authority: it shows nothing that can be pressed
// before the page around it has handed over a session, and the server has found that page's origin among the project's own.
//
// Two kinds of pages open it: those that use `connect.js`, and those that use the published widget, which tells how to fetch a
// session from the app's back end. Both become a `parent` here, and from then on all is the same.

import { ConnectError, connect, outcome } from '../connect.js'
import { because, busy, fill, inputs, narrow, put, reason } from './form.js'

const base = new URL('..', import.meta.url)
/** A session lives for five minutes; an older one than this is not begun with. */
const FRESH = 4 * 60_000
/** What the published widget is told sooner after the load than this, it does not hear. */
const EARLY = 300
/** Longer than the server takes for anything. */
const LATE = 40_000
/** Of an app's list, a hundred connectors each. */
const PAGES = 50

const bar = document.querySelector('.bar')
const screen = document.querySelector('.screen')
const loaded = new Promise((resolve) => window.addEventListener('load', () => setTimeout(resolve, EARLY)))

/** Who opened this, and what for: known once the parent has spoken. */
let parent
/** What the server says that is shown: the app, for whom, and the connectors. */
let shown
/** A window at a provider that is waited for. */
let running
/** What was typed and is being tried: it may be connected by the time that somebody closes this. */
let sending
let closing

/** A page that uses `connect.js`. */
function ours(origin, asked) {
  let held = hold(asked.session)
  let renewing
  let renewed
  const say = (message) => window.parent.postMessage(message, origin)
  /** Asked for once, however many wait for it. */
  const renew = () => {
    renewing ??= new Promise((resolve) => (renewed = resolve)).finally(() => (renewing = undefined))
    say({ type: 'mooring:renew' })
    return renewing
  }
  return {
    origin,
    asked: { ...looks(asked), connector: asked.connector, connectors: (all) => all },
    async session(anew) {
      if (anew || !isFresh(held)) held = hold(await renew())
      return held.session
    },
    hears: (data) => data?.type === 'mooring:session' && renewed?.(data.session),
    connected: (connection, attempt) => say({ type: 'mooring:connected', connection, attempt }),
    failed: (error, description) => say({ type: 'mooring:failed', error, error_description: description }),
    close: () => say({ type: 'mooring:close' }),
  }
}

/** A page that uses the published widget. */
function published(origin, asked) {
  let held
  const rows = []
  const say = (message) => loaded.then(() => window.parent.postMessage(message, origin))

  async function page(number) {
    const answer = await rowsOf(asked, origin, number)
    held = hold(answer.session)
    return answer
  }

  return {
    origin,
    asked: {
      ...looks(asked),
      selected: asked.selectedConnection,
      check: asked.checkState,
      // who came back is not heard any more when they want to leave once more: then it is a window
      sameWindow: asked.capabilities?.oauthRedirect === true && !asked.checkState,
      connectors: (all) => all.filter(({ id }) => rows.some((row) => row.active !== false && [row.platform, row.key].includes(id))),
    },
    async prepare() {
      for (let number = 1, pages = 1; number <= Math.min(pages, PAGES); number += 1) {
        const answer = await page(number)
        rows.push(...(answer.rows ?? []))
        pages = asked.checkState ? 1 : answer.pages
      }
    },
    async session(anew) {
      if (anew || !isFresh(held)) await page(1)
      return held.session
    },
    hears() {},
    connected: (connection) => say({ messageType: 'LINK_SUCCESS', message: connection }),
    failed: (error, description) => say({ messageType: 'LINK_ERROR', message: description ?? error }),
    leave: (url, state) => say({ messageType: 'OAUTH_REDIRECT', url, state }),
    close: () => say({ messageType: 'EXIT_EVENT_LINK' }),
  }
}

/** What the server or the app's back end says instead of an answer. */
class Refusal extends ConnectError {
  constructor({ error, error_description: description, form, requestId }, status) {
    super(error === 'invalid_client' ? 'session_expired' : (error ?? 'failed'), description)
    Object.assign(this, { form, requestId, status })
  }
}

const looks = ({ title, imageUrl, companyName, appTheme, showNameInput }) => ({ title, imageUrl, companyName, appTheme, showNameInput })
const hold = (session) => ({ session, since: Date.now() })
const isFresh = (held) => held && Date.now() - held.since < FRESH

/**
 * A page of the list, and a session with it, from the app's own back end. No cookie goes along: what the app's page wants to be known
 * by stands in the headers. Nothing of ours is asked this way, where a request in our own name means something.
 */
async function rowsOf({ linkTokenEndpoint, linkHeaders }, origin, number) {
  const url = URL.canParse(linkTokenEndpoint, origin) ? new URL(linkTokenEndpoint, origin) : base
  if (url.href.startsWith(base.href)) throw new Refusal({ error: 'no_session', error_description: 'The session has to come from an address of the app.' })
  url.searchParams.set('page', number)
  url.searchParams.set('limit', 100)
  const headers = { ...linkHeaders, 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, credentials: 'omit' }).catch(() => undefined)
  const answer = await response?.json().catch(() => undefined)
  if (answer?.session) return answer
  throw new Refusal({ error: 'no_session', error_description: 'The app did not hand over a session.', requestId: answer?.requestId })
}

/** A question to the server, with a session. One that has ended is renewed once. */
async function ask(path, body) {
  const once = async (session) => {
    const headers = { authorization: `Bearer ${session}`, 'content-type': 'application/json' }
    const signal = AbortSignal.timeout(LATE)
    const response = await fetch(new URL(path, base), { method: 'POST', headers, body: JSON.stringify(body), signal }).catch(() => undefined)
    const answer = (await response?.json().catch(() => undefined)) ?? { error: 'unreachable', error_description: 'The server does not answer.' }
    if (!response?.ok) throw new Refusal(answer, response?.status)
    return answer
  }
  try {
    return await once(await parent.session())
  } catch (error) {
    if (error.status !== 401) throw error
    return once(await parent.session(true))
  }
}

/** From the parent's first word on. */
async function open() {
  theme(parent.asked.appTheme)
  try {
    await parent.prepare?.()
    const answer = await ask('v1/connect/frame', { parent: parent.origin })
    shown = { ...answer, connectors: parent.asked.connectors(answer.connectors) }
  } catch (error) {
    return stopped(error)
  }
  await dress()
  loaded.then(grasp)
  if (parent.asked.check) check(parent.asked.check)
  else home()
}

/** In the app's colour, and with what it wants to be called. */
async function dress() {
  const { title, companyName, imageUrl } = parent.asked
  const { app } = shown
  app.name = text(companyName) ?? app.name
  app.logo = picture(imageUrl) ?? app.logo
  bar.querySelector('span').textContent = text(title) ?? app.name
  const logo = bar.querySelector('img')
  logo.hidden = !app.logo
  if (app.logo) logo.src = app.logo
  if (app.colour) await colour(app.colour)
}

/** A page may hold no style of its own, so the colour stands in the stylesheet's address. */
function colour(digits) {
  const link = document.querySelector('link[rel=stylesheet]')
  const coloured = link.cloneNode()
  coloured.href = new URL(`connect/style.css?colour=${encodeURIComponent(digits)}`, base)
  return new Promise((resolve) => {
    coloured.onload = coloured.onerror = resolve
    link.after(coloured)
  })
}

function theme(name) {
  if (name === 'dark' || name === 'light') document.body.dataset.theme = name
}

const text = (value) => (typeof value === 'string' && value.trim() ? value.trim().slice(0, 80) : undefined)

/** Only what a page may be asked to load without harm: nothing in the clear but from this computer. */
function picture(value) {
  const local = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\]|[\w-]+\.localhost)(:\d+)?\//
  return typeof value === 'string' && (/^(https:\/\/|data:image\/)/.test(value) || local.test(value)) ? value : undefined
}

// The screens

/** Puts a screen of the page's own in place of the one before, with these values in its texts. */
function show(id, values = {}, back) {
  const view = document.getElementById(id).content.cloneNode(true)
  fill(view, { app: shown?.app.name, whom: shown?.for_whom, ...values })
  screen.replaceChildren(view)
  screen.scrollTop = 0
  bar.querySelector('[data-back]').hidden = !back
  bar.querySelector('[data-back]').onclick = back
  screen.querySelectorAll('[data-close]').forEach((button) => button.addEventListener('click', close))
  screen.querySelector('h1').focus()
  return screen
}

/** The published widget makes the frame visible only after the load, and what is not visible gets no keys. */
function grasp() {
  if (!document.hasFocus()) screen.querySelector('h1').focus()
}

/** What changed while somebody may look elsewhere. */
function announce() {
  document.getElementById('news').textContent = screen.querySelector('h1').textContent
}

function home() {
  const { connector, selected } = parent.asked
  if (connector) {
    const one = shown.connectors.find(({ id }) => id === connector)
    return one ? offer(one) : stopped({ code: 'connector_not_found', message: 'There is no such connector here.' })
  }
  const named = text(selected)?.toLowerCase()
  const one = shown.connectors.find(({ name }) => name.toLowerCase() === named)
  return one ? offer(one) : list()
}

function list() {
  const view = show('list')
  const { connectors } = shown
  view.querySelector('[data-nothing]').hidden = connectors.length > 0
  view.querySelector('[data-some]').hidden = connectors.length === 0
  categories(view.querySelector('select'), connectors)
  view.querySelector('ul').append(...connectors.map(entry))
  narrow(view)
}

function categories(select, connectors) {
  const named = new Map(connectors.flatMap(({ categories }) => categories.map(({ id, name }) => [id, name])))
  select.append(...[...named].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, name]) => new Option(name, id)))
  select.hidden = named.size < 2
}

function entry(connector) {
  const { id, name, image, categories, connected, works } = connector
  const item = document.getElementById('entry').content.cloneNode(true).firstElementChild
  fill(item, { connector: name })
  item.dataset.entry = [name, id, ...categories.map((category) => category.name)].join(' ').toLowerCase()
  item.dataset.categories = categories.map((category) => category.id).join(' ')
  item.querySelector('img').src = image
  const state = item.querySelector('.state')
  state.hidden = !connected
  state.textContent = connected ?? ''
  state.classList.toggle('warn', works === false)
  item.querySelector('[data-first]').hidden = Boolean(connected)
  item.querySelector('[data-further]').hidden = !connected
  for (const button of item.querySelectorAll('button')) button.addEventListener('click', () => offer(connector))
  return item
}

/** One connector: what will happen, and the button. One that takes a key asks for it here. */
function offer(connector) {
  const view = show('connector', { connector: connector.name }, parent.asked.connector ? undefined : list)
  pair(view, connector)
  for (const part of view.querySelectorAll('[data-kind]')) if (part.dataset.kind !== connector.kind) part.remove()
  view.querySelector('[data-name]').hidden = parent.asked.showNameInput !== true
  const form = view.querySelector('form')
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    if (connector.kind === 'oauth' && !parent.asked.sameWindow) inWindow(connector, nameIn(form))
    else busy(form, () => (sending = send(connector, form, inputs(form)).finally(() => (sending = undefined))))
  })
  if (connector.kind === 'key') busy(form, () => send(connector, form))
}

function pair(view, { image }) {
  const { app } = shown
  view.querySelector('[data-image]').src = image
  const logo = view.querySelector('[data-logo]')
  logo.parentElement.hidden = !app.logo
  if (app.logo) logo.src = app.logo
  const letter = view.querySelector('[data-letter]')
  letter.hidden = Boolean(app.logo)
  letter.textContent = [...app.name][0] ?? '·'
}

const nameIn = (form) => (parent.asked.showNameInput === true && form.elements.name.value.trim()) || undefined

/** To the server from here: what was typed is connected at once, or this window leaves. Fields come as the server writes them. */
async function send(connector, form, typed) {
  const fields = form.querySelector('[data-fields]')
  const asks = fields.childElementCount > 0 || connector.kind === 'oauth'
  const body = { connector: connector.id, parent: parent.origin, name: nameIn(form), window: parent.asked.sameWindow ? 'same' : 'own' }
  try {
    const answer = await ask('v1/connect/attempts', { ...body, inputs: fields.childElementCount > 0 ? typed : undefined })
    if (answer.connection) return done(connector, answer.connection, answer.attempt) // also where somebody went back meanwhile
    if (!form.isConnected) return
    show('leaving')
    stayOut()
    parent.leave(answer.url, answer.state)
  } catch (error) {
    if (!form.isConnected) return
    const lost = error.code === 'unreachable' || error.status >= 500 || error.status === 429
    form.querySelector('[data-silent]').hidden = !lost || Boolean(error.form) || fields.childElementCount === 0
    if (error.form) put(fields, error.form)
    else if (lost && fields.childElementCount > 0) return // what was typed stays, to be sent again
    else if (asks) failed(error.code ?? 'failed', error.message, () => offer(connector))
    else stopped(error)
  }
}

/**
 * The page is left, and its listener is gone. If a browser keeps it whole and shows it again, nothing here would be heard: what holds a
 * lock is not kept; and where it is kept all the same, a person is told what to do.
 */
function stayOut() {
  navigator.locks?.request('mooring-left', { mode: 'shared' }, () => new Promise(() => {})).catch(() => {})
  window.addEventListener('pageshow', ({ persisted }) => persisted && stopped({ code: 'left', status: 401 }))
}

/** To the provider in a window of its own, which is opened before anything is waited for, or the browser blocks it. */
async function inWindow(connector, name) {
  running?.abort()
  const controller = (running = new AbortController())
  let attempt
  const ending = connect({
    baseUrl: base,
    connector: connector.id,
    session: () => parent.session(),
    more: { parent: parent.origin, name },
    onAttempt: (id) => (attempt = id),
    signal: controller.signal,
  })
  const again = () => inWindow(connector, name)
  waiting(connector, again, controller)
  try {
    done(connector, await ending, attempt)
  } catch (error) {
    if (error.code !== 'aborted') failed(error.code, error.message, again, () => offer(connector))
  }
}

function waiting(connector, again, controller) {
  const view = show('waiting', { connector: connector.name })
  view.querySelector('[data-again]').addEventListener('click', again)
  view.querySelector('[data-cancel]').addEventListener('click', () => {
    controller.abort()
    offer(connector)
  })
}

/** The page left for the provider in its own window and is back: how did it end? */
async function check(attempt) {
  show('moment')
  try {
    const connection = await outcome(base.href.replace(/\/$/, ''), attempt, await parent.session())
    const connector = shown.connectors.find(({ id }) => id === connection.platform)
    done(connector ?? { name: connection.platform }, connection, attempt)
  } catch (error) {
    failed(error.code ?? 'failed', error.message, home)
  }
}

function done(connector, connection, attempt) {
  parent.connected(connection, attempt)
  const { account, name } = connection
  const view = show('done', { connector: connector.name, account: account?.label ?? account?.email ?? name })
  view.querySelector('dl').hidden = !account?.label && !account?.email
  announce()
}

function failed(code, description, again, back) {
  parent.failed(code, description)
  const view = show('failed', { code }, back)
  because(view, code === 'denied' ? 'access_denied' : code)
  view.querySelector('[data-again]').addEventListener('click', again)
  announce()
}

/** Nothing can be connected here, whatever is pressed. A developer is told why by the code. */
function stopped({ code = 'failed', message, status, requestId }) {
  parent?.failed(code, message)
  const view = show('stopped', { code, request: requestId, origin: parent?.origin })
  because(view, code === 'connector_not_found' ? 'not_found' : reason({ code, status }))
  view.querySelector('[data-request]').hidden = !requestId
  view.querySelector('[data-leave]').hidden = window.parent === window
  announce()
}

/** Before the parent has spoken it is told as the question is: there is nothing in it that anybody may not know. */
function close() {
  running?.abort()
  if (sending && !closing) return void (closing = sending.finally(() => parent.close()))
  if (parent) return parent.close()
  window.parent.postMessage({ type: 'mooring:close' }, '*')
  loaded.then(() => window.parent.postMessage({ messageType: 'EXIT_EVENT_LINK' }, '*'))
}

/** What the parent says first decides what it is. Its origin is the browser's word. */
function hear({ source, origin, data }) {
  if (source !== window.parent || origin === 'null') return
  if (parent) return origin === parent.origin && parent.hears(data)
  if (data?.type === 'mooring:open') parent = ours(origin, data)
  else if (typeof data?.linkTokenEndpoint === 'string') parent = published(origin, data)
  if (parent) open()
}

/** The address is nobody's word: all that is taken from it is whether it is dark, so that nothing flashes. */
function themeInAddress() {
  try {
    theme(JSON.parse(atob(new URLSearchParams(location.search).get('data'))).appTheme)
  } catch {}
}

/** The keyboard stays inside: with the published widget, nothing around keeps it here. */
function keepFocus(event) {
  const stops = [...document.querySelectorAll('button, input, select, textarea, a[href]')].filter((element) => element.getClientRects().length > 0)
  const [first, last] = [stops.at(0), stops.at(-1)]
  const at = document.activeElement
  const target = event.shiftKey ? (at === first || !stops.includes(at)) && last : at === last && first
  if (!target) return
  event.preventDefault()
  target.focus()
}

bar.querySelector('[data-close]').addEventListener('click', close)
window.addEventListener('pagehide', () => running?.abort())
window.addEventListener('keydown', (event) => {
  if (event.key === 'Tab') keepFocus(event)
  if (event.key === 'Escape' && !(event.target.type === 'search' && event.target.value)) close()
})
themeInAddress()
if (window.parent === window) {
  bar.querySelector('[data-close]').hidden = true
  stopped({ code: 'not_framed' })
} else {
  window.addEventListener('message', hear)
  const ready = () => (parent ? clearInterval(asking) : window.parent.postMessage({ type: 'mooring:ready' }, '*'))
  const asking = setInterval(ready, 200)
  ready()
}
