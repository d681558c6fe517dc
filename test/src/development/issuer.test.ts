import { mkdir, stat, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as oauth from 'oauth4webapi'
import { DevelopmentIssuerError } from '../../../src/development/errors.ts'
import { startDevelopmentIssuer } from '../../../src/development/issuer.ts'
import { mintClientToken, mintUserToken } from '../../../src/development/mint-token.ts'
import { tryWithoutProvider } from './issuer-process.ts'

const api = { audience: 'https://api.example.com', scopes: ['documents:read'] }

void t.test('a restart on the same data directory keeps tokens and clients valid', async (t) => {
  const dataDir = join(t.testdir(), 'not', 'there', 'yet')
  const first = await startDevelopmentIssuer({ ...api, dataDir })
  const { issuer, clientSecret } = first
  const token = await mintUserToken({ issuer, user: 'ada', scope: 'openid' })
  await first.close()
  const port = Number(new URL(issuer).port)
  const second = await startDevelopmentIssuer({ ...api, dataDir, port })
  t.teardown(() => second.close())
  const verified = await jwtVerify(token, createRemoteJWKSet(new URL(`${issuer}/jwks`)))
  t.equal(verified.payload.sub, 'ada')
  const client = { issuer, clientSecret, scope: 'documents:read' }
  t.type(await mintClientToken(client), 'string')
})

void t.test('only the owner may read the keys', async (t) => {
  const dataDir = t.testdir()
  const running = await startDevelopmentIssuer({ ...api, dataDir })
  t.teardown(() => running.close())
  t.equal((await stat(join(dataDir, 'dev-issuer.json'))).mode & 0o777, 0o600)
})

void t.test('publishes keys for RS256, ES256 and EdDSA, and no private parts', async (t) => {
  const running = await startDevelopmentIssuer(api)
  t.teardown(() => running.close())
  const answer = await fetch(`${running.issuer}/jwks`)
  const { keys } = (await answer.json()) as { keys: Record<string, string>[] }
  t.same(
    keys.map(({ alg }) => alg),
    ['RS256', 'ES256', 'EdDSA']
  )
  t.notOk(keys.some((key) => 'd' in key))
})

void t.test('a data directory that can not be used is named', async (t) => {
  const dataDir = t.testdir({ 'dev-issuer.json': '{ "keys": ' })
  const start = (directory: string) => startDevelopmentIssuer({ ...api, dataDir: directory })
  await t.rejects(start(dataDir), { message: /dev-issuer\.json is damaged: delete it/ })
  const file = join(dataDir, 'file')
  await writeFile(file, '')
  await t.rejects(start(file), {
    name: 'ConfigError',
    setting: 'DATA_DIR',
    found: `"${file}", where dev-issuer.json can not be read (ENOTDIR)`,
    allowed: 'a directory that can be written'
  })
  const blocked = join(dataDir, 'blocked')
  await mkdir(join(blocked, `dev-issuer.json.${process.pid}`), { recursive: true })
  await t.rejects(start(blocked), {
    name: 'ConfigError',
    setting: 'DATA_DIR',
    found: `"${blocked}", where dev-issuer.json can not be written (EISDIR)`
  })
})

void t.test('a port that is taken is named', async (t) => {
  const running = await startDevelopmentIssuer(api)
  t.teardown(() => running.close())
  const port = Number(new URL(running.issuer).port)
  const second = startDevelopmentIssuer({ ...api, port })
  await t.rejects(second, new DevelopmentIssuerError(`The development issuer can not listen`))
  await t.rejects(second, { message: RegExp(`port ${port}: .*EADDRINUSE`) })
})

void t.test('answers under its own host only, so that no name can be rebound to it', async (t) => {
  const running = await startDevelopmentIssuer(api)
  t.teardown(() => running.close())
  const answer = await new Promise<IncomingMessage>((resolve) => {
    request(`${running.issuer}/jwks`, { headers: { host: 'evil.example' } }, resolve).end()
  })
  t.equal(answer.statusCode, 421)
  t.match(await text(answer), running.issuer)
})

void t.test('is not on the network, whose users could sign in as anybody', async (t) => {
  const running = await startDevelopmentIssuer(api)
  t.teardown(() => running.close())
  const { port } = new URL(running.issuer)
  for (const host of ['127.0.0.2', '[::1]']) {
    const signal = AbortSignal.timeout(2000)
    await t.rejects(fetch(`http://${host}:${port}/jwks`, { signal }), host)
  }
})

void t.test('does not start in production, and does not load oidc-provider there', async (t) => {
  const written = await tryWithoutProvider({ NODE_ENV: 'production' })
  t.match(written, /^DevelopmentIssuerError: .*NODE_ENV=production: set OIDC_ISSUER/)
  t.notMatch(written, 'was asked for')
})

void t.test('says what to do where oidc-provider is not installed', async (t) => {
  const written = await tryWithoutProvider({ NODE_ENV: 'development' })
  t.match(written, /^DevelopmentIssuerError: .*oidc-provider.*npm ci/)
  t.match(written, 'was asked for')
})

void t.test(
  'DPOP-17: a token that is bound to a key opens no UserInfo as bearer token',
  async (t) => {
    const running = await startDevelopmentIssuer(api)
    t.teardown(() => running.close())
    const { issuer, clientSecret } = running
    const insecure = { [oauth.allowInsecureRequests]: true }
    const server = { issuer, token_endpoint: `${issuer}/token` }
    const client: oauth.Client = { client_id: 'latchkey-machine' }
    const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
    const credentials = oauth.ClientSecretBasic(clientSecret)
    const options = { DPoP, ...insecure }
    const answer = await oauth.clientCredentialsGrantRequest(
      server,
      client,
      credentials,
      {},
      options
    )
    const { access_token: token } = (await answer.json()) as { access_token: string }
    const headers = { authorization: `Bearer ${token}` }
    const refused = await fetch(`${issuer}/me`, { headers })
    t.equal(refused.status, 401)
    t.match(refused.headers.get('www-authenticate'), 'invalid_token')
  }
)
