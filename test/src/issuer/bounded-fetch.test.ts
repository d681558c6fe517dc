import { once } from 'node:events'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, LookupFunction } from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import {
  type BoundedFetchOptions,
  type ClosableFetch,
  createBoundedFetch,
  isAllowedUrl,
  isLoopbackHost,
  UpstreamError
} from '../../../src/issuer/bounded-fetch.ts'
import { until } from '../../support/until.ts'
import { certificate, certificateKey } from '../../support/certificate.ts'
import * as hostile from '../../support/hostile-issuer.ts'
import type { Behaviour, HostileIssuer } from '../../support/hostile-issuer.ts'

const maxBytes = 1024 * 1024

async function start(t: Test, behaviour: Behaviour): Promise<HostileIssuer> {
  const issuer = await hostile.startHostileIssuer()
  t.teardown(() => issuer.close())
  issuer.on('/jwks', behaviour)
  return issuer
}

function fetchFrom(t: Test, issuer: string, options?: BoundedFetchOptions): ClosableFetch {
  const fetch = createBoundedFetch(issuer, options)
  t.teardown(() => fetch.close())
  return fetch
}

/** Why a download failed. */
function faultOf(download: Promise<unknown>): Promise<unknown> {
  return download.then(
    () => undefined,
    (error: unknown) => (error instanceof UpstreamError ? error.fault : error)
  )
}

/** Answers every name with the same addresses and remembers the names. */
function lookupAs(...addresses: string[]) {
  const asked: string[] = []
  const lookup: LookupFunction = (hostname, { all }, callback) => {
    asked.push(hostname)
    const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    if (all) callback(null, found)
    else callback(null, found[0]?.address ?? '', found[0]?.family)
  }
  return { lookup, asked }
}

for (const [name, behaviour] of [
  ['GJ-1: an issuer that never answers', hostile.hang],
  ['GJ-2: an issuer that drips', hostile.drip]
] as const) {
  void t.test(`${name} is given up in time, and the next answer is waited for anew`, async (t) => {
    const issuer = await start(t, behaviour)
    const fetch = fetchFrom(t, issuer.issuer, { timeout: 300 })
    const url = `${issuer.issuer}/jwks`
    for (const round of [1, 2]) {
      const before = performance.now()
      t.equal(await faultOf(fetch(url, { maxBytes })), 'timeout')
      t.ok(performance.now() - before < 2000, `within the limit, round ${round}`)
    }
    issuer.on('/jwks', hostile.json({ keys: [] }))
    t.equal((await fetch(url, { maxBytes })).status, 200)
  })
}

for (const code of [301, 302, 303, 307, 308]) {
  void t.test(`GJ-12, META-10: a redirect (${code}) is not followed`, async (t) => {
    const elsewhere = await start(t, hostile.json({ keys: [] }))
    const issuer = await start(t, hostile.redirect(`${elsewhere.issuer}/jwks`, code))
    const fetch = fetchFrom(t, issuer.issuer)
    t.equal((await fetch(`${issuer.issuer}/jwks`, { maxBytes })).status, code)
    t.equal(elsewhere.requests().length, 0)
  })
}

void t.test('GJ-12, META-10: 60 MB are cut off early, and the connection with them', async (t) => {
  const issuer = await start(t, hostile.huge())
  const fetch = fetchFrom(t, issuer.issuer)
  const before = process.memoryUsage().rss
  t.equal(await faultOf(fetch(`${issuer.issuer}/jwks`, { maxBytes })), 'too_large')
  t.ok(process.memoryUsage().rss - before < 40_000_000)
  await until(async () => (await issuer.openSockets()) === 0)
})

void t.test('META-10: the size limit is exact', async (t) => {
  const issuer = await start(t, hostile.json('x'.repeat(998)))
  const fetch = fetchFrom(t, issuer.issuer)
  const { body } = await fetch(`${issuer.issuer}/jwks`, { maxBytes: 1000 })
  t.equal(body.length, 1000)
  t.equal(await faultOf(fetch(`${issuer.issuer}/jwks`, { maxBytes: 999 })), 'too_large')
})

