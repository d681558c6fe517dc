import t from 'tap'
import type { Test } from 'tap'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { generateKeyPairSync } from 'node:crypto'
import { startTestIssuer } from '../../../src/testing.ts'
import type { TestIssuer, TestIssuerOptions } from '../../../src/testing.ts'
import { testAlgorithms } from '../../../src/testing/keys.ts'

async function start(t: Test, options?: TestIssuerOptions): Promise<TestIssuer> {
  const issuer = await startTestIssuer(options)
  t.teardown(() => issuer.close())
  return issuer
}

/** Judges a token as jose does, with the key set that the issuer serves at this moment. */
function verify(issuer: TestIssuer, token: string) {
  const keySet = createRemoteJWKSet(new URL(`${issuer.issuer}/jwks`))
  return jwtVerify(token, keySet, { ...issuer.options, typ: 'at+jwt', currentDate: new Date() })
}

void t.test('mints an access token that the published keys verify', async (t) => {
  const issuer = await start(t)
  const { payload, protectedHeader } = await verify(issuer, await issuer.mint())
  t.match(payload, { sub: 'ada', client_id: 'test-client', scope: 'openid', jti: /.+/ })
  t.equal((payload.exp ?? 0) - (payload.iat ?? 0), 3600)
  t.strictSame(protectedHeader, { alg: 'RS256', typ: 'at+jwt', kid: issuer.keys[0]?.kid })
})

void t.test('signs with every algorithm, and with the first one named unless told', async (t) => {
  const issuer = await start(t)
  for (const alg of testAlgorithms) {
    const { protectedHeader } = await verify(issuer, await issuer.mint({}, { alg }))
    t.equal(protectedHeader.alg, alg)
  }
  const other = await start(t, { algorithms: ['PS384', 'RS256', 'ES256'] })
  t.equal(decodeProtectedHeader(await other.mint()).alg, 'PS384')
  t.equal(other.keys.length, 2)
  await t.rejects(other.mint({}, { alg: 'ES512' }), TypeError)
})

void t.test('claims, header and time are the caller’s to choose', async (t) => {
  const issuer = await start(t)
  const token = await issuer.mint(
    { sub: undefined, aud: ['a', 'b'], exp: 'soon' },
    { now: 1000, header: { typ: 'JWT', kid: undefined } }
  )
  const claims: Record<string, unknown> = decodeJwt(token)
  t.notOk('sub' in claims)
  t.match(claims, { iat: 1000, exp: 'soon', aud: ['a', 'b'] })
  t.strictSame(decodeProtectedHeader(token), { alg: 'RS256', typ: 'JWT' })
})

void t.test('a forger’s key does not pass, nor does another issuer’s', async (t) => {
  const issuer = await start(t)
  const other = await start(t)
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const forged = [
    await issuer.mint({}, { key: privateKey }),
    await other.mint({ iss: issuer.issuer }),
    await other.mint({ iss: issuer.issuer }, { header: { kid: issuer.keys[0]?.kid } })
  ]
  for (const token of forged) await t.rejects(verify(issuer, token))
})

void t.test('rotation publishes new keys beside the old; withdrawal ends the old', async (t) => {
  const issuer = await start(t, { algorithms: ['ES256'] })
  const old = issuer.keys[0]?.kid ?? ''
  const before = await issuer.mint()
  await issuer.rotate()
  const after = await issuer.mint()
  t.not(decodeProtectedHeader(after).kid, old)
  await verify(issuer, before)
  issuer.withdraw(old)
  await t.rejects(verify(issuer, before))
  await t.rejects(verify(issuer, await issuer.mint({}, { kid: old })))
  await verify(issuer, after)
  t.throws(() => issuer.withdraw(old), TypeError)
})

void t.test(
  'serves discovery and UserInfo below the issuer’s path, and counts requests',
  async (t) => {
    const issuer = await start(t, { path: '/realms/a', userinfo: { name: 'Ada' } })
    t.match(issuer.issuer, /^http:\/\/127\.0\.0\.1:\d+\/realms\/a$/)
    const discovery = await fetch(`${issuer.issuer}/.well-known/openid-configuration`)
    t.match(await discovery.json(), { issuer: issuer.issuer, jwks_uri: `${issuer.issuer}/jwks` })

    const askUserinfo = (authorization: string) =>
      fetch(`${issuer.issuer}/userinfo`, { headers: { authorization } })
    const good = await askUserinfo(`Bearer ${await issuer.mint({ sub: 'grace' })}`)
    t.strictSame(await good.json(), { sub: 'grace', name: 'Ada' })
    const bad = await askUserinfo('Bearer junk')
    t.equal(bad.status, 401)
    t.equal((await fetch(new URL('/jwks', issuer.issuer))).status, 404)

    t.equal(issuer.requests('/userinfo'), 2)
    t.equal(issuer.requests(), 4)
  }
)

void t.test('close ends idle connections and may be called twice', async (t) => {
  const issuer = await startTestIssuer()
  await (await fetch(`${issuer.issuer}/jwks`)).text()
  await issuer.close()
  await issuer.close()
  await t.rejects(fetch(`${issuer.issuer}/jwks`))
})

void t.test('refuses options that make no issuer', async (t) => {
  await t.rejects(startTestIssuer({ path: 'realms/a' }), TypeError)
  await t.rejects(startTestIssuer({ algorithms: [] }), TypeError)
})
