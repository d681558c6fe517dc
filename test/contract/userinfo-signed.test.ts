import { generateKeyPairSync } from 'node:crypto'
import { CompactEncrypt } from 'jose'
import t from 'tap'
import type { Test } from 'tap'
import type { LatchkeyOptions } from '../../plugins/latchkey.ts'
import { startTestIssuer } from '../../src/testing.ts'
import type { MintOptions } from '../../src/testing/issuer.ts'
import type { Behaviour } from '../support/hostile-issuer.ts'
import * as hostile from '../support/hostile-issuer.ts'
import { startApi } from '../support/api.ts'
import { rawToken, unsigned } from '../support/raw-token.ts'
import { ada, startScene } from '../support/userinfo-scene.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const tokenExchange = { clientId: 'our-client', clientSecret: 'secret' }
const now = Math.floor(Date.now() / 1000)

function jwt(text: string, type = 'application/jwt'): Behaviour {
  return (_request, response) => {
    response.writeHead(200, { 'Content-Type': type }).end(text)
  }
}

function encrypt(text: string, header: object = {}): Promise<string> {
  return new CompactEncrypt(Buffer.from(text))
    .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', ...header })
    .encrypt(publicKey)
}

/** An API, and how its issuer signs what it says of Ada to the client of her token. */
async function startSigned(t: Test, options: Partial<LatchkeyOptions> = {}) {
  const scene = await startScene(t, undefined, options)
  const sign = (claims: object = {}, { header, ...rest }: MintOptions = {}): Promise<string> => {
    const nothing = { client_id: undefined, scope: undefined, jti: undefined, exp: undefined }
    const own = { ...ada, iss: scene.issuer.issuer, aud: 'test-client', ...nothing }
    return scene.sound.mint(
      { ...own, ...claims },
      { ...rest, header: { typ: undefined, ...header } }
    )
  }
  /** Answers with that, and asks with a token of its own. */
  const me = async (behaviour: Behaviour) => {
    scene.issuer.on('/userinfo', behaviour)
    return scene.api.ask(await scene.mint(), '/me')
  }
  return { ...scene, sign, me }
}

t.test('UI-4, UI-5: signed claims come as plain ones do', async (t) => {
  const { sign, me } = await startSigned(t, { tokenExchange })
  for (const [claims, typ] of [
    [{}, undefined],
    [{}, 'JWT'],
    [{ aud: ['other', 'test-client'] }, undefined],
    [{ aud: 'our-client' }, undefined],
    [{ exp: now + 60, nbf: now, iat: undefined }, undefined]
  ] as const) {
    const { status, json } = await me(jwt(await sign(claims, { header: { typ } })))
    t.equal(status, 200)
    t.strictSame(json, ada, 'without members that are about the answer')
  }
  t.equal((await me(jwt(await sign(), 'Application/JWT; charset=utf-8'))).status, 200)
})

t.test('UI-3, UI-5: any defect of a signed answer is 502, and nothing of it is used', async (t) => {
  const { sign, me, sound } = await startSigned(t)
  const stranger = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => stranger.close())
  const [forged] = stranger.keys
  const good = await sign()
  const content = Buffer.from(good.split('.')[1] ?? '', 'base64url').toString()
  const bad: [string, string][] = [
    ['another issuer', await sign({ iss: 'https://other.example' })],
    ['no issuer', await sign({ iss: undefined })],
    ['another client', await sign({ aud: 'other' })],
    ['this API, which is no client', await sign({ aud: sound.audience })],
    ['no audience', await sign({ aud: undefined })],
    ['another subject', await sign({ sub: 'mallory' })],
    ['no subject', await sign({ sub: undefined })],
    ['an expired answer', await sign({ exp: now - 60 })],
    ['an answer to come', await sign({ nbf: now + 60 })],
    ['the signature of a stranger', await sign({}, forged && { key: forged.privateKey })],
    ['an unknown key', await sign({}, { header: { kid: 'unknown' } })],
    ['an access token', await sign({}, { header: { typ: 'at+jwt' } })],
    ['a logout token', await sign({}, { header: { typ: 'logout+jwt' } })],
    ['no signature', good.replace(/[^.]*$/, '')],
    ['no algorithm', rawToken({ alg: 'none' }, content, unsigned)],
    ['JSON', JSON.stringify(ada)],
    ['nothing', '']
  ]
  for (const [name, text] of bad) {
    const { status, text: body } = await me(jwt(text))
    t.equal(status, 502, name)
    t.notMatch(body, /Lovelace|secret|mallory/, name)
  }
  t.equal((await me(hostile.json(good))).status, 502, 'a JWT as JSON')
  t.equal((await me(jwt(good, 'text/plain'))).status, 502, 'a JWT as text')
  t.equal((await me(jwt(good))).status, 200, 'the same without a defect')
})

