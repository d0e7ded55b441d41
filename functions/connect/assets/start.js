// The window that an app's page opens. It asks that page for its connect session, lets the server make the attempt in this
// browser, and goes on to the provider. Once it has left, nothing is asked of the opener any more: a provider's page may sever it.
// What the connector needs to know from the person is asked here, on the way.

import { because, busy, fill, inputs, put, reason } from './form.js'

const base = new URL('..', import.meta.url)
const connector = new URLSearchParams(location.search).get('connector')
const form = document.querySelector('#asking form')
const opener = window.opener

function show(id) {
  for (const part of ['waiting', 'asking', 'done', 'failed']) document.getElementById(part).hidden = part !== id
}

/** Nothing goes on here. A developer is told why by the code. */
function stop({ code = '', status, origin = '' } = {}) {
  const view = document.getElementById('failed')
  fill(view, { code, origin })
  because(view, reason({ code, status }))
  show('failed')
}

/** The session, from who opened this window. Who that is, the browser says, and the server decides whether it may. */
function handedOver() {
  return new Promise((resolve) => {
    window.addEventListener('message', function hear({ source, origin, data }) {
      if (source !== opener || data?.type !== 'mooring:session') return
      window.removeEventListener('message', hear)
      resolve({ data, origin })
    })
  })
}

/** There is nothing in the question that anybody may not know; again and again, since the session may still be on its way. */
async function firstSession() {
  const ready = () => opener.postMessage({ type: 'mooring:ready' }, '*')
  const asking = setInterval(ready, 200)
  ready()
  return handedOver().finally(() => clearInterval(asking))
}

/** Another one, when the first has ended while somebody typed. */
function renewed({ origin }) {
  opener.postMessage({ type: 'mooring:renew' }, origin)
  const late = new Promise((_, reject) => setTimeout(reject, 20_000, { error: 'session_expired', status: 401 }))
  return Promise.race([handedOver(), late])
}

/** What the server is asked. Whose frame opened this window, and what was typed there, is believed of our own frame alone. */
async function attempt({ data, origin }, typed) {
  const ours = origin === location.origin
  const { parent, name, inputs: given } = ours ? data : {}
  const response = await fetch(new URL('v1/connect/attempts', base), {
    method: 'POST',
    headers: { authorization: `Bearer ${data.session}`, 'content-type': 'application/json' },
    body: JSON.stringify({ connector, opener: origin, parent, name, inputs: typed ?? given }),
  }).catch(() => undefined)
  const answer = (await response?.json().catch(() => undefined)) ?? { error: 'unreachable' }
  if (!response?.ok) throw { ...answer, status: response?.status }
  return answer
}

function goOn(answer, origin) {
  opener.postMessage({ type: 'mooring:attempt', attempt: answer.attempt }, origin)
  if (answer.url) return location.replace(answer.url)
  show('done')
  setTimeout(() => window.close(), 1500) // the opener closes it sooner, unless it is gone
}

/** Asks the person, and again until the server is content. */
function ask(handed, { connector_name: name, app_name: app, for_whom: whom, form: fields }) {
  const place = form.querySelector('[data-fields]')
  const silent = document.getElementById('silent')
  const again = (error) => {
    const lost = !error.status || error.status === 429 || error.status >= 500
    silent.hidden = Boolean(error.form) || !lost
    if (error.form) put(place, error.form)
    else if (!lost) fail(error, handed.origin) // else what was typed stays, to be sent again
  }
  fill(document.getElementById('asking'), { connector: name, app, whom })
  document.querySelector('#asking img').src = new URL(`v1/connectors/${encodeURIComponent(connector)}/image`, base)
  show('asking')
  put(place, fields)
  form.querySelector('[data-cancel]').addEventListener('click', () => window.close())
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    silent.hidden = true
    busy(form, () => whole(send(handed, inputs(form))).then((go) => go(), again))
  })
}

/** What is being tried may be connected by the time that somebody closes the window: the browser asks first. */
function whole(sending) {
  const stay = (event) => event.preventDefault()
  window.addEventListener('beforeunload', stay)
  return sending.finally(() => window.removeEventListener('beforeunload', stay))
}

/** A session that ended while somebody typed is renewed by the opener. Answers how it goes on. */
async function send(handed, typed) {
  const answer = await attempt(handed, typed).catch(async (error) => {
    if (error.status !== 401) throw error
    return attempt(await renewed(handed), typed)
  })
  return () => goOn(answer, handed.origin)
}

/** The opener is told. One of no origin can't be named, and there is nothing in it that anybody may not know. */
function fail({ error = 'failed', error_description: description, status }, origin) {
  const target = origin === 'null' ? '*' : origin
  opener.postMessage({ type: 'mooring:error', error, error_description: description }, target)
  stop({ code: error, status, origin })
}

async function begin() {
  const handed = await firstSession()
  try {
    goOn(await attempt(handed), handed.origin)
  } catch (error) {
    if (error.connector_name) ask(handed, error)
    else fail(error, handed.origin)
  }
}

if (opener && connector) begin()
else stop()