void t.test(
  'GJ-15: a reset, a refused connection and an unknown name are all "unreachable"',
  async (t) => {
    const issuer = await start(t, hostile.reset)
    const fetch = fetchFrom(t, issuer.issuer)
    t.equal(await faultOf(fetch(`${issuer.issuer}/jwks`, { maxBytes })), 'unreachable')
    await issuer.close()
    t.equal(await faultOf(fetch(`${issuer.issuer}/jwks`, { maxBytes })), 'unreachable')
    const lookup: LookupFunction = (_hostname, _options, callback) =>
      callback(new Error('ENOTFOUND'), '')
    const nowhere = fetchFrom(t, 'https://issuer.example', { lookup })
    t.equal(await faultOf(nowhere('https://issuer.example/jwks', { maxBytes })), 'unreachable')
  }
)

void t.test('sends GET with the given headers and nothing of its own about us', async (t) => {
  const issuer = await start(t, hostile.json({}))
  const fetch = fetchFrom(t, issuer.issuer)
  await fetch(`${issuer.issuer}/jwks?a=b`, { maxBytes, headers: { accept: 'application/json' } })
  const [{ method, url, headers } = { headers: {} }] = issuer.requests()
  t.strictSame({ method, url }, { method: 'GET', url: '/jwks?a=b' })
  t.strictSame(Object.keys(headers).sort(), ['accept', 'connection', 'host'])
})

void t.test('close ends idle connections and what is being read', async (t) => {
  const issuer = await start(t, hostile.json({}))
  const fetch = createBoundedFetch(issuer.issuer)
  await fetch(`${issuer.issuer}/jwks`, { maxBytes })
  t.equal(await issuer.openSockets(), 1)
  issuer.on('/jwks', hostile.hang)
  const reading = t.rejects(fetch(`${issuer.issuer}/jwks`, { maxBytes }), UpstreamError)
  await fetch.close()
  await reading
  await until(async () => (await issuer.openSockets()) === 0)
})

void t.test('META-5: which URLs an issuer may name', async (t) => {
  const remote = new URL('https://id.example.com/a')
  const local = new URL('http://127.0.0.1:4000')
  for (const url of ['https://id.example.com/jwks', 'https://keys.example.org:8443/a?b=c']) {
    t.ok(isAllowedUrl(url, remote), url)
  }
  for (const url of [
    'http://127.0.0.1:1/jwks',
    'http://localhost/jwks',
    'http://[::1]:5/',
    'https://id.example.com/'
  ]) {
    t.ok(isAllowedUrl(url, local), url)
    if (url.startsWith('http:')) t.notOk(isAllowedUrl(url, remote), url)
  }
  for (const url of [
    undefined,
    null,
    5,
    {},
    '',
    '/jwks',
    'jwks',
    '//id.example.com/jwks',
    'http://id.example.com/jwks',
    'http://10.0.0.1/jwks',
    'http://127.0.0.1.example.com/',
    'http://localhost.example.com/',
    'file:///etc/passwd',
    'data:application/json,{}',
    'ftp://id.example.com/',
    'https://ada:secret@id.example.com/jwks',
    'https://x@y/'
  ]) {
    t.notOk(isAllowedUrl(url, remote), JSON.stringify(url))
    t.notOk(isAllowedUrl(url, local), JSON.stringify(url))
  }
})

void t.test('META-5: what counts as loopback', async (t) => {
  for (const host of ['localhost', '127.0.0.1', '127.255.0.9', '[::1]'])
    t.ok(isLoopbackHost(host), host)
  for (const host of ['localhost.', '127.example.com', '128.0.0.1', '0.0.0.0', '[::2]', '']) {
    t.notOk(isLoopbackHost(host), host)
  }
})

