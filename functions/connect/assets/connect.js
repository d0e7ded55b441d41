/**
 * Mooring's widget: lets a user connect an account, and resolves once the connection exists.
 *
 * The window that opens is Mooring's own start page. It asks this page for the session, and the provider is visited only after that;
 * how it ended is asked of the server, since a provider's page may sever the window from this one.
 */

/** @typedef {import('./connect').ConnectOptions} ConnectOptions */
/** @typedef {import('./connect').Connection} Connection */

const POLL = 1000
/** How long this page has to be in front, with the window gone and no word from the provider, until that counts as given up. */
const GIVEN_UP = 8000
/** How long an answer is waited for. */
const LOST = 15_000
/** What a gateway says that is asked too often or too early. */
const AGAIN = [408, 425, 429]

const ENDINGS = {
  denied: 'Access was denied, so nothing was connected.',
  failed: 'The provider did not answer as expected, so nothing was connected.',
  expired: 'It took too long, so nothing was connected.',
}

/** Why nothing was connected. `code` is stable; the message is for a log, in English. */
export class ConnectError extends Error {
  /** @param {string} code @param {string} [message] */
  constructor(code, message) {
    super(message ?? code)
    this.name = 'ConnectError'
    this.code = code
  }
}

/**
 * Connects one account. Call it directly from a click, or the browser blocks the window.
 * @param {ConnectOptions} options
 * @returns {Promise<Connection>}
 */
export function connect(options) {
  const modes = { redirect: leave, frame: inFrame }
  return told(options, () => {
    if (!options.connector && options.mode !== 'frame') throw new ConnectError('invalid_options', 'Say which connector is to be connected.')
    return (modes[options.mode] ?? inWindow)(options)
  })
}

/**
 * Call it when a page loads that `mode: 'redirect'` comes back to: resolves with the connection, or with `null` where nobody came back.
 * @param {Omit<ConnectOptions, 'connector' | 'mode'>} options
 * @returns {Promise<Connection | null>}
 */
export async function resume(options) {
  const here = new URL(location.href)
  const attempt = here.searchParams.get('mooring_attempt')
  if (!attempt) return null
  here.searchParams.delete('mooring_attempt')
  history.replaceState(history.state, '', here)
  return told(options, async () => outcome(baseOf(options), attempt, await sessionOf(options), options.signal))
}

/** Runs it at once, without an await before it, and tells whoever wants to be told. */
async function told({ onSuccess, onError, signal }, run) {
  let connection
  try {
    if (signal?.aborted) throw new ConnectError('aborted')
    connection = await run()
  } catch (cause) {
    const error = errorOf(cause, signal)
    tell(onError, error)
    throw error
  }
  tell(onSuccess, connection)
  return connection
}

/** What goes wrong in a function of the page's own is the page's affair, and changes nothing about what became of it here. */
function tell(listener, value) {
  try {
    listener?.(value)
  } catch (error) {
    reportError(error)
  }
}

function errorOf(cause, signal) {
  if (signal?.aborted) return new ConnectError('aborted')
  return cause instanceof ConnectError ? cause : new ConnectError('failed', String(cause?.message ?? cause))
}

/** The server's refusal. One code is for programs with keys, which a page has not. */
function refusal({ error, error_description: description } = {}) {
  const code = error === 'invalid_client' ? 'session_expired' : error
  return new ConnectError(typeof code === 'string' ? code : 'failed', description)
}

/** @param {ConnectOptions} options @returns {Promise<Connection>} */
async function inWindow(options) {
  const base = baseOf(options)
  const start = new URL(`${base}/connect/start?connector=${encodeURIComponent(options.connector)}`)
  const popup = window.open(start, '_blank', 'popup,width=520,height=760') // before the first await
  if (!popup) throw new ConnectError('popup_blocked', 'The browser blocked the window. Allow windows for this page and try again.')
  try {
    const { attempt, session } = await handOver(popup, start.origin, options)
    options.onAttempt?.(attempt)
    return await outcome(base, attempt, session, options.signal, popup)
  } finally {
    popup.close()
    setTimeout(() => popup.close(), POLL) // one that was only just being opened may have missed it
  }
}

/**
 * The start page asks, and is answered; then it names the attempt. Where somebody types there for long, it asks for another session.
 * @returns {Promise<{ attempt: string, session: string }>}
 */
