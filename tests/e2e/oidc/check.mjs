// Sees that the authorization server of server.mjs is as strict as the tests that use it take for granted.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const redirectUri = 'http://127.0.0.1:1/callback'
const server = spawn(process.execPath, [fileURLToPath(new URL('server.mjs', import.meta.url)), '--redirect-uri', redirectUri], {
  stdio: ['ignore', 'pipe', 'ignore'],
})
try {
  const [line] = await once(createInterface(server.stdout), 'line')
  const { issuer, client_id, client_secret } = JSON.parse(line)
  const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()
  const verifier = randomBytes(32).toString('base64url')
  const challenge = createHash('sha256').update(verifier).digest('base64url')

  const bare = await authorize(metadata, { client_id })
  assert.equal(bare.get('error'), 'invalid_request', 'a request without PKCE is refused')

  const answer = await authorize(metadata, { client_id, code_challenge: challenge, code_challenge_method: 'S256' })
  assert.equal(answer.get('iss'), issuer, 'iss is told (RFC 9207)')
  const ask = (params, secret = client_secret) =>
    fetch(metadata.token_endpoint, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${client_id}:${secret}`).toString('base64')}` },
      body: new URLSearchParams(params),
    })
  const code = { grant_type: 'authorization_code', code: answer.get('code'), redirect_uri: redirectUri, code_verifier: verifier }
  assert.equal((await ask(code, 'wrong')).status, 401, 'the client proves itself')
  const first = await (await ask(code)).json()
  assert.ok(first.access_token && first.refresh_token)

  const profile = await (await fetch(metadata.userinfo_endpoint, { headers: { authorization: `Bearer ${first.access_token}` } })).json()
  assert.deepEqual(profile, { sub: 'alice', email: 'alice@oidc.example' })

  const refresh = (refresh_token) => ask({ grant_type: 'refresh_token', refresh_token })
  const second = await (await refresh(first.refresh_token)).json()
  assert.notEqual(second.refresh_token, first.refresh_token, 'refresh tokens rotate')
  assert.equal((await refresh(first.refresh_token)).status, 400, 'an old refresh token is refused')
  assert.equal((await refresh(second.refresh_token)).status, 400, 'and ends the whole family')
  console.log('oidc-provider: PKCE, iss, client authentication, rotation and family revocation hold')
} finally {
  server.kill()
}

/** Asks for a code as a browser would, logs in and consents; answers the parameters that come back. */
async function authorize(metadata, params) {
  const query = new URLSearchParams({ response_type: 'code', redirect_uri: redirectUri, scope: 'openid email', state: 's', ...params })
  const cookies = new Map()
  const visit = async (url, body) => {
    const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
    const response = await fetch(url, { method: body ? 'POST' : 'GET', headers, body, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)
      cookies.set(name, value)
    }
    return response
  }
  let response = await visit(`${metadata.authorization_endpoint}?${query}`)
  for (let steps = 0; steps < 12; steps += 1) {
    const next = response.headers.get('location')
    if (next?.startsWith(redirectUri)) return new URL(next).searchParams
    if (next) {
      response = await visit(new URL(next, metadata.issuer))
      continue
    }
    const page = await response.text()
    const action = /action="([^"]+)"/.exec(page)[1]
    const prompt = /name="prompt" value="(\w+)"/.exec(page)[1]
    response = await visit(new URL(action, metadata.issuer), new URLSearchParams(prompt === 'login' ? { prompt, login: 'alice', password: 'x' } : { prompt }))
  }
  throw new Error('the authorization server never came back')
}
