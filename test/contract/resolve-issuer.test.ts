import t from 'tap'
import type { Test } from 'tap'
import type { ResolveIssuer } from '../../src/issuer/resolved-issuers.ts'
import { startFleet } from '../support/fleet.ts'
import { startGuardedApp } from '../support/guarded-app.ts'
import { assertInvalidToken, assertUnavailable } from '../support/outcomes.ts'
import { until } from '../support/until.ts'

/** An API that trusts `fixed`, and whom the resolver names; `asked` has what it was asked. */
async function startResolving(t: Test, resolveIssuer: ResolveIssuer) {
  const fleet = await startFleet(t)
  const asked: string[] = []
  const { issuer: fixed, audience } = fleet.optionsOf('fixed')
  const resolve: ResolveIssuer = (iss, context) => {
    asked.push(iss.slice(iss.lastIndexOf('/') + 1))
    return resolveIssuer(iss, context)
  }
  const { app, call, log } = await startGuardedApp(t, {
    issuers: [{ issuer: fixed, audience }],
    resolveIssuer: resolve
  })
  const send = async (name: string) => call({ token: await fleet.mint(name) })
  return { fleet, asked, audience, send, call, app, log }
}

t.test('META-11: an issuer that only the resolver knows is asked for once', async (t) => {
  const api = await startResolving(t, async (issuer) => ({ issuer, audience: api.audience }))
  const answers = await Promise.all(['a', 'a', 'b', 'fixed'].map(api.send))
  t.strictSame(
    answers.map(({ status }) => status),
    [200, 200, 200, 200]
  )
  t.equal((await api.send('a')).status, 200)
  t.strictSame(api.asked.sort(), ['a', 'b'], 'the fixed one is not asked for')
  t.strictSame([...api.fleet.downloads].sort(), ['a', 'b', 'fixed'])
})

t.test('META-11: whom the resolver does not know is refused, and remembered', async (t) => {
  const api = await startResolving(t, () => undefined)
  for (let round = 0; round < 3; round++)
    assertInvalidToken(t, await api.send('stranger'), 'a stranger')
  t.strictSame(api.asked, ['stranger'])
  t.notOk(api.fleet.asked.includes('stranger'), 'and the issuer itself is never asked')
})

t.test('names that no issuer can have are not even asked for', async (t) => {
  const api = await startResolving(t, () => undefined)
  const long = `https://id.example.com/${'x'.repeat(600)}`
  for (const iss of [
    '',
    'x',
    'http://id.example.com',
    'https://a/{tenantid}',
    long,
    7,
    null,
    ['a']
  ])
    assertInvalidToken(
      t,
      await api.call({ token: await api.fleet.mint('a', { iss }) }),
      String(iss)
    )
  t.strictSame(api.asked, [])
})

for (const [name, resolve] of Object.entries<ResolveIssuer>({
  throws: () => {
    throw new Error('the directory is down')
  },
  rejects: () => Promise.reject(new Error('the directory is down')),
  'names another issuer': () => ({ issuer: 'https://other.example.com', audience: 'a' }),
  'forgets the audience': (issuer) => ({ issuer }) as never,
  'wants opaque tokens': (issuer) => ({ issuer, audience: 'a', tokens: ['opaque'] })
}))
  t.test(`a resolver that ${name} is an outage: 503, never 401 or 500`, async (t) => {
    const api = await startResolving(t, resolve)
    for (let round = 0; round < 2; round++) assertUnavailable(t, await api.send('a'), name)
    t.equal(api.asked.length, 1, 'it is not asked again at once')
    t.equal((await api.send('fixed')).status, 200, 'other issuers go on')
    t.equal(api.log.filter((line) => line.includes('resolving an issuer')).length, 1)
  })

t.test('a resolver that hangs: 503 in time, and known issuers do not wait', async (t) => {
  let aborted = false
  const api = await startResolving(t, (_iss, { signal }) => {
    signal.addEventListener('abort', () => (aborted = true))
    return new Promise(() => undefined)
  })
  const begin = performance.now()
  const hanging = api.send('a')
  t.equal((await api.send('fixed')).status, 200)
  assertUnavailable(t, await hanging, 'after the time limit')
  t.ok(performance.now() - begin < 9000)
  t.ok(aborted, 'the resolver is told that nobody waits any more')
})

t.test('strangers without end: few calls at a time, and good tokens pass', async (t) => {
  let [running, most] = [0, 0]
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  const api = await startResolving(t, async (issuer) => {
    if (issuer.endsWith('/good')) return { issuer, audience: api.audience }
    most = Math.max(most, ++running)
    await released
    running--
    return undefined
  })
  t.equal((await api.send('good')).status, 200)
  const statuses: number[] = []
  const strangers = Array.from({ length: 120 }, async (_, index) =>
    statuses.push((await api.send(`stranger-${index}`)).status)
  )
  await until(() => statuses.length === 20)
  t.strictSame(new Set(statuses), new Set([503]), 'told to come again')
  const [good, fixed] = await Promise.all([api.send('good'), api.send('fixed')])
  t.strictSame([good.status, fixed.status], [200, 200])
  release()
  await Promise.all(strangers)
  t.strictSame([running, most], [0, 100])
})

t.test('an API may have no other issuers than those that are resolved', async (t) => {
  const fleet = await startFleet(t)
  const resolveIssuer: ResolveIssuer = (issuer) => ({ issuer, audience: fleet.audience })
  const { app, call } = await startGuardedApp(t, { issuers: [], resolveIssuer })
  t.ok(app.latchkey.isReady())
  t.equal((await call({ token: await fleet.mint('a') })).status, 200)
  const wrong = startGuardedApp(t, { issuers: [], resolveIssuer: 'x' as never })
  await t.rejects(wrong, { name: 'TypeError', message: /^resolveIssuer: found "x", allowed: / })
  await t.rejects(startGuardedApp(t, { issuers: [] }), { message: /^issuers: found \[\], / })
})
