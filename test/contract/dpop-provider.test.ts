import * as oauth from 'oauth4webapi'
import t, { type Test } from 'tap'
import { startDevelopmentIssuer } from '../../src/development/issuer.ts'
import { appUnderTest } from '../support/app.ts'
import { until } from '../support/until.ts'

// A client library, a real provider and the service: nobody here was written for the others.

const audience = 'https://api.example.com'
const scope = 'documents:read documents:write'
const provider = await startDevelopmentIssuer({ audience, scopes: scope.split(' ') })
t.teardown(() => provider.close())
const insecure = { [oauth.allowInsecureRequests]: true }
const client: oauth.Client = { client_id: 'latchkey-machine' }

for (const nonces of [false, true])
  for (const algorithm of ['ES256', 'Ed25519'])
    void t.test(
      `DPOP-1, DPOP-11: oauth4webapi gets a bound token and in, ${algorithm}, nonces ${nonces ? 'on' : 'off'}`,
      async (t) => {
        const origin = await startService(t, nonces)
        const DPoP = oauth.DPoP(client, await oauth.generateKeyPair(algorithm))
        const token = await requestToken(DPoP)
        const call = async (method: string, path: string, body?: string) =>
          callWithRetry(async () =>
            oauth.protectedResourceRequest(
              token,
              method,
              new URL(path, origin),
              new Headers({ 'content-type': 'application/json' }),
              body,
              { DPoP, ...insecure }
            )
          )
        const whoami = await call('GET', '/whoami')
        t.equal(whoami.response.status, 200)
        t.equal(whoami.retries, nonces ? 1 : 0, 'one retry for the first nonce')
        const created = await call('POST', '/documents', '{"data":{}}')
        t.equal(created.response.status, 201)
        t.equal(created.retries, 0, 'the nonce is known')
        t.equal((await call('GET', '/documents?limit=5')).response.status, 200)
        const stolen = await fetch(`${origin}/whoami`, {
          headers: { authorization: `Bearer ${token}` }
        })
        t.equal(stolen.status, 401, 'without the key the token is worth nothing')
      }
    )

async function startService(t: Test, nonces: boolean): Promise<string> {
  const { issuer } = provider
  const { app } = await appUnderTest(t, {
    issuers: [{ issuer, audience, dpop: 'optional' }],
    dpopProofs: { nonces }
  })
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  await until(() => app.latchkey.isReady())
  return origin
}

async function requestToken(DPoP: oauth.DPoPHandle): Promise<string> {
  const issuer = new URL(provider.issuer)
  const server = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, insecure)
  )
  const credentials = oauth.ClientSecretBasic(provider.clientSecret)
  const answer = await oauth.clientCredentialsGrantRequest(
    server,
    client,
    credentials,
    { scope },
    { DPoP, ...insecure }
  )
  const token = await oauth.processClientCredentialsResponse(server, client, answer)
  if (token.token_type !== 'dpop') throw new Error(`The provider gave a ${token.token_type} token`)
  return token.access_token
}

/** As the library's documentation says: a nonce is learned from the refusal, and the call repeated. */
async function callWithRetry(
  call: () => Promise<Response>,
  retries = 0
): Promise<{ response: Response; retries: number }> {
  try {
    return { response: await call(), retries }
  } catch (error) {
    if (retries > 0 || !oauth.isDPoPNonceError(error)) throw error
    return callWithRetry(call, retries + 1)
  }
}
