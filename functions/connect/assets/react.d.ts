import type { ConnectError, ConnectOptions, Connection } from './connect'

/** A button's worth of state. What is under way is given up when the component goes. */
export function useConnect(options: Partial<ConnectOptions>): {
  /** Call it from the click itself; what it is given counts above the hook's own options. */
  start: (more?: Partial<ConnectOptions>) => Promise<Connection | undefined>
  pending: boolean
  connection: Connection | undefined
  error: ConnectError | undefined
}
