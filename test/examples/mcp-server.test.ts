import t, { type Test } from 'tap'
import { connect } from '../../examples/mcp-server/client.ts'
import { buildMcpServer } from '../../examples/mcp-server/server.ts'
import { startDevelopmentIssuer } from '../../src/development/issuer.ts'
import { mintUserToken } from '../../src/development/mint-token.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { createBrowser } from '../src/development/browser.ts'
import { parseChallenges } from '../support/challenge.ts'
import { freePort } from '../support/free-port.ts'

// The issuer is that of `npm start`: it stands beside another API, and knows this one by the resource that clients name.
const development = await startDevelopmentIssuer({
  audience: 'http://127.0.0.1:3000',
  scopes: ['documents:read', 'documents:write']
})
t.teardown(() => development.close())
const { issuer } = development

void t.test('the official SDK finds its way from a 401 to the answer of a tool', async (t) => {
  const url = await startMcpServer(t)
  const ada = browserOf('ada')
  const client = await connect(url, ada.open)
  t.teardown(client.close)
  t.same(ada.asked(), [{ resource: url.href, scope: 'documents:read' }])
  t.equal(await client.call('list_notes'), 'ada has no notes')

  t.equal(await client.call('add_note', { text: 'Buy milk' }), 'Noted for ada')
  t.same(
    ada.asked().at(-1),
    { resource: url.href, scope: 'documents:read documents:write' },
    'a tool that needs more scope made it ask again, for all of it at once'
  )
  t.equal(await client.call('list_notes'), 'Buy milk')
  t.equal(ada.asked().length, 2, 'and that was the last time')

  const other = await connect(url, browserOf('grace').open)
  t.teardown(other.close)
  t.equal(await other.call('list_notes'), 'grace has no notes', 'everybody has notes of their own')
})

void t.test('what the challenges of an MCP server say', async (t) => {
  const url = await startMcpServer(t)
  const metadata = `${url.origin}/.well-known/oauth-protected-resource/mcp`
  const answer = await fetch(url, { method: 'POST' })
  t.equal(answer.status, 401)
  const [challenge] = parseChallenges(answer.headers.get('www-authenticate'))
  t.match(challenge?.params, { scope: 'documents:read', resource_metadata: metadata })
  t.match(await (await fetch(metadata)).json(), {
    resource: url.href,
    authorization_servers: [issuer],
    scopes_supported: ['documents:read']
  })
})

void t.test('the 403 of a tool names all scopes at once, and the metadata', async (t) => {
  const { url, token } = await startForTokens(t)
  const parameters = { name: 'add_note', arguments: { text: 'Buy milk' } }
  const answer = await post(url, token, { method: 'tools/call', params: parameters })
  t.equal(answer.status, 403)
  const [challenge] = parseChallenges(answer.headers.get('www-authenticate'))
  t.match(challenge?.params, {
    error: 'insufficient_scope',
    scope: 'documents:read documents:write',
    resource_metadata: `${url.origin}/.well-known/oauth-protected-resource/mcp`
  })
})

void t.test('a token of the same issuer for the API beside it opens nothing', async (t) => {
  const url = await startMcpServer(t)
  const token = await mintUserToken({ issuer, scope: 'documents:read', user: 'ada' })
  const answer = await post(url, token)
  t.equal(answer.status, 401)
  t.match(answer.headers.get('www-authenticate'), /error="invalid_token"/)
})

void t.test('a page of another origin gets nothing, even with a good token', async (t) => {
  const { url, token } = await startForTokens(t)
  const list = { method: 'tools/list' }
  t.equal((await post(url, token, list)).status, 200)
  t.equal((await post(url, token, list, { origin: 'https://evil.example' })).status, 403)
})

/** A server with a token for it, got without a browser. */
async function startForTokens(t: Test) {
  const trusted = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => trusted.close())
  const url = await startMcpServer(t, trusted.issuer)
  return { url, token: await trusted.mint({ aud: url.href, scope: 'documents:read' }) }
}

/** Sends a message as the clients of older protocol versions do. */
function post(url: URL, token: string, message: object = {}, headers = {}) {
  return fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      ...headers
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message })
  })
}

async function startMcpServer(t: Test, trusted = issuer): Promise<URL> {
  const port = await freePort()
  const publicUrl = `http://127.0.0.1:${port}/mcp`
  const app = await buildMcpServer({ issuer: trusted, publicUrl })
  t.teardown(() => app.close())
  await app.listen({ port })
  return new URL(publicUrl)
}

/** A person at a browser, and what clients sent them to the issuer for. */
function browserOf(user: string) {
  const urls: URL[] = []
  const browser = createBrowser(issuer)
  const signIn = async ({ href }: URL) => {
    const page = await browser.open(href)
    const landed = page.status === 200 ? await browser.open(page.url, { user }) : page
    if (landed.url.startsWith(issuer)) throw new Error(`The sign-in ended with: ${landed.body}`)
    await fetch(landed.url)
  }
  return {
    open: (url: URL) => {
      urls.push(url)
      void signIn(url)
    },
    asked: () =>
      urls.map(({ searchParams }) => ({
        resource: searchParams.get('resource'),
        scope: searchParams.get('scope')
      }))
  }
}
