// What a customer writes to connect accounts on its own page.

const ways = document.querySelector('.ways')
const { connect, resume } = await import(`${ways.dataset.mooring}/connect.js`)
const welcome = () => location.assign('/?status=connected')
const options = { sessionUrl: '/api/connect-session', onSuccess: welcome, onError: show }

/** The frame says that it is done, and stays until the person closes it. */
function inFrame() {
  let connected = false
  return { onSuccess: () => (connected = true), onClose: () => connected && welcome() }
}

function show({ code, message }) {
  const trouble = document.getElementById('trouble')
  trouble.textContent = `${message || code}`
  trouble.hidden = false
}

ways.addEventListener('click', ({ target }) => {
  const { mode } = target.dataset
  if (mode) connect({ ...options, connector: ways.dataset.connector, mode, ...(mode === 'frame' && inFrame()) }).catch(() => {})
})
ways.hidden = false
resume(options).catch(() => {})
