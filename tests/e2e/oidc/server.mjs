// A certified authorization server (oidc-provider), started on any free port of this machine, as a provider that is not ours:
//
//   node server.mjs --redirect-uri https://… [--access-token-ttl seconds] [--host oidc.localhost] [--open]
//
// Prints one line of JSON, `{"issuer", "client_id", "client_secret"}`, and runs until it is stopped. It asks for PKCE, rotates
// refresh tokens and revokes the whole family when an old one comes again. Anybody logs in with any password. With `--open` it also
// registers clients (RFC 7591, 7592), takes pushed requests (RFC 9126) and devices (RFC 8628), and gives tokens for one resource
// (RFC 8707), whatever resource that is. With `--pushed` it takes pushed requests and devices as well, and no request of a browser's
// own; each push and each device is a further line. With `--keyed` its client has a key in place of a secret (RFC 7523), and the line has
// `private_key`.

import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    'redirect-uri': { type: 'string' },
    'access-token-ttl': { type: 'string', default: '3600' },
    host: { type: 'string', default: '127.0.0.1' },
    keyed: { type: 'boolean', default: false },
    open: { type: 'boolean', default: false },
    pushed: { type: 'boolean', default: false },
  },
})
if (!values['redirect-uri']) throw new Error('--redirect-uri is missing')

// its notices go to standard error, so that standard output is the one line
console.info = console.log = console.warn = console.error
const modules = createRequire(new URL('../.work/oidc/', import.meta.url))
const { Provider } = await import(pathToFileURL(modules.resolve('oidc-provider')))

const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://${values.host}:${server.address().port}`
const secret = { client_id: 'mooring', client_secret: randomBytes(24).toString('base64url') }
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
const keyed = { client_id: 'mooring', token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [pair.publicKey.export({ format: 'jwk' })] } }
const client = values.keyed ? keyed : { token_endpoint_auth_method: 'client_secret_basic', ...secret }

const enabled = { enabled: true }
const device = 'urn:ietf:params:oauth:grant-type:device_code'
const pushed = { deviceFlow: enabled, pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true } }
const open = {
  deviceFlow: enabled,
  pushedAuthorizationRequests: enabled,
  registration: enabled,
  registrationManagement: enabled,
  resourceIndicators: {
    enabled: true,
    defaultResource: () => undefined,
    useGrantedResource: () => true,
    getResourceServerInfo: (_context, resource) => ({ scope: 'tools:read', audience: resource, accessTokenFormat: 'opaque' }),
  },
}

const provider = new Provider(issuer, {
  clients: [
    {
      ...client,
      redirect_uris: [values['redirect-uri']],
      grant_types: ['authorization_code', 'refresh_token', ...(values.pushed ? [device] : [])],
      response_types: ['code'],
    },
  ],
  ...(values.keyed && { clientAuthMethods: ['private_key_jwt'], enabledJWA: { clientAuthSigningAlgValues: ['RS256'] } }),
  claims: { openid: ['sub'], email: ['email'] },
  cookies: { keys: [randomBytes(24).toString('base64url')] },
  conformIdTokenClaims: false,
  features: { introspection: enabled, revocation: enabled, ...(values.open && open), ...(values.pushed && pushed) },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@oidc.example` }) }),
  issueRefreshToken: () => true, // without being asked for offline_access, as most providers do
  pkce: { required: () => true },
  rotateRefreshToken: true,
  scopes: ['openid', 'offline_access', ...(values.open ? ['tools:read'] : [])],
  ttl: { AccessToken: Number(values['access-token-ttl']), AuthorizationCode: 60, Grant: 86400, Interaction: 600, RefreshToken: 86400, Session: 3600 },
})
server.on('request', provider.callback())
const told = values.keyed ? { client_id: 'mooring', private_key: pair.privateKey.export({ format: 'pem', type: 'pkcs8' }) } : secret
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
tell({ issuer, ...told })
provider.on('pushed_authorization_request.success', (context, client) => tell({ pushed: client.clientId, params: Object.keys(context.oidc.body) }))
provider.on('device_authorization.success', (context, answer) => {
  // Mooring shows nobody an address without TLS, and what is played here is a server with TLS in front of it
  for (const name of ['verification_uri', 'verification_uri_complete']) answer[name] = answer[name].replace(/^http:/, 'https:')
  tell({ device: context.oidc.client.clientId })
})
