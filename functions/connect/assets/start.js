// The window that an app's page opens. It asks that page for its connect session, lets the server make the attempt in this
// browser, and goes on to the provider. Once it has left, nothing is asked of the opener any more: a provider's page may sever it.
// What the connector needs to know from the person is asked here, on the way.

import { busy, fill, inputs, put } from './form.js'

const base = new URL('..', import.meta.url)
const connector = new URLSearchParams(location.search).get('connector')
const form = document.querySelector('#asking form')
const opener = window.opener

function show(id) {
  for (const part of ['waiting', 'asking', 'done', 'failed']) document.getElementById(part).hidden = part !== id
}

function stop(reason) {
  if (reason) document.getElementById('reason').textContent = reason
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
  const late = new Promise((_, reject) => setTimeout(reject, 20_000, { error: 'no_session' }))
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
  })
  const answer = await response.json()
  if (!response.ok) throw { ...answer, status: response.status }
  return answer
}

function goOn(answer, origin) {
  opener.postMessage({ type: 'mooring:attempt', attempt: answer.attempt }, origin)
  if (answer.url) return location.replace(answer.url)
  show('done')
  setTimeout(() => window.close(), 1500) // the opener closes it sooner, unless it is gone
}

/** Asks the person, and again until the server is content. */
function ask(handed, { connector_name: name, form: fields }) {
  const place = form.querySelector('[data-fields]')
  const again = (error) => (error.form ? put(place, error.form) : fail(error, handed.origin))
  fill(document.getElementById('asking'), { connector: name })
  document.querySelector('#asking img').src = new URL(`v1/connectors/${encodeURIComponent(connector)}/image`, base)
  show('asking')
  put(place, fields)
  form.querySelector('[data-cancel]').addEventListener('click', () => window.close())
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    busy(form, () => send(handed, inputs(form)).catch(again))
  })
}

/** A session that ended while somebody typed is renewed by the opener. */
async function send(handed, typed) {
  const answer = await attempt(handed, typed).catch(async (error) => {
    if (error.status !== 401) throw error
    return attempt(await renewed(handed), typed)
  })
  goOn(answer, handed.origin)
}

function fail({ error = 'server_error', error_description: description }, origin) {
  opener.postMessage({ type: 'mooring:error', error, error_description: description }, origin)
  stop(description)
}

async function begin() {
  const handed = await firstSession()
  try {
    goOn(await attempt(handed), handed.origin)
  } catch (error) {
    if (error.form) ask(handed, error)
    else fail(error, handed.origin)
  }
}

if (opener && connector) begin()
else stop()
