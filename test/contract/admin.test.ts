import t, { type Test } from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { appUnderTest } from '../support/app.ts'
import { type Answer, callOrigin, problemOf } from '../support/http-call.ts'
import { until } from '../support/until.ts'

const issuer = await startTestIssuer({ algorithms: ['RS256'] })
const other = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => Promise.all([issuer.close(), other.close()]))

const now = Math.floor(Date.now() / 1000)
const { app, log } = await appUnderTest(t, {
  publicUrl: 'https://api.example.com',
  issuers: [issuer.options, other.options],
  adminIssuers: [issuer.options.issuer]
})
const origin = await app.listen({ host: '127.0.0.1', port: 0 })
await until(() => app.latchkey.isReady())

const jsonLines = ['Content-Type', 'application/json']
const mint = (claims: object, from = issuer) => from.mint({ iat: now - 60, ...claims })
const statusOf = async (token: string) => (await callOrigin(origin, { token })).status
const linesSaying = (message: string) =>
  log.map((line) => JSON.parse(line)).filter(({ msg }) => msg === message)

async function revoke(body: unknown, claims: object = {}) {
  const token = await mint({ sub: 'root', scope: 'revocations:write', ...claims })
  const path = '/admin/revocations'
  const call = { method: 'POST', path, token, lines: jsonLines, body: JSON.stringify(body) }
  return callOrigin(origin, call)
}

function assertChallenge(
  t: Test,
  { status, challenges }: Answer,
  expected: number,
  params: object
) {
  t.equal(status, expected)
  t.match(challenges, [{ scheme: 'Bearer', params }])
}

void t.test('HTTP-12: a content coding is refused as one', async (t) => {
  const token = await mint({ sub: 'root', scope: 'revocations:write' })
  const lines = [...jsonLines, 'Content-Encoding', 'gzip']
  const call = { method: 'POST', path: '/admin/revocations', token, lines, body: '{"jti":"x"}' }
  const refused = await callOrigin(origin, call)
  t.match(refused, { status: 415, headers: { 'accept-encoding': 'identity' } })
})

void t.test('HTTP-12: without a body the body is missing, whatever its media type', async (t) => {
  const token = await mint({ sub: 'root', scope: 'revocations:write' })
  for (const type of ['text/plain', 'application/json', 'no']) {
    const lines = ['Content-Type', type, 'Content-Length', '0']
    const call = { method: 'POST', path: '/admin/revocations', token, lines }
    const problem = problemOf(await callOrigin(origin, call))
    t.match(problem, { status: 400, detail: 'The body is empty.' }, type)
  }
})

const time = (seconds: number) => new Date(seconds * 1000).toISOString()
const { issuer: iss } = issuer

/** By target: claims of a token that it ends, and of ones that it does not. */
const targets: readonly [object, object, object[]][] = [
  [{ jti: 'one' }, { jti: 'one' }, [{ jti: 'two' }]],
  [{ jti: 'one', issuer: iss }, { jti: 'one' }, [{ jti: 'two' }]],
  [{ subject: 'ada', issuer: iss }, { sub: 'ada' }, [{ sub: 'eve', client_id: 'ada' }]],
  [{ session: 's1', issuer: iss }, { sid: 's1' }, [{ sid: 's2' }, { sub: 's1' }]],
  [{ client: 'app', issuer: iss }, { client_id: 'app' }, [{ client_id: 'b', sub: 'app' }]],
  [{ issuedBefore: time(now - 90), issuer: iss }, { iat: now - 90 }, [{ iat: now - 89 }]],
  [{ issuedBefore: time(now - 80) }, { iat: now - 80 }, [{ iat: now - 79 }]]
]

