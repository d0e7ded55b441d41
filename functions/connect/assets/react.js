import { useCallback, useEffect, useRef, useState } from 'react'
import { connect } from './connect.js'

/**
 * A button's worth of state: `const { start, pending, connection, error } = useConnect({ sessionUrl, connector })`.
 * Call `start` from the click itself. What is under way is given up when the component goes.
 * @param {import('./connect').ConnectOptions} options
 */
export function useConnect(options) {
  const [state, setState] = useState({ pending: false, connection: undefined, error: undefined })
  const latest = useRef(options)
  const running = useRef(undefined)
  useEffect(() => {
    latest.current = options
  })
  useEffect(() => () => running.current?.abort(), [])

  const start = useCallback((more) => {
    running.current?.abort()
    const controller = (running.current = new AbortController())
    setState({ pending: true, connection: undefined, error: undefined })
    const tell = (outcome) => controller === running.current && setState({ pending: false, connection: undefined, error: undefined, ...outcome })
    const asked = { ...latest.current, ...more }
    asked.signal?.addEventListener('abort', () => controller.abort(), { once: true })
    return connect({ ...asked, signal: controller.signal }).then(
      (connection) => (tell({ connection }), connection),
      (error) => tell(error.code === 'aborted' ? {} : { error }),
    )
  }, [])

  return { ...state, start }
}
