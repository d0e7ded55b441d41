// A small MCP server with one tool, whose tokens come from the authorization server of server.mjs:
//
//   node mcp.mjs --issuer http://… --client-id … --client-secret …
//
// Prints one line of JSON, `{"mcp"}`, and runs until it is stopped. Who has no token for it is told where its metadata stands
// (RFC 9728); a token is looked up at its issuer (RFC 7662) and has to be for this very address. It answers in a stream of events.

import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'

const text = { type: 'string' }
const { values } = parseArgs({ options: { issuer: text, 'client-id': text, 'client-secret': text } })

const server = createServer(answer)
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const origin = `http://127.0.0.1:${server.address().port}`
const resource = `${origin}/mcp`
const sessions = new Set()
process.stdout.write(`${JSON.stringify({ mcp: resource })}\n`)

async function answer(request, response) {
  if (request.url === '/.well-known/oauth-protected-resource/mcp') {
    const metadata = { resource, authorization_servers: [values.issuer], scopes_supported: ['tools:read'], resource_name: 'Certified tools' }
    return json(response, 200, metadata)
  }
  if (request.url !== '/mcp') return json(response, 404, { error: 'not_found' })
  if (!(await isForUs(request.headers.authorization))) {
    response.setHeader('www-authenticate', `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`)
    return json(response, 401, { error: 'invalid_token' })
  }
  if (request.method !== 'POST') return json(response, 405, { error: 'method_not_allowed' })
  if (!/application\/json.*text\/event-stream/.test(request.headers.accept ?? '')) return json(response, 406, { error: 'not_acceptable' })

  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const { id, method, params } = JSON.parse(Buffer.concat(chunks))
  if (method === 'initialize') {
    const session = randomUUID()
    sessions.add(session)
    response.setHeader('mcp-session-id', session)
    const result = { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'certified', version: '1' } }
    return stream(response, id, { result })
  }
  if (!sessions.has(request.headers['mcp-session-id'])) return json(response, 404, { error: 'no_session' })
  if (request.headers['mcp-protocol-version'] !== '2025-06-18') return json(response, 400, { error: 'protocol_version' })
  if (method === 'tools/list') {
    return stream(response, id, { result: { tools: [{ name: 'double', inputSchema: { type: 'object' } }] } })
  }
  if (method === 'tools/call' && params.name === 'double') {
    return stream(response, id, { result: { content: [{ type: 'text', text: String(params.arguments.number * 2) }] } })
  }
  return stream(response, id, { error: { code: -32601, message: 'method not found' } })
}

/** Asks the issuer, as every resource server may. */
async function isForUs(authorization) {
  const token = /^Bearer (.+)$/.exec(authorization ?? '')?.[1]
  if (!token) return false
  const basic = Buffer.from(`${values['client-id']}:${values['client-secret']}`).toString('base64')
  const answer = await fetch(`${values.issuer}/token/introspection`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ token }),
  })
  const { active, aud } = await answer.json()
  return active === true && aud === resource
}

function json(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** An event in two pieces, with some time between them: who buffers is found out. */
function stream(response, id, answer) {
  const event = `event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, ...answer })}\n\n`
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': here it comes\n\n')
  setTimeout(() => response.end(event), 50)
}