for (const [index, [target, ended, spared]] of targets.entries())
  void t.test(`an administrator revokes by ${Object.keys(target).join(' and ')}`, async (t) => {
    // names of its own, so that no test ends what another one needs
    const own = <Value>(value: Value): Value =>
      JSON.parse(JSON.stringify(value).replaceAll(/"(one|two|ada|eve|s1|s2|app)"/g, `"$1${index}"`))
    const token = await mint({ sub: `user ${index}`, ...own(ended) })
    for (let times = 0; times < 3; times++) t.equal(await statusOf(token), 200)

    const answer = await revoke(own(target))

    t.equal(answer.status, 201)
    t.equal(answer.headers['cache-control'], 'no-store')
    const { issuedUntil, ...rest } = JSON.parse(answer.text)
    const { issuedBefore, ...named } = own(target) as { issuedBefore?: string }
    t.strictSame(rest, named)
    if (issuedBefore !== undefined) t.equal(issuedUntil, issuedBefore)
    t.equal(await statusOf(token), 401)
    for (const claims of spared) {
      const good = await mint({ sub: `user ${index}`, ...own(claims) })
      t.equal(await statusOf(good), 200, JSON.stringify(claims))
    }
    if ('issuer' in target && !('jti' in target)) {
      const elsewhere = await mint({ sub: `user ${index}`, ...own(ended) }, other)
      t.equal(await statusOf(elsewhere), 200, 'another issuer')
    }
  })

void t.test('a token that is issued after is good', async (t) => {
  const answer = await revoke({ subject: 'fay', issuer: iss })
  const until = Date.parse(JSON.parse(answer.text).issuedUntil) / 1000
  t.ok(until >= now + 5, 'the clock of the issuer may be ahead')
  t.equal(await statusOf(await mint({ sub: 'fay', iat: until })), 401)
  const later = await app.latchkey.revoke({ issuedBefore: new Date(0) })
  t.match(later, { kind: 'all', issuedUntil: 0 })
})

void t.test('who revoked what is in the log', async (t) => {
  await revoke({ subject: 'gus', issuer: iss }, { client_id: 'console' })
  t.match(linesSaying('access tokens revoked by an administrator').at(-1), {
    issuer: iss,
    subject: 'root',
    clientId: 'console',
    mark: { kind: 'subject', issuer: iss, value: 'gus' }
  })
})

const wrong: readonly [string, unknown][] = [
  ['nothing', {}],
  ['no issuer', { subject: 'ada' }],
  ['two targets', { jti: 'a', subject: 'ada', issuer: iss }],
  ['an issuer alone', { issuer: iss }],
  ['an unknown issuer', { subject: 'ada', issuer: 'https://x' }],
  ['an empty jti', { jti: '' }],
  ['a jti without end', { jti: 'x'.repeat(1025) }],
  ['a time that is none', { issuedBefore: 'yesterday' }],
  ['a time of the future', { issuedBefore: time(now + 3600) }],
  ['an unknown member', { jti: 'a', why: 'x' }]
]
for (const [name, body] of wrong)
  void t.test(`a revocation with ${name} is a 422`, async (t) => {
    const answer = await revoke(body)
    t.equal(answer.status, 422)
    t.match(problemOf(answer), { type: 'urn:latchkey:problem:validation-failed' })
  })

void t.test('revocations need their scope', async (t) => {
  const answer = await revoke({ jti: 'x' }, { scope: 'documents:admin' })
  assertChallenge(t, answer, 403, { error: 'insufficient_scope', scope: 'revocations:write' })
})

const recent = { scope: 'documents:admin', auth_time: now, sub: 'root' }

async function readDocuments(claims: object, query: Record<string, string> | string) {
  const path = `/admin/documents?${new URLSearchParams(query).toString()}`
  return callOrigin(origin, { path, token: await mint(claims) })
}

async function write(t: Test, claims: object, title: string): Promise<void> {
  const token = await mint({ scope: 'documents:write', ...claims })
  const body = JSON.stringify({ data: { title } })
  const call = { method: 'POST', path: '/documents', token, lines: jsonLines, body }
  t.equal((await callOrigin(origin, call)).status, 201)
}

const titlesOf = (text: string) =>
  (JSON.parse(text) as { items: { data: { title: string } }[] }).items.map(({ data }) => data.title)