function handOver(popup, origin, options) {
  const { signal, more } = options
  let session
  let asked = false
  return new Promise((resolve, reject) => {
    const done = (settle, value) => {
      window.removeEventListener('message', hear)
      signal?.removeEventListener('abort', abort)
      clearInterval(watch)
      settle(value)
    }
    const abort = () => done(reject, new ConnectError('aborted'))
    const give = () => asked && session && popup.postMessage({ ...more, type: 'mooring:session', session }, origin)
    const renew = async () => {
      session = await sessionOf(options)
      give()
    }
    const hear = ({ source, origin: from, data }) => {
      // a message is believed only from that window while it shows our start page
      if (source !== popup || from !== origin) return
      if (data?.type === 'mooring:ready') asked = true, give()
      if (data?.type === 'mooring:renew') renew().catch((error) => done(reject, error))
      if (data?.type === 'mooring:attempt') done(resolve, { attempt: data.attempt, session })
      if (data?.type === 'mooring:error') done(reject, refusal(data))
    }
    const watch = setInterval(() => {
      if (popup.closed) done(reject, new ConnectError('closed', 'The window was closed before anything was connected.'))
    }, 300)
    window.addEventListener('message', hear)
    signal?.addEventListener('abort', abort)
    renew().catch((error) => done(reject, error))
  })
}

/** What our frame is told of how it is to look. */
const LOOKS = ['connector', 'title', 'imageUrl', 'companyName', 'appTheme', 'showNameInput']

/** Over this page: a frame of ours with the list, or with one connector. What comes of it stays until the person closes it. */
function inFrame(options) {
  const { signal } = options
  const { href, origin } = new URL(`${baseOf(options)}/connect/frame`)
  const { dialog, frame } = overlay(href, options.title)
  return new Promise((resolve, reject) => {
    let session
    let failure = new ConnectError('closed', 'It was closed before anything was connected.')
    let closed = false
    const close = (error) => {
      if (closed) return
      closed = true
      clearInterval(watch)
      clearTimeout(late)
      window.removeEventListener('message', hear)
      signal?.removeEventListener('abort', abort)
      dialog.remove()
      reject(error) // nothing happens to what is connected by then
      tell(options.onClose)
    }
    const abort = () => close(new ConnectError('aborted'))
    // it may be that nothing of ours comes; whatever covers the page has to go then
    const watch = setInterval(() => dialog.isConnected || close(failure), 500) // the page may put another in its place
    const late = setTimeout(() => close(new ConnectError('unreachable', 'The frame does not answer.')), LOST)
    const say = (message) => frame.contentWindow?.postMessage(message, origin)
    const give = (message) => session.then((value) => say({ ...message, session: value }), close)
    const begin = () => {
      clearTimeout(late)
      dialog.style.background = 'transparent'
      frame.style.visibility = 'visible'
      frame.focus()
      session = sessionOf(options)
      give({ ...pick(options, LOOKS), type: 'mooring:open' })
    }
    const renew = () => {
      session = sessionOf(options)
      give({ type: 'mooring:session' })
    }
    const hear = ({ source, origin: from, data }) => {
      if (source !== frame.contentWindow || from !== origin) return
      if (data?.type === 'mooring:ready' && !session) begin()
      if (data?.type === 'mooring:renew') renew()
      if (data?.type === 'mooring:connected') resolve(data.connection)
      if (data?.type === 'mooring:failed') failure = refusal(data)
      if (data?.type === 'mooring:close') close(failure)
    }
    window.addEventListener('message', hear)
    dialog.addEventListener('close', () => close(failure))
    signal?.addEventListener('abort', abort)
  })
}

/**
 * Modal, so that nothing behind it is reached by keyboard or by a reader. All that is seen of it is the frame; until that has come, the
 * page is dimmed and Escape gives it back.
 */
function overlay(src, title = 'Connect an account') {
  const whole = { position: 'fixed', inset: 0, width: '100%', height: '100%', maxWidth: 'none', maxHeight: 'none', margin: 0, padding: 0, border: 0 }
  const clear = { background: 'transparent', visibility: 'visible', overflow: 'hidden', colorScheme: 'light' } // a frame of another scheme is not transparent
  const frame = Object.assign(document.createElement('iframe'), { src, title })
  const dialog = document.createElement('dialog')
  for (const element of [dialog, frame]) Object.assign(element.style, whole, clear)
  frame.style.visibility = 'hidden'
  Object.assign(dialog.style, { background: 'rgb(16 24 32 / 45%)', cursor: 'progress' })
  dialog.setAttribute('aria-label', title)
  dialog.append(frame)
  document.body.append(dialog)
  dialog.showModal()
  return { dialog, frame }
}

