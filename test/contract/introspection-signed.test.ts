import t from 'tap'
import type { Test } from 'tap'
import type { MintOptions } from '../../src/testing/issuer.ts'
import { startTestIssuer } from '../../src/testing.ts'
import type { Behaviour } from '../support/hostile-issuer.ts'
import { json, status } from '../support/hostile-issuer.ts'
import { rawToken, unsigned } from '../support/raw-token.ts'
import { client, opaqueToken, startScene } from '../support/introspection-scene.ts'

const mediaType = 'application/token-introspection+jwt'
const now = (): number => Math.floor(Date.now() / 1000)

function jwt(token: string, type = mediaType): Behaviour {
  return (_request, response) => {
    response.writeHead(200, { 'Content-Type': type }).end(token)
  }
}

/** The claims of a token, as they stand in it. */
function contentOf(token: string): string {
  return Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()
}

/** An API that wants signed answers, and how its issuer signs one. */
async function startSigned(t: Test) {
  const introspection = { ...client, signedAnswers: true }
  const scene = await startScene(t, { introspection })
  const { issuer, sound, active } = scene
  const sign = (claims: object = {}, options: MintOptions = {}): Promise<string> => {
    const own = { iss: issuer.issuer, aud: client.clientId, iat: now(), exp: undefined }
    const answer = { ...own, sub: 'mallory', scope: 'admin', token_introspection: active }
    const header = { typ: 'token-introspection+jwt', ...options.header }
    return sound.mint({ ...answer, ...claims }, { ...options, header })
  }
  return { ...scene, sign }
}

t.test('INT-10: a signed answer is asked for, and only token_introspection is used', async (t) => {
  const { api, calls, sign, answerWith, sound } = await startSigned(t)
  for (const aud of [client.clientId, sound.audience, ['other', client.clientId]]) {
    answerWith(jwt(await sign({ aud }), `${mediaType}; charset=utf-8`))
    const answer = await api.ask(`${opaqueToken}${JSON.stringify(aud).length}`)
    t.equal(answer.status, 200)
    t.match(answer.json, { sub: 'ada', scopes: ['openid', 'documents:read'] })
  }
  t.equal(calls[0]?.headers.accept, mediaType)
  answerWith(jwt(await sign({ token_introspection: { active: false } })))
  t.equal((await api.ask('inactive')).status, 401)
})

t.test('INT-10: any defect of a signed answer is an outage, never an open door', async (t) => {
  const { api, sign, active, answerWith } = await startSigned(t)
  const stranger = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => stranger.close())
  const [forged] = stranger.keys
  const good = await sign()
  const behaviours: [string, Behaviour][] = [
    ['plain JSON', json(active)],
    ['plain JSON by the name of a signed answer', json(active, { 'Content-Type': mediaType })],
    ['another media type', jwt(good, 'application/jwt')],
    ['a failure', status(500)],
    ['an access token', jwt(await sign({}, { header: { typ: 'at+jwt' } }))],
    ['no signature', jwt(good.replace(/[^.]*$/, ''))],
    ['the signature of a stranger', jwt(await sign({}, forged && { key: forged.privateKey }))],
    ['an unknown key', jwt(await sign({}, { header: { kid: 'unknown' } }))],
    [
      'no algorithm',
      jwt(rawToken({ alg: 'none', typ: 'token-introspection+jwt' }, contentOf(good), unsigned))
    ],
    ['another issuer', jwt(await sign({ iss: 'https://other.example' }))],
    ['another audience', jwt(await sign({ aud: 'another API' }))],
    ['no audience', jwt(await sign({ aud: undefined }))],
    ['no iat', jwt(await sign({ iat: undefined }))],
    ['an old iat', jwt(await sign({ iat: now() - 120 }))],
    ['an iat to come', jwt(await sign({ iat: now() + 120 }))],
    ['no content', jwt(await sign({ token_introspection: undefined, ...active }))],
    ['content that is a text', jwt(await sign({ token_introspection: JSON.stringify(active) }))]
  ]
  for (const [name, behaviour] of behaviours) {
    answerWith(behaviour)
    const answer = await api.ask(opaqueToken)
    t.equal(answer.status, 503, name)
    t.ok(answer.headers.get('retry-after'), name)
  }
  answerWith(jwt(good))
  t.equal((await api.ask(opaqueToken)).status, 200, 'the same without a defect')
})
