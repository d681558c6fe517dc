import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { startApi } from '../support/api.ts'
import { startExchangingProvider } from '../support/exchanging-provider.ts'

const ada = { sub: 'ada', name: 'Ada Lovelace' }
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwks = {
  keys: [{ ...publicKey.export({ format: 'jwk' }), use: 'enc', alg: 'RSA-OAEP-256' }]
}
const signed = { userinfo_signed_response_alg: 'RS256' }
const encrypted = {
  ...signed,
  jwks,
  userinfo_encrypted_response_alg: 'RSA-OAEP-256',
  userinfo_encrypted_response_enc: 'A256GCM'
}

t.test('UI-7, TX-1: oidc-provider refuses tokens for an API, but exchanges them', async (t) => {
  const { issuer, audience, client, mint } = await startExchangingProvider(t)
  const forwarding = await startApi(t, { issuer, audience })
  t.equal((await forwarding.ask(await mint(), '/me')).status, 401)
  const exchanging = { issuer, audience, userinfo: 'exchange', tokenExchange: client } as const
  const api = await startApi(t, exchanging)
  const answer = await api.ask(await mint(), '/me')
  t.equal(answer.status, 200)
  t.strictSame(answer.json, ada)
})

t.test('TX-7: oidc-provider refusing the credentials of the API is 502', async (t) => {
  const { issuer, audience, client, mint } = await startExchangingProvider(t)
  const tokenExchange = { ...client, clientSecret: 'wrong' }
  const api = await startApi(t, { issuer, audience, userinfo: 'exchange', tokenExchange })
  t.equal((await api.ask(await mint(), '/me')).status, 502)
  t.match(api.log.join(''), /answered with status 401 \(invalid_client\)/)
})

t.test('UI-5: UserInfo that oidc-provider signed is read', async (t) => {
  const { issuer, audience, client, mint } = await startExchangingProvider(t, signed)
  const options = { issuer, audience, userinfo: 'exchange', tokenExchange: client } as const
  const api = await startApi(t, options)
  t.match(await api.ask(await mint(), '/me'), { status: 200, json: ada })
})

t.test('UI-6: UserInfo that oidc-provider signed and encrypted is read with the key', async (t) => {
  const { issuer, audience, client, mint } = await startExchangingProvider(t, encrypted)
  const options = { issuer, audience, userinfo: 'exchange', tokenExchange: client } as const
  const api = await startApi(t, { ...options, decryption: { privateKey } })
  t.match(await api.ask(await mint(), '/me'), { status: 200, json: ada })
  const without = await startApi(t, options)
  t.equal((await without.ask(await mint(), '/me')).status, 502)
})