const pick = (from, names) => Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]))

/** How it ended, in the server's word. Our frame asks it too. @internal @returns {Promise<Connection>} */
export async function outcome(base, attempt, session, signal, popup) {
  let alone = 0
  for (;;) {
    const answer = await status(base, attempt, session, signal)
    if (answer.status === 'connected') return answer.connection
    if (answer.status in ENDINGS) throw new ConnectError(answer.error ?? answer.status, ENDINGS[answer.status])
    // a provider's page may make an open window look closed; who looks at this page again has given the other up
    alone = popup?.closed && document.hasFocus() ? alone + POLL : 0
    if (alone >= GIVEN_UP) throw new ConnectError('closed', 'The window was closed before anything was connected.')
    await pause(POLL, signal)
  }
}

/** Waits, and looks again when a sleeping laptop wakes: a lost answer is asked for once more, and so is one that came too soon. */
async function status(base, attempt, session, signal) {
  for (let tries = 0; ; tries++) {
    const { ok, code, answer } = await look(`${base}/v1/connect/attempts/${encodeURIComponent(attempt)}`, session, signal)
    if (ok && answer) return answer
    if (code >= 400 && code < 500 && !AGAIN.includes(code)) throw refusal(answer)
    if (tries === 20) throw new ConnectError('unreachable', 'The server does not answer.')
    await pause(POLL, signal)
  }
}

/** One question, which is given up after a while, or with everything else. What was lost has no code. */
async function look(url, session, signal) {
  const controller = new AbortController()
  const stop = () => controller.abort()
  const late = setTimeout(stop, LOST)
  signal?.addEventListener('abort', stop)
  try {
    const response = await fetch(url, { headers: { authorization: `Bearer ${session}` }, signal: controller.signal })
    return { ok: response.ok, code: response.status, answer: await response.json() }
  } catch {
    return {}
  } finally {
    clearTimeout(late)
    signal?.removeEventListener('abort', stop)
  }
}

function pause(time, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => (clearTimeout(timer), reject(new ConnectError('aborted')))
    const timer = setTimeout(() => (signal?.removeEventListener('abort', abort), resolve()), time)
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}

/** In this window: a form carries the session, so that it stands in no address. `resume` tells how it ended, on the way back. */
async function leave(options) {
  const session = await sessionOf(options)
  const form = Object.assign(document.createElement('form'), { method: 'post', action: `${baseOf(options)}/connect/start`, hidden: true })
  const fields = { session, connector: options.connector, return_to: options.returnTo ?? location.href }
  for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement('input'), { name, value }))
  document.body.append(form)
  form.submit()
  form.remove()
  return new Promise((_, reject) => {
    // who goes back by the browser's button finds this page as it was left
    window.addEventListener('pageshow', function back({ persisted }) {
      if (!persisted) return
      window.removeEventListener('pageshow', back)
      reject(new ConnectError('closed', 'The person went back before anything was connected.'))
    })
  })
}

/** The session, from the page or its own server. */
async function sessionOf({ session, sessionUrl, signal }) {
  if (session) return typeof session === 'function' ? session() : session
  if (!sessionUrl) throw new ConnectError('invalid_options', 'Pass a session, or a sessionUrl to get one from.')
  const response = await fetch(sessionUrl, { method: 'POST', credentials: 'same-origin', signal }).catch(() => undefined)
  const answer = await response?.json().catch(() => undefined)
  if (response?.ok && typeof answer?.session === 'string') return answer.session
  const why = [answer?.error_description, answer?.error].find((text) => typeof text === 'string')
  throw new ConnectError('no_session', why ?? `${sessionUrl} answered with no session.`)
}

function baseOf({ baseUrl }) {
  return String(baseUrl ?? new URL('.', import.meta.url)).replace(/\/$/, '')
}

let authenticated

/** The same in two calls, for pages that have the session when they load. */
export const mooring = {
  /** @param {string} session */
  authenticate: (session) => void (authenticated = session),
  /** @param {string} connector @param {Partial<ConnectOptions>} [options] */
  connect: (connector, options) => connect({ session: authenticated, ...options, connector }),
}
