import { decodeJwt } from 'jose'
import t from 'tap'
import { startDevelopmentIssuer } from '../../src/development/issuer.ts'

const audience = 'http://127.0.0.1:3000'
const development = await startDevelopmentIssuer({ audience, scopes: ['documents:read'] })
t.teardown(() => development.close())
const { issuer } = development

const metadataAt = async (path: string) =>
  (await (await fetch(issuer + path)).json()) as Readonly<Record<string, string>>
const metadata = await metadataAt('/.well-known/oauth-authorization-server')

for (const [resource, expected] of [
  ['http://127.0.0.1:4000/mcp', 'http://127.0.0.1:4000/mcp'],
  ['http://localhost:4000', 'http://localhost:4000'],
  ['http://127.0.0.1:3000', audience],
  ['http://localhost:3000/', audience],
  ['https://api.example.com', audience],
  ['urn:example:api', audience]
] as const) {
  void t.test(`a token for ${resource} says ${expected} (RFC 8707)`, async (t) => {
    t.equal(decodeJwt(await mint(development, resource)).aud, expected)
  })
}

void t.test('an API that does not know its port is the only one', async (t) => {
  const lonely = await startDevelopmentIssuer({ audience: 'http://127.0.0.1:0', scopes: [] })
  t.teardown(() => lonely.close())
  const token = await mint(lonely, 'http://127.0.0.1:4000')
  t.equal(decodeJwt(token).aud, 'http://127.0.0.1:0')
})

void t.test('both metadata documents agree (RFC 8414, OpenID Connect Discovery)', async (t) => {
  t.strictSame(metadata, await metadataAt('/.well-known/openid-configuration'))
})

void t.test('a client registers itself, and is not held to the scopes it names', async (t) => {
  const { status, client } = await register('http://127.0.0.1:49152/callback')
  t.equal(status, 201)
  t.type(client['client_id'], 'string')
  t.equal(client['scope'], undefined)
  t.equal((await authorize(client, 'http://127.0.0.1:49152/callback')).status, 303)
})

void t.test('a client that registers itself is redirected to loopback only', async (t) => {
  const { client } = await register('https://evil.example/callback')
  const answer = await authorize(client, 'https://evil.example/callback')
  t.equal(answer.status, 400)
  t.equal(answer.headers.get('location'), null)
})

/** A token of the machine, for a resource. */
async function mint(from: typeof development, resource: string): Promise<string> {
  const credentials = Buffer.from(`latchkey-machine:${from.clientSecret}`).toString('base64')
  const answer = await fetch(`${from.issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${credentials}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource })
  })
  return ((await answer.json()) as { access_token: string }).access_token
}

async function register(redirectUri: string) {
  const answer = await fetch(metadata['registration_endpoint'] ?? '', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: 'none',
      scope: 'documents:read'
    })
  })
  return { status: answer.status, client: (await answer.json()) as Record<string, string> }
}

async function authorize(client: Readonly<Record<string, string>>, redirectUri: string) {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: client['client_id'] ?? '',
    redirect_uri: redirectUri,
    scope: 'openid',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256'
  })
  const url = `${metadata['authorization_endpoint'] ?? ''}?${query.toString()}`
  return fetch(url, { redirect: 'manual' })
}
