import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { appUnderTest } from '../support/app.ts'
import { until } from '../support/until.ts'

// One name at two issuers is two people, whatever else their tokens have in common.

const issuers = await Promise.all(
  ['at a', 'at b'].map((name) =>
    startTestIssuer({ algorithms: ['ES256'], userinfo: { name, email: 'ada@example.com' } })
  )
)
for (const issuer of issuers) t.teardown(() => issuer.close())
const { app } = await appUnderTest(t, { issuers: issuers.map(({ options }) => options) })
await until(() => app.latchkey.isReady())

const nobody = { authorization: 'none' }
const claims = {
  sub: 'ada',
  email: 'ada@example.com',
  jti: 'one',
  scope: 'openid documents:read documents:write'
}
const [a = nobody, b = nobody] = await Promise.all(
  issuers.map(async (issuer) => ({ authorization: `Bearer ${await issuer.mint(claims)}` }))
)

function create(headers: Record<string, string>, title: string) {
  const payload = { data: { title } }
  return app.inject({ method: 'POST', url: '/documents', headers, payload })
}

t.test('BCP-4: documents of one are not there for the other', async (t) => {
  const { id } = (await create(a, 'of a')).json()
  const url = `/documents/${id}`
  t.equal((await app.inject({ url, headers: a })).statusCode, 200)
  t.equal((await app.inject({ url, headers: b })).statusCode, 404)
  t.strictSame((await app.inject({ url: '/documents', headers: b })).json().items, [])
  t.strictSame((await app.inject({ url: '/documents/changes', headers: b })).json().items, [])
  const headers = { ...b, 'if-match': '*' }
  t.equal((await app.inject({ method: 'DELETE', url, headers })).statusCode, 404)
})

t.test('BCP-4, IDEM-7: the key of one repeats nothing to the other', async (t) => {
  const key = { 'idempotency-key': '"once"' }
  const first = await create({ ...a, ...key }, 'once')
  const second = await create({ ...b, ...key }, 'once')
  t.strictSame([first.statusCode, second.statusCode], [201, 201])
  t.not(second.json().id, first.json().id)
  t.equal((await create({ ...a, ...key }, 'once')).json().id, first.json().id)
})

t.test('BCP-4: each is told the UserInfo of its own issuer, kept answers too', async (t) => {
  for (let round = 0; round < 2; round++)
    for (const [headers, name] of [
      [a, 'at a'],
      [b, 'at b']
    ] as const)
      t.match((await app.inject({ url: '/me', headers })).json(), { sub: 'ada', name })
})

t.test('BCP-4: the second sight of a token is still that of its own issuer', async (t) => {
  for (let round = 0; round < 3; round++)
    for (const [index, headers] of [a, b].entries())
      t.equal(
        (await app.inject({ url: '/whoami', headers })).json().iss,
        issuers[index]?.issuer ?? ''
      )
})
