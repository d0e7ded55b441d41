// The window that an app's page opens. It asks that page for its connect session, lets the server make the attempt in this
// browser, and goes on to the provider. Once it has left, nothing is asked of the opener any more: a provider's page may sever it.

const base = new URL('..', import.meta.url)
const connector = new URLSearchParams(location.search).get('connector')
let asked = false

function stop(reason) {
  document.getElementById('waiting').hidden = true
  document.getElementById('failed').hidden = false
  if (reason) document.getElementById('reason').textContent = reason
}

async function begin(session, opener, origin) {
  const response = await fetch(new URL('v1/connect/attempts', base), {
    method: 'POST',
    headers: { authorization: `Bearer ${session}`, 'content-type': 'application/json' },
    body: JSON.stringify({ connector, opener: origin }),
  })
  const answer = await response.json()
  if (!response.ok) throw answer
  opener.postMessage({ type: 'mooring:attempt', attempt: answer.attempt }, origin)
  location.replace(answer.url)
}

const opener = window.opener
if (!opener || !connector) {
  stop()
} else {
  window.addEventListener('message', (event) => {
    // only who opened this window is answered, and once; who that is, the browser says, and the server decides whether it may
    if (asked || event.source !== opener || event.data?.type !== 'mooring:session') return
    asked = true
    begin(event.data.session, opener, event.origin).catch((error) => {
      const { error: code = 'server_error', error_description: description } = error
      opener.postMessage({ type: 'mooring:error', error: code, error_description: description }, event.origin)
      stop(description)
    })
  })
  // there is nothing in it that anybody may not know; again and again, since the session may still be on its way
  const asking = setInterval(() => (asked ? clearInterval(asking) : opener.postMessage({ type: 'mooring:ready' }, '*')), 200)
  opener.postMessage({ type: 'mooring:ready' }, '*')
}
