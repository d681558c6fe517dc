import t from 'tap'
import { createModalReader } from '../../src/issuer/userinfo-modes.ts'
import { createPrincipal } from '../../src/token/principal.ts'
import * as hostile from '../support/hostile-issuer.ts'
import { opaqueToken, startScene as startIntrospection } from '../support/introspection-scene.ts'
import { startScene } from '../support/userinfo-scene.ts'

t.test('claims: the token says who its caller is, and nobody is asked', async (t) => {
  const { api, mint, calls } = await startScene(t, undefined, { userinfo: 'claims' })
  const personal = {
    sub: 'ada',
    name: 'Ada Lovelace',
    email: 'ada@example.com',
    email_verified: false,
    address: { country: 'GB' },
    updated_at: 1
  }
  const token = await mint({ ...personal, acr: '1', groups: ['a'], exp: 4e9, sid: 'x', uid: 'y' })
  const answer = await api.ask(token, '/me')
  t.equal(answer.status, 200)
  t.strictSame(answer.json, personal)
  t.strictSame((await api.ask(await mint(), '/me')).json, { sub: 'ada' })
  t.equal((await api.ask(await mint({ scope: 'x' }), '/me')).status, 403)
  t.equal(calls().length, 0)
  t.equal(api.logged('userinfo read').length, 2, 'UI-13')
})

const said = { name: 'Ada Lovelace', email: 'ada@example.com', groups: ['a'], username: 'ada' }

for (const tokens of [['opaque'], ['jwt', 'opaque'], ['jwt']] as const) {
  t.test(`introspection, with ${tokens.join(' and ')}: the issuer's answer says it`, async (t) => {
    const scene = await startIntrospection(t, { tokens, userinfo: 'introspection' })
    const { api, active, answerWith, mint, calls, issuer } = scene
    answerWith(hostile.json({ ...active, ...said, jti: 'x', acr: '1', token_type: 'Bearer' }))
    const token = tokens[0] === 'jwt' ? await mint() : opaqueToken
    const answer = await api.ask(token, '/me')
    t.equal(answer.status, 200)
    t.strictSame(answer.json, { sub: 'ada', ...said })
    await api.ask(token, '/me')
    t.equal(calls.length, 1, 'once for guard and claims, and for the next request')
    t.equal(issuer.requests('/userinfo').length, 0)
  })
}

t.test('introspection of a JWT: what the issuer says is judged as for any token', async (t) => {
  const scene = await startIntrospection(t, { tokens: ['jwt'], userinfo: 'introspection' })
  const { api, active, answerWith, mint } = scene
  for (const [behaviour, status] of [
    [hostile.json({ active: false }), 401],
    [hostile.json({ ...active, aud: 'other' }), 401],
    [hostile.json({ ...active, sub: 'mallory' }), 502],
    [hostile.status(401), 503],
    [hostile.html, 503]
  ] as const) {
    answerWith(behaviour)
    const token = await mint()
    const answer = await api.ask(token, '/me')
    t.equal(answer.status, status)
    t.notMatch(answer.text, /mallory/)
    t.equal((await api.ask(token)).status, 200, 'other routes need no answer')
  }
  t.equal((await api.ask(opaqueToken, '/me')).status, 401, 'and opaque tokens stay refused')
})

t.test('UI-10: with introspection two users are two calls, and each gets their own', async (t) => {
  const scene = await startIntrospection(t, { tokens: ['jwt'], userinfo: 'introspection' })
  const { api, active, answerWith, mint, calls } = scene
  for (const sub of ['ada', 'grace']) {
    answerWith(hostile.json({ ...active, sub, name: `the one called ${sub}` }))
    const { json } = await api.ask(await mint({ sub }), '/me')
    t.strictSame(json, { sub, name: `the one called ${sub}` })
  }
  t.equal(calls.length, 2)
})

for (const [name, cnf] of Object.entries({
  DPoP: { jkt: 'a'.repeat(43) },
  certificate: { 'x5t#S256': 'a'.repeat(43) },
  'something unknown': { kid: 'x' }
})) {
  t.test(`UI-12: a token bound by ${name} is not forwarded, and the answer says so`, async (t) => {
    const asked: string[] = []
    const parts = {
      createReader: () => async (token: string) => {
        asked.push(token)
        return { sub: 'ada' }
      },
      exchange: Object.assign(
        async () => ({ token: 'exchanged', expiresAt: 4e9, scopes: ['openid'] }),
        { forget() {} }
      ),
      target: {},
      introspect: undefined
    }
    const claims = { iss: 'https://id.example.com', aud: 'api', sub: 'ada', exp: 4e9, cnf }
    const principal = createPrincipal(claims)
    const problem = { message: /bound to its client's key/ }
    await t.rejects(Promise.resolve(createModalReader('forward', parts)?.('t', principal)), problem)
    t.strictSame(asked, [])
    t.strictSame(await createModalReader('exchange', parts)?.('t', principal), { sub: 'ada' })
    t.strictSame(asked, ['exchanged'], 'exchanged it can be used')
    t.strictSame(await createModalReader('claims', parts)?.('t', principal), { sub: 'ada' })
  })
}