void t.test('META-5: a URL that is not allowed is not asked', async (t) => {
  const { lookup, asked } = lookupAs('127.0.0.1')
  const fetch = fetchFrom(t, 'https://issuer.example', { lookup })
  for (const url of [
    'http://issuer.example/jwks',
    'http://keys.example/jwks',
    'file:///etc/passwd'
  ]) {
    t.equal(await faultOf(fetch(url, { maxBytes })), 'forbidden_url', url)
  }
  t.strictSame(asked, [])
})

for (const address of [
  '127.0.0.1',
  '127.1',
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '169.254.169.254',
  '192.0.0.192',
  '198.18.0.1',
  '[64:ff9b::169.254.169.254]',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.0.1',
  '2130706433',
  '0x7f000001',
  '[::1]',
  '[::]',
  '[fc00::1]',
  '[fd12::1]',
  '[fe80::1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:10.0.0.1]',
  'localhost'
]) {
  void t.test(`BCP-9: a public issuer can not send us to ${address}`, async (t) => {
    const fetch = fetchFrom(t, 'https://issuer.example', { timeout: 1000 })
    t.equal(await faultOf(fetch(`https://${address}/jwks`, { maxBytes })), 'forbidden_url')
  })
}

for (const addresses of [
  ['127.0.0.1'],
  ['10.0.0.7'],
  ['169.254.169.254'],
  ['::1'],
  ['fd00::7'],
  ['fe80::7'],
  ['::ffff:127.0.0.1'],
  ['203.0.113.7', '127.0.0.1'],
  ['0.0.0.0']
]) {
  void t.test(
    `BCP-9: a name that resolves to ${addresses.join(' and ')} is not asked`,
    async (t) => {
      const { lookup, asked } = lookupAs(...addresses)
      const fetch = fetchFrom(t, 'https://issuer.example', { lookup, timeout: 1000 })
      const failed = await fetch('https://keys.example/jwks', { maxBytes }).catch((error) => error)
      t.match(failed, { fault: 'unreachable', cause: { message: 'resolves to a local address' } })
      t.strictSame(asked, ['keys.example'])
    }
  )
}

void t.test('BCP-9: of the own host only the own port may be local', async (t) => {
  const { lookup } = lookupAs('127.0.0.1')
  const fetch = fetchFrom(t, 'https://issuer.example', { lookup, timeout: 1000 })
  const url = 'https://issuer.example:8443/jwks'
  const failed = await fetch(url, { maxBytes }).catch((error) => error)
  t.match(failed, { fault: 'unreachable', cause: { message: 'resolves to a local address' } })
  const inside = fetchFrom(t, 'https://10.0.0.5', { timeout: 1000 })
  t.equal(await faultOf(inside('https://10.0.0.5:8443/jwks', { maxBytes })), 'forbidden_url')
})

void t.test(
  'META-5, BCP-9: over TLS the certificate counts, and the own host may be local',
  async (t) => {
    const server = createSecureServer(
      { cert: certificate, key: certificateKey },
      (_request, response) => {
        response.end('{}')
      }
    ).listen(0, '127.0.0.1')
    t.teardown(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const issuer = `https://issuer.example:${port}`
    const { lookup } = lookupAs('127.0.0.1')

    const trusting = fetchFrom(t, issuer, { lookup, ca: certificate })
    t.equal((await trusting(`${issuer}/jwks`, { maxBytes })).status, 200)
    const elsewhere = `https://keys.example:${port}/jwks`
    t.equal(await faultOf(trusting(elsewhere, { maxBytes })), 'unreachable')

    const careful = fetchFrom(t, issuer, { lookup })
    const failed = await careful(`${issuer}/jwks`, { maxBytes }).catch((error) => error)
    t.match(failed, { fault: 'unreachable', cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } })
    const misnamed = `https://other.example:${port}`
    const wrongHost = fetchFrom(t, misnamed, { lookup, ca: certificate })
    const refused = await wrongHost(`${misnamed}/jwks`, { maxBytes }).catch((error) => error)
    t.match(refused, { cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } })
  }
)
