import { join } from 'node:path'
import * as oauth from 'oauth4webapi'
import t, { type Test } from 'tap'
import { type Api, startApi } from '../support/api.ts'
import { clientCertificate, clientKey, renewedCertificate } from '../support/client-certificates.ts'
import { startFapiProvider } from '../support/fapi-provider.ts'
import { askOverTls, startTlsApp } from '../support/tls-client.ts'

// oidc-provider, oauth4webapi and the profile with opaque tokens: nobody here was written for the others.

const provider = await startFapiProvider(t)
const { issuer, audience, requestToken, requestCertifiedToken, revoke } = provider
const client: oauth.Client = { client_id: 'app' }
const good = /^HTTP\/1\.1 200 /
const invalidToken = { status: 401, challenges: [{}, { params: { error: 'invalid_token' } }] }
const refused = /^HTTP\/1\.1 401 [^]*error="invalid_token"/

for (const keyName of ['RSA', 'P-256', 'Ed25519'] as const)
  void t.test(`FAPI-2, FAPI-3: a DPoP token, the API known by its ${keyName} key`, async (t) => {
    const api = await startApiWith(t, keyName)
    const DPoP = await createHandle()
    const token = await requestToken(DPoP)
    t.notMatch(token, '.', 'it is opaque')
    for (const time of ['first', 'second', 'third'])
      t.match(await call(api, token, DPoP), { iss: issuer, sub: 'app', aud: audience }, time)
    await refuses(t, call(api, token, await createHandle()), 'the proof of another key')
    t.match(await api.ask(token), invalidToken, 'the token alone')
  })

void t.test('FAPI-2, INT-8: a token whose introspection answer has no cnf', async (t) => {
  const api = await startApiWith(t)
  const token = await requestToken()
  t.match(await api.ask(token), invalidToken, 'as bearer token')
  await refuses(t, call(api, token, await createHandle()), 'with a proof')
})

void t.test('FAPI-1: a token that the issuer has revoked', async (t) => {
  const api = await startApiWith(t)
  const DPoP = await createHandle()
  const token = await requestToken(DPoP)
  t.match(await call(api, token, DPoP), { sub: 'app' })
  await revoke(token)
  await refuses(t, call(api, token, DPoP), 'revoked')
})

for (const [mode, options] of Object.entries({
  required: { mtls: 'required' },
  optional: { mtls: 'optional', dpop: 'optional' }
} as const))
  void t.test(`FAPI-2, INT-8, MTLS-1: a token bound to a certificate, mtls ${mode}`, async (t) => {
    const publicUrl = 'https://api.example.com'
    const port = await startTlsApp(t, { ...optionsWith(t), ...options, publicUrl })
    const ask = (token: string, cert?: string) =>
      askOverTls(port, token, cert === undefined ? {} : { cert, key: clientKey })
    const token = await requestCertifiedToken()
    for (const time of ['first', 'second', 'third'])
      t.match(await ask(token, clientCertificate), good, time)
    t.match(await ask(token, renewedCertificate), refused, 'another certificate')
    t.match(await ask(token), refused, 'none')
    t.match(await ask(await requestToken(), clientCertificate), refused, 'a token without cnf')
    const byKey = await requestToken(await createHandle())
    t.match(await ask(byKey, clientCertificate), refused, 'a token bound to a key')
  })

/** The profile for tokens that the issuer is asked about, each time. */
function optionsWith(t: Test, keyName: keyof typeof provider.api.privateKeys = 'P-256') {
  const { clientId, privateKeys } = provider.api
  const privateKeyFile = join(t.testdir({ key: privateKeys[keyName] }), 'key')
  return {
    issuer,
    audience,
    profile: 'fapi2',
    tokens: ['opaque'],
    introspection: { clientId, privateKeyFile, cacheSeconds: 0 }
  } as const
}

async function startApiWith(
  t: Test,
  keyName?: keyof typeof provider.api.privateKeys
): Promise<Api> {
  const publicUrl = () => api.origin
  const api: Api = await startApi(t, { ...optionsWith(t, keyName), publicUrl })
  return api
}

async function createHandle(): Promise<oauth.DPoPHandle> {
  return oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
}

/** Calls as the library does, and returns what the API understood. */
async function call({ origin }: Api, token: string, DPoP: oauth.DPoPHandle): Promise<unknown> {
  const url = new URL('/whoami', origin)
  const options = { DPoP, [oauth.allowInsecureRequests]: true }
  const answer = await oauth.protectedResourceRequest(token, 'GET', url, undefined, null, options)
  return answer.json()
}

async function refuses(t: Test, called: Promise<unknown>, name: string): Promise<void> {
  const error = await called.then(
    () => undefined,
    (cause: unknown) => cause
  )
  t.ok(error instanceof oauth.WWWAuthenticateChallengeError, name)
  t.match(error, { status: 401 }, name)
  const { cause } = error as oauth.WWWAuthenticateChallengeError
  t.ok(
    cause.some(({ parameters }) => parameters.error === 'invalid_token'),
    name
  )
}
