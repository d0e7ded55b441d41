/** A connected account, as the API describes it. */
export interface Connection {
  /** The connection's key: what passthrough is called with. */
  key: string
  id: string
  platform: string
  name: string
  environment: string
  identity: string | null
  identityType: string | null
  [member: string]: unknown
}

export interface ConnectOptions {
  /** Where Mooring is; by default, where this module came from. Say it where the module is part of a bundle. */
  baseUrl?: string
  /** The `session` that your back end got from `POST /v1/connect/sessions`, or a function that gets one. */
  session?: string | (() => string | Promise<string>)
  /** Or a route of yours that answers the body of `POST /v1/connect/sessions` to a POST. */
  sessionUrl?: string
  /** What to connect: a connector's id. With `frame` it may be left out, and the person chooses from the list. */
  connector?: string
  /** A window of its own (the default); this one, where you call `resume` on the way back; or a frame over this page. */
  mode?: 'popup' | 'redirect' | 'frame'
  /** With `redirect`: where to come back to, a page of this origin; by default this one. */
  returnTo?: string
  /** With `frame`: what stands at its top, by default the app's name. */
  title?: string
  /** With `frame`: the app's logo and name, by default the project's. */
  imageUrl?: string
  companyName?: string
  /** With `frame`: by default as the person's system is set. */
  appTheme?: 'dark' | 'light'
  /** With `frame`: whether the person may name the connection. */
  showNameInput?: boolean
  /** With `frame`: it is gone from the page. The connection may have been there before, for the person closes it. */
  onClose?: () => void
  onSuccess?: (connection: Connection) => void
  onError?: (error: ConnectError) => void
  /** Gives up waiting. */
  signal?: AbortSignal
}

/** Why nothing was connected. The message is a sentence for a log, in English; tell people by `code`. */
export class ConnectError extends Error {
  /**
   * - `popup_blocked`, `closed`, `aborted`: the window, the person or the signal put an end to it.
   * - `access_denied`, or another code of the provider's: it was refused there. `expired`: it took too long.
   * - `no_session`: your own route gave none. `session_expired`: it was older than five minutes. `invalid_options`: an option lacks.
   * - `origin_not_allowed`, `connector_not_found`, `client_not_configured`, `provider_unreachable`, …: Mooring's own codes, as
   *   `openapi.yaml` lists them.
   * - `unreachable`: Mooring does not answer. `failed`: anything else.
   */
  code: string
  constructor(code: string, message?: string)
}

/** Connects one account. Call it directly from a click, or the browser blocks the window. */
export function connect(options: ConnectOptions): Promise<Connection>

/** Call it when a page loads that `mode: 'redirect'` comes back to; `null` where nobody came back. */
export function resume(options: Omit<ConnectOptions, 'connector' | 'mode'>): Promise<Connection | null>

export const mooring: {
  authenticate(session: string): void
  connect(connector: string, options?: Partial<ConnectOptions>): Promise<Connection>
}
