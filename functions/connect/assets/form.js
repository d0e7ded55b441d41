// What forms do beyond plain ones, for every page of ours that has one.

/** The list: shows what fits as somebody types. The same rule as the server's, which answers the form without us. */
export function narrow(root, changed = () => {}) {
  const form = root.querySelector('[data-narrow]')
  const entries = [...root.querySelectorAll('[data-entry]')]
  const count = root.querySelector('[data-count]')
  const empty = root.querySelector('[data-empty]')
  const first = form.querySelector('[name=category]')
  const show = () => {
    const wanted = form.elements.q.value.trim().toLowerCase()
    const category = form.elements.category.value
    let shown = 0
    for (const entry of entries) {
      const fits = entry.dataset.entry.includes(wanted) && (!category || entry.dataset.categories.split(' ').includes(category))
      entry.hidden = !fits
      if (fits) shown += 1
    }
    count.textContent = shown === 1 ? count.dataset.one : count.dataset.many.replace('{}', shown)
    empty.hidden = shown > 0
    changed({ q: wanted, category })
  }
  form.addEventListener('input', show)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    show()
  })
  empty.querySelector('a, button').addEventListener('click', (event) => {
    event.preventDefault()
    form.elements.q.value = ''
    if (first.type === 'radio') first.checked = true // the first is all of them
    else first.value = ''
    show()
    form.elements.q.focus()
  })
  show()
}

/** A long list to choose one from: shows what fits as somebody types. What is chosen stays in sight. */
export function sift(line) {
  const input = line.querySelector('input')
  const list = line.parentElement
  const options = [...list.querySelectorAll('[data-option]')]
  const nothing = list.querySelector('[data-nothing]')
  line.hidden = false
  input.addEventListener('input', () => {
    const wanted = input.value.trim().toLowerCase()
    for (const option of options) {
      option.hidden = !option.dataset.option.includes(wanted) && !option.querySelector('input').checked
    }
    nothing.hidden = options.some((option) => !option.hidden)
  })
  // what is looked for is no answer
  input.addEventListener('keydown', (event) => event.key === 'Enter' && event.preventDefault())
}

/** A secret can be looked at by who types it, to see whether it was copied whole. */
export function reveal(button) {
  const input = document.getElementById(button.dataset.reveals)
  const show = (visible) => {
    input.type = visible ? 'text' : 'password'
    button.textContent = visible ? button.dataset.hideShort : button.dataset.showShort
    button.setAttribute('aria-label', visible ? button.dataset.hide : button.dataset.show)
  }
  button.hidden = false
  button.parentElement.classList.add('revealable')
  button.addEventListener('click', () => {
    show(input.type === 'password')
    input.focus()
  })
  input.form.addEventListener('submit', () => show(false)) // so that no browser remembers it as a text
  show(false)
}

/** Puts a connector's fields, as the server wrote them, where they belong, and the cursor where something has to be typed. */
export function put(place, fields) {
  place.innerHTML = fields
  place.querySelectorAll('[data-reveals]').forEach(reveal)
  const first = place.querySelector('[autofocus]') ?? place.querySelector('input, select, textarea')
  first?.focus()
}

/** What somebody typed into a connector's fields. */
export function inputs(form) {
  const typed = [...new FormData(form)].filter(([name]) => name.startsWith('input_'))
  return Object.fromEntries(typed.map(([name, value]) => [name.slice('input_'.length), value]))
}

/** Runs what a form asks for, once at a time: a second click on its button waits for the first. */
export async function busy(form, run) {
  const button = form.querySelector('[type=submit]')
  if (button.getAttribute('aria-disabled') === 'true') return
  button.setAttribute('aria-disabled', 'true')
  form.setAttribute('aria-busy', 'true')
  try {
    await run()
  } finally {
    button.removeAttribute('aria-disabled')
    form.removeAttribute('aria-busy')
  }
}

/** Of several sentences, the one for this reason; for one that has none, the last. */
export function because(view, why) {
  const all = [...view.querySelectorAll('[data-why]')]
  const fitting = all.find((sentence) => sentence.dataset.why === why) ?? all.at(-1)
  for (const sentence of all) sentence.hidden = sentence !== fitting
}

/** The reason for which there is a sentence, in what the server answered. */
export function reason({ code, status }) {
  if (status === 401) return 'unauthorized'
  return status === 404 ? 'not_found' : code
}

/** Writes values where a text has their names in braces. They stay text, whatever stands in them. */
export function fill(root, values) {
  const filled = (text) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole)
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT)
  while (walk.nextNode()) {
    const node = walk.currentNode
    if (node.nodeType === Node.TEXT_NODE) node.data = filled(node.data)
    else if (node.hasAttribute('aria-label')) node.setAttribute('aria-label', filled(node.getAttribute('aria-label')))
  }
}
