import t from 'tap'
import type { Test } from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import * as hostile from './hostile-issuer.ts'
import type { Behaviour, HostileIssuer } from './hostile-issuer.ts'

async function start(t: Test, behaviour: Behaviour): Promise<HostileIssuer> {
  const issuer = await hostile.startHostileIssuer()
  t.teardown(() => issuer.close())
  issuer.on('/jwks', behaviour)
  return issuer
}

function ask(issuer: HostileIssuer): Promise<Response> {
  return fetch(`${issuer.issuer}/jwks?a=b`, {
    redirect: 'manual',
    headers: { 'X-Test': 'yes' },
    signal: AbortSignal.timeout(700)
  })
}

void t.test('hang and drip outlast the client, reset cuts it off', async (t) => {
  await t.rejects(ask(await start(t, hostile.hang)), { name: 'TimeoutError' })
  const dripping = await start(t, hostile.drip)
  const response = await ask(dripping)
  t.equal(response.status, 200)
  await t.rejects(response.text(), { name: 'TimeoutError' })
  await t.rejects(ask(await start(t, hostile.reset)), { message: 'fetch failed' })
})

void t.test('html, badJson, status, redirect and json answer as named', async (t) => {
  t.match((await ask(await start(t, hostile.html))).headers.get('content-type'), 'text/html')
  await t.rejects((await ask(await start(t, hostile.badJson))).json(), SyntaxError)
  t.equal((await ask(await start(t, hostile.status(502)))).status, 502)
  const moved = await ask(await start(t, hostile.redirect('http://elsewhere.example/')))
  t.equal(moved.headers.get('location'), 'http://elsewhere.example/')
  t.strictSame(await (await ask(await start(t, hostile.json([1])))).json(), [1])
})

void t.test('huge streams a document of the size asked for', async (t) => {
  const response = await ask(await start(t, hostile.huge(1_000_000)))
  const text = await response.text()
  t.equal(text.length, 1_000_000)
  t.strictSame(JSON.parse(text), { keys: [] })
})

void t.test('records requests and counts sockets', async (t) => {
  const issuer = await start(t, hostile.json({}))
  await ask(issuer)
  t.match(issuer.requests('/jwks'), [
    { method: 'GET', url: '/jwks?a=b', headers: { 'x-test': 'yes' } }
  ])
  t.strictSame(issuer.requests('/userinfo'), [])
  t.equal(issuer.requests().length, 1)
  t.equal(await issuer.openSockets(), 1)
})

void t.test('impersonates a sound issuer under its own origin, rotations included', async (t) => {
  const sound = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => sound.close())
  const issuer = await start(t, hostile.hang)
  issuer.impersonate(sound)
  const discovery = await fetch(`${issuer.issuer}/.well-known/openid-configuration`)
  t.match(await discovery.json(), { issuer: issuer.issuer, jwks_uri: `${issuer.issuer}/jwks` })
  await sound.rotate()
  t.strictSame(await (await ask(issuer)).json(), sound.jwks)
})