void t.test('an administrator reads the documents of an owner, page by page', async (t) => {
  for (const title of ['1', '2', '3']) await write(t, { sub: 'a|b' }, title)
  const owner = `${iss}|a|b`
  const first = await readDocuments(recent, { owner, limit: '2' })
  t.equal(first.status, 200)
  t.equal(first.headers['cache-control'], 'private, no-cache')
  t.strictSame(titlesOf(first.text), ['3', '2'])
  const { next } = JSON.parse(first.text)
  const link = `<https://api.example.com/admin/documents?`
  t.ok(String(first.headers.link).startsWith(link))
  t.match(first.headers.link, `cursor=${next}`)
  const second = await readDocuments(recent, { owner, limit: '2', cursor: next })
  t.strictSame(titlesOf(second.text), ['1'])
  const foreign = await readDocuments(recent, { owner: `${iss}|x`, cursor: next })
  t.equal(foreign.status, 422, 'a cursor is good for one owner')
  t.match(linesSaying('documents read by an administrator')[0], {
    subject: 'root',
    owner: { issuer: iss, subject: 'a|b' }
  })
})

void t.test('AT-6: one subject is another owner as a client, and at another issuer', async (t) => {
  await write(t, { sub: 'hal' }, 'of a user')
  await write(t, { sub: 'hal', client_id: 'hal' }, 'of a client')
  const titles = async (query: Record<string, string>) =>
    titlesOf((await readDocuments(recent, query)).text)
  t.strictSame(await titles({ owner: `${iss}|hal` }), ['of a user'])
  t.strictSame(await titles({ owner: `${iss}|hal`, kind: 'client' }), ['of a client'])
  t.strictSame(await titles({ owner: `${other.issuer}|hal` }), [])
})

void t.test('STEP-1, STEP-4: it takes the scope and a recent sign-in', async (t) => {
  const owner = { owner: `${iss}|ada` }
  for (const claims of [{ auth_time: now - 400 }, { auth_time: undefined }])
    assertChallenge(t, await readDocuments({ ...recent, ...claims }, owner), 401, {
      error: 'insufficient_user_authentication',
      max_age: '300'
    })
  const answer = await readDocuments({ ...recent, scope: 'documents:read' }, owner)
  assertChallenge(t, answer, 403, { error: 'insufficient_scope', scope: 'documents:admin' })
})

void t.test('an owner without issuer or subject is a 422', async (t) => {
  for (const query of [
    {},
    { owner: '' },
    { owner: 'ada' },
    { owner: '|ada' },
    { owner: `${iss}|` }
  ])
    t.equal((await readDocuments(recent, query as Record<string, string>)).status, 422)
})

void t.test('documents:admin implies reading and writing', async (t) => {
  await write(t, { sub: 'ida', scope: 'documents:admin' }, 'own')
  const token = await mint({ sub: 'ida', scope: 'documents:admin' })
  t.strictSame(titlesOf((await callOrigin(origin, { path: '/documents', token })).text), ['own'])
})

t.test('BCP-4: an issuer that is not for administrators can not make any', async (t) => {
  const token = await mint(
    { sub: 'root', scope: 'revocations:write documents:admin', auth_time: now - 1 },
    other
  )
  const body = JSON.stringify({ jti: 'one' })
  const call = { method: 'POST', path: '/admin/revocations', token, lines: jsonLines, body }
  for (const sent of [call, { path: `/admin/documents?owner=${iss}|ada`, token }]) {
    const answer = await callOrigin(origin, sent)
    t.equal(answer.status, 403)
    t.match(problemOf(answer), { type: 'urn:latchkey:problem:access-denied' })
  }
})

t.test('an issuer for administrators has to be one that is listed by its own name', async (t) => {
  const template = { issuer: 'https://id.example.com/{tenantid}', audience: 'b', tenants: 'any' }
  for (const adminIssuers of [['https://id.example.com'], [template.issuer]])
    await t.rejects(
      appUnderTest(t, {
        issuers: [issuer.options, template as typeof issuer.options],
        adminIssuers
      }),
      {
        name: 'ConfigError',
        message: /^adminIssuers: found "https:.*", allowed: issuers that are listed/
      }
    )
})
