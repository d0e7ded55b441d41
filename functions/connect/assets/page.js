// What the pages do beyond a plain one. Every part looks for its own element, and every page works without it.

import { narrow, reveal, sift } from './form.js'

const all = (selector) => document.querySelectorAll(selector)

/** The address says what is looked for, so that coming back shows the same. */
function remember(sought) {
  const address = new URL(location.href)
  for (const [name, value] of Object.entries(sought)) {
    if (value) address.searchParams.set(name, value)
    else address.searchParams.delete(name)
  }
  history.replaceState(null, '', address)
}

/**
 * The button that counts sleeps until its page was visible and in front for a second, and falls asleep again behind another
 * window. A page that lures somebody into a double click, and puts ours in its own place between the two, gets nothing.
 */
function wake(button) {
  const SECOND = 1000
  let timer
  const look = () => {
    clearTimeout(timer)
    button.setAttribute('aria-disabled', 'true')
    if (document.visibilityState === 'visible' && document.hasFocus()) {
      timer = setTimeout(() => button.removeAttribute('aria-disabled'), SECOND)
    }
  }
  button.form.addEventListener('submit', (event) => {
    const other = event.submitter && event.submitter !== button
    if (!other && button.getAttribute('aria-disabled') === 'true') event.preventDefault()
  })
  for (const type of ['focus', 'blur', 'pageshow']) addEventListener(type, look)
  document.addEventListener('visibilitychange', look)
  look()
}

/** How it ended, to the page that opened this window: only to origins of the project, and to our own frame. */
function tell(element) {
  const { outcome: status, attempt, also, origins } = element.dataset
  const messages = [{ type: 'mooring:outcome', status, attempt }, also].filter(Boolean)
  const receivers = [window.opener, window.parent].filter((receiver) => receiver && receiver !== window)
  for (const receiver of receivers) {
    for (const origin of new Set([location.origin, ...origins.split(' ').filter(Boolean)])) {
      for (const message of messages) receiver.postMessage(message, origin)
    }
  }
  element.hidden = !window.opener // a window that no script opened closes for none
  element.querySelector('button').addEventListener('click', () => window.close())
}

/** Our frame in a page of the customer's passes on what the window that it opened says, and shows that it is done. */
function relay(element) {
  const ours = (data) => data?.type === 'mooring:outcome' || /^vectorize-(connect|edit)-complete$/.test(data)
  addEventListener('message', ({ origin, source, data }) => {
    if (origin !== location.origin || source === window || !ours(data)) return
    for (const allowed of element.dataset.origins.split(' ').filter(Boolean)) window.parent.postMessage(data, allowed)
    if (data.status !== 'connected') return
    document.querySelector('[data-until-done]').hidden = true
    element.hidden = false
  })
}

for (const form of all('form[data-narrow]')) {
  form.querySelector('button').hidden = true // it is done as somebody types
  narrow(document, remember)
}
all('[data-reveals]').forEach(reveal)
all('[data-sift]').forEach(sift)
all('[data-sleeps]').forEach(wake)
all('[data-outcome]').forEach(tell)
all('[data-when-done]').forEach(relay)
