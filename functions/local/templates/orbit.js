// What a customer writes to connect accounts on its own page.

const ways = document.querySelector('.ways')
const { connect, resume } = await import(`${ways.dataset.mooring}/connect.js`)
const options = { sessionUrl: '/api/connect-session', onSuccess: () => location.assign('/?status=connected'), onError: show }

function show({ code, message }) {
  const trouble = document.getElementById('trouble')
  trouble.textContent = `${message || code}`
  trouble.hidden = false
}

ways.addEventListener('click', ({ target }) => {
  const { mode } = target.dataset
  if (mode) connect({ ...options, connector: ways.dataset.connector, mode }).catch(() => {})
})
ways.hidden = false
resume(options).catch(() => {})
