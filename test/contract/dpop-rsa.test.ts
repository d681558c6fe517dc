import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { createDpopClient, publicUrl } from '../support/dpop-client.ts'
import { assertInvalidProof } from '../support/dpop-outcomes.ts'
import { startGuardedApp } from '../support/guarded-app.ts'

const issuer = await startTestIssuer({ algorithms: ['ES256'] })
t.teardown(() => issuer.close())
const { call } = await startGuardedApp(t, { ...issuer.options, publicUrl, dpop: 'optional' })
const client = await createDpopClient()

/** What the API answers to a proof by this key, of a token that is bound to it. */
async function callBy(jwk: JWK, key: KeyObject) {
  const token = await issuer.mint({ cnf: { jkt: await calculateJwkThumbprint(jwk) } })
  return call(client.call(token, { header: { alg: 'PS256', jwk }, key }))
}

for (const modulusLength of [2048, 4096])
  void t.test(`DPOP-7: an RSA key of ${modulusLength} bits: accepted`, async (t) => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength })
    const { status, text } = await callBy(publicKey.export({ format: 'jwk' }), privateKey)
    t.equal(status, 200, text)
  })

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwk = publicKey.export({ format: 'jwk' }) as JWK

for (const [name, change] of Object.entries({
  'a modulus of 513 octets': { n: lengthened(jwk.n, 513) },
  'an exponent of five octets': { e: lengthened(jwk.e, 5) }
}))
  void t.test(`DPOP-7: an RSA key with ${name}, which may cost any time: refused`, async (t) => {
    assertInvalidProof(t, await callBy({ ...jwk, ...change }, privateKey), name)
  })

/** The same number with zeros in front: how long it is written is what is measured. */
function lengthened(member: string | undefined, octets: number): string {
  const number = Buffer.from(member ?? '', 'base64url')
  return Buffer.concat([Buffer.alloc(octets - number.length), number]).toString('base64url')
}