t.test('BCP-7: UserInfo signed by an algorithm that the issuer may not use is 502', async (t) => {
  const sound = await startTestIssuer({ algorithms: ['ES256', 'RS256'] })
  t.teardown(() => sound.close())
  const issuer = await hostile.startHostileIssuer()
  t.teardown(() => issuer.close())
  issuer.impersonate(sound)
  const trusted = {
    issuer: issuer.issuer,
    audience: sound.audience,
    algorithms: ['ES256']
  } as const
  const api = await startApi(t, trusted)
  for (const [alg, status] of [
    ['RS256', 502],
    ['ES256', 200]
  ] as const) {
    const claims = { iss: issuer.issuer, aud: 'test-client' }
    issuer.on('/userinfo', jwt(await sound.mint(claims, { alg, header: { typ: 'JWT' } })))
    const token = await sound.mint({ iss: issuer.issuer }, { alg: 'ES256' })
    t.equal((await api.ask(token, '/me')).status, status, alg)
  }
})

t.test('UI-6: encrypted claims, and signed and then encrypted ones, are read', async (t) => {
  const { sign, me } = await startSigned(t, { decryption: { privateKey } })
  for (const text of [await encrypt(JSON.stringify(ada)), await encrypt(await sign())]) {
    const { status, json } = await me(jwt(text))
    t.equal(status, 200)
    t.strictSame(json, ada)
  }
  t.equal((await me(jwt(await sign()))).status, 200, 'signed ones still are')
  t.equal((await me(hostile.json(ada))).status, 200, 'plain ones too')
})

t.test('UI-6, BCP-2, BCP-8: encryption mends no defect of what is inside', async (t) => {
  const { sign, me } = await startSigned(t, { decryption: { privateKey } })
  const good = await sign()
  const content = Buffer.from(good.split('.')[1] ?? '', 'base64url').toString()
  const sealed = await encrypt(good)
  for (const [name, text] of [
    ['another client', await encrypt(await sign({ aud: 'other' }))],
    ['another issuer', await encrypt(await sign({ iss: 'https://other.example' }))],
    ['a broken signature', await encrypt(`${good.slice(0, -8)}AAAAAAAA`)],
    ['no algorithm', await encrypt(rawToken({ alg: 'none' }, content, unsigned))],
    ['another subject', await encrypt(JSON.stringify({ ...ada, sub: 'mallory' }))],
    ['encrypted twice', await encrypt(sealed)],
    ['a list', await encrypt(JSON.stringify([ada]))],
    ['nothing', await encrypt('')],
    ['a broken seal', `${sealed.slice(0, -8)}AAAAAAAA`],
    ['compressed content', await encrypt(good, { zip: 'DEF' })]
  ] as const) {
    const answer = await me(jwt(text))
    t.equal(answer.status, 502, name)
    t.notMatch(answer.text, /Lovelace|secret|mallory/, name)
  }
})

t.test(
  'UI-6: without a key an encrypted answer is 502, and the operator is told why',
  async (t) => {
    const { sign, me, api } = await startSigned(t)
    t.equal((await me(jwt(await encrypt(await sign())))).status, 502)
    t.match(api.log.join(''), 'the issuer has no setting decryption')
  }
)
