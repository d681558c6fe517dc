import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { createTrustedIssuers } from '../../../src/issuer/trusted-issuers.ts'
import type { IssuerOptions } from '../../../src/issuer/issuer-options.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes that are still needed: what waits to be collected would hide what is kept, or feign it. */
function used(): number {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const client = { clientId: 'api', clientSecret: 'secret' }

t.test('META-11: issuers that are never asked take no memory for answers', async (t) => {
  const list = Array.from({ length: 1000 }, (_, index): IssuerOptions => {
    const issuer = `https://id.example.com/${index}`
    const ways = { tokenExchange: client, introspection: client }
    return { issuer, audience: 'api', userinfo: 'introspection', ...ways }
  })
  const before = used()
  const issuers = createTrustedIssuers(list, { prepare: () => () => false })
  const each = (used() - before) / list.length
  t.comment(`${Math.round(each)} bytes each`)
  t.ok(each < 16 * 1024, 'an issuer with all that may be set costs a few KB')
  await issuers.close()
})

t.test('reloads leave nothing behind that listens for revoked tokens', async (t) => {
  let listeners = 0
  const revoked = { covers: () => false, onRevoked: () => void listeners++ }
  const issuer = 'https://id.example.com'
  const listOf = (clockTolerance: number): IssuerOptions[] => [
    { issuer, audience: 'api', tokens: ['jwt', 'opaque'], introspection: client, clockTolerance }
  ]
  const issuers = createTrustedIssuers(listOf(0), { prepare: () => () => false, revoked })
  const before = listeners
  for (let round = 1; round < 10; round++) issuers.replace(listOf(round))
  t.equal(listeners, before)
  await issuers.close()
})
