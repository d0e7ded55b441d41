/** What the pages do beyond a plain one. Every part looks for its own element, and every page works without it. */
'use strict'
{
  const all = (selector) => document.querySelectorAll(selector)

  /** The list: shows what fits as somebody types. The same rule as the server's, which answers the form without us. */
  function narrow(form) {
    const entries = [...all('[data-entry]')]
    const count = document.querySelector('[data-count]')
    const empty = document.querySelector('[data-empty]')
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
      const address = new URL(location.href)
      for (const [name, value] of [['q', wanted], ['category', category]]) {
        if (value) address.searchParams.set(name, value)
        else address.searchParams.delete(name)
      }
      history.replaceState(null, '', address) // so that coming back shows the same
    }
    form.querySelector('button').hidden = true
    form.addEventListener('input', show)
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      show()
    })
    empty.querySelector('a').addEventListener('click', (event) => {
      event.preventDefault()
      form.elements.q.value = ''
      form.querySelector('[name=category]').checked = true // the first is all of them
      show()
      form.elements.q.focus()
    })
    show()
  }

  /** A secret can be looked at by who types it, to see whether it was copied whole. */
  function reveal(button) {
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

  all('form[data-narrow]').forEach(narrow)
  all('[data-reveals]').forEach(reveal)
}
