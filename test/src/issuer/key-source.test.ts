import t from 'tap'
import type { BoundedResponse } from '../../../src/issuer/bounded-fetch.ts'
import { IssuerFaultError } from '../../../src/issuer/issuer-fault.ts'
import { createKeySource } from '../../../src/issuer/key-source.ts'
import { silentObserver } from '../../../src/observe/observer.ts'
import { fakeFetch } from '../../support/fake-fetch.ts'
import { until } from '../../support/until.ts'

const issuer = 'https://id.example.com'
const discovery = `${issuer}/.well-known/openid-configuration`
const second = `${issuer}/.well-known/oauth-authorization-server`
const jwksUri = `${issuer}/keys`
const document = { issuer, jwks_uri: jwksUri }
const key = { kty: 'RSA', kid: 'a' }
const hour = 3_600_000

function startSource(answers: Readonly<Record<string, unknown>> = {}) {
  const fake = fakeFetch({ [discovery]: document, [jwksUri]: { keys: [key] }, ...answers })
  const troubles: string[] = []
  const source = createKeySource(issuer, fake.fetch, {
    ...silentObserver,
    issuerTrouble: ({ doing, cause }) => void troubles.push(`${doing}: ${String(cause)}`)
  })
  return { ...fake, source, troubles }
}

void t.test('downloads the set that the document names, entries unchecked', async (t) => {
  const { source, answer } = startSource()
  answer(jwksUri, { keys: [key, null, 5], more: true })
  const { metadata, jwks, maxAge } = await source(0)
  t.match(metadata, document)
  t.strictSame(jwks, [key, null, 5])
  t.equal(maxAge, undefined)
})

for (const [field, seconds] of [
  ['max-age=600', 600],
  ['public, max-age=600, must-revalidate', 600],
  ['public,max-age=600', 600],
  ['MAX-AGE=600', 600],
  ['max-age="600"', 600],
  [['public', 'max-age=600'], 600],
  ['max-age=0', 0],
  ['no-store', undefined],
  ['s-maxage=600', undefined],
  ['x-max-age=600', undefined],
  ['max-age=-1', undefined],
  ['max-age=soon', undefined],
  ['', undefined],
  [undefined, undefined]
] as const) {
  void t.test(`META-8: Cache-Control ${JSON.stringify(field)} means ${seconds} s`, async (t) => {
    const { source, answer } = startSource()
    const headers = { 'cache-control': field } as BoundedResponse['headers']
    answer(jwksUri, { keys: [key] }, { headers })
    t.equal((await source(0)).maxAge, seconds)
  })
}

void t.test('META-8: the document is read once an hour, the set each time', async (t) => {
  const { source, asked } = startSource()
  for (const now of [0, 1000, hour - 1]) await source(now)
  t.equal(asked.filter((url) => url === discovery).length, 1)
  t.equal(asked.filter((url) => url === jwksUri).length, 3)
  await source(hour)
  t.equal(asked.filter((url) => url === discovery).length, 2)
})

void t.test('after a failure the document is read again: the set may have moved', async (t) => {
  const { source, answer } = startSource()
  await source(0)
  answer(jwksUri, 'gone', { status: 404 })
  await t.rejects(source(1), IssuerFaultError)
  answer(discovery, { issuer, jwks_uri: `${issuer}/moved` })
  answer(`${issuer}/moved`, { keys: [key, key] })
  t.equal((await source(2)).jwks.length, 2)
})

for (const [name, set] of Object.entries<unknown>({
  'keys a text': { keys: 'x' },
  'keys an object': { keys: {} },
  'no keys': {},
  'an array': [key],
  null: null,
  HTML: '<!doctype html>',
  'META-10: more than 100 keys': { keys: Array.from({ length: 101 }, () => key) }
})) {
  void t.test(
    `JWK-1, GJ-13, GJ-15: a set that is ${name} is a failure of the issuer`,
    async (t) => {
      const { source } = startSource({ [jwksUri]: set })
      await t.rejects(source(0), IssuerFaultError)
    }
  )
}

for (const [name, other, differs] of [
  ['the same', document, false],
  ['of another jwks_uri', { issuer, jwks_uri: `${issuer}/other` }, true],
  ['of another issuer', { issuer: `${issuer}/`, jwks_uri: jwksUri }, true],
  ['HTML', '<!doctype html>', true]
] as const) {
  void t.test(
    `META-12: a second document that is ${name}: ${differs ? 'a warning' : 'nothing'}`,
    async (t) => {
      const { source, asked, troubles } = startSource({ [second]: other })
      for (const now of [0, 1]) t.match((await source(now)).metadata, document)
      await until(() => asked.includes(second))
      await new Promise(setImmediate)
      t.equal(troubles.length, differs ? 1 : 0)
      t.equal(asked.filter((url) => url === second).length, 1)
    }
  )
}

void t.test('META-12: no second document is nothing to speak of', async (t) => {
  const { source, asked, troubles } = startSource()
  await source(0)
  await until(() => asked.includes(second))
  await new Promise(setImmediate)
  t.strictSame(troubles, [])
})
