import { createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { createSignatureCheck } from '../plugins/signature-check.ts'
import { importJwk } from '../src/issuer/signing-key.ts'
import { createTrustedIssuers } from '../src/issuer/trusted-issuers.ts'
import { createVerifier } from '../src/token/verifier.ts'
import type { MeasuredAlgorithm } from './tokens.ts'
import { median } from './traffic.ts'

// Verifies tokens in a process without a server, all ways in turn on the same tokens.

/** What is to be verified; every token of an algorithm is signed by the same key. */
export interface VerificationOrder {
  readonly issuer: string
  readonly audience: string
  readonly algorithm: MeasuredAlgorithm
  readonly jwk: JsonWebKey
  readonly tokens: readonly string[]
  /** Other good tokens, which are not measured. */
  readonly warmUp: readonly string[]
  readonly rounds: number
}

/** One way of verifying: microseconds of CPU each, and that divided by what crypto.verify used in the same round. */
export interface VerificationReport {
  readonly way: string
  readonly cpu: number
  readonly ratio: number
}

/** Verifies all tokens once. `prepare` runs unmeasured. */
interface Way {
  readonly name: string
  readonly prepare: () => () => void | Promise<void>
}

process.on('message', (order: VerificationOrder) => {
  void measure(order).then((report) => process.send?.(report))
})
process.on('disconnect', () => process.exit())

async function measure(order: VerificationOrder): Promise<VerificationReport[]> {
  const ways = [cryptoVerify(order), await latchkey(order), fastifyJwt(order), jose(order)]
  const costs = ways.map((): number[] => [])
  for (let round = -2; round < order.rounds; round++) {
    for (let place = 0; place < ways.length; place++) {
      const index = (place + round + 2) % ways.length
      const run = ways[index]?.prepare()
      const before = process.cpuUsage()
      await run?.()
      const { user, system } = process.cpuUsage(before)
      if (round >= 0) costs[index]?.push((user + system) / order.tokens.length)
    }
  }
  const [limit = []] = costs
  return ways.map(({ name }, index) => {
    const own = costs[index] ?? []
    const ratio = median(own.map((cost, round) => cost / (limit[round] ?? cost)))
    return { way: name, cpu: median(own), ratio }
  })
}

/** The limit: the key is a KeyObject, signing input and signature are buffers already; nothing is decoded. */
function cryptoVerify({ jwk, algorithm, tokens }: VerificationOrder): Way {
  const keyObject = createPublicKey({ key: jwk, format: 'jwk' })
  const digest = algorithm === 'EdDSA' ? null : 'sha256'
  const key: { key: KeyObject; dsaEncoding: 'ieee-p1363' } = {
    key: keyObject,
    dsaEncoding: 'ieee-p1363'
  }
  const parts = tokens.map((token) => {
    const end = token.lastIndexOf('.')
    return {
      input: Buffer.from(token.slice(0, end)),
      signature: Buffer.from(token.slice(end + 1), 'base64url')
    }
  })
  return {
    name: 'crypto.verify',
    prepare: () => () => {
      for (const { input, signature } of parts) expect(verify(digest, input, key, signature))
    }
  }
}

/** All of it: form, header, issuer, claims, signature, principal. A new verifier a round: none has seen the tokens. */
async function latchkey(order: VerificationOrder): Promise<Way> {
  const { issuer, audience, tokens, warmUp } = order
  const issuers = createTrustedIssuers([{ issuer, audience }], { prepare: createSignatureCheck })
  for (const { keySet } of issuers.values()) {
    await keySet.start()
    while (!keySet.isUsable) await wait(10)
  }
  return {
    name: 'Latchkey',
    prepare: () => {
      const verifier = createVerifier(issuers)
      // its memory, or the first tokens would pay for the pages
      for (const token of warmUp) expect('claims' in verifier(token))
      return () => {
        for (const token of tokens) expect('claims' in verifier(token))
      }
    }
  }
}

/** What of it is @fastify/jwt with a key that is parsed once: decoding and signature, no claim looked at. */
function fastifyJwt({ jwk, algorithm, tokens }: VerificationOrder): Way {
  const check = createSignatureCheck(importJwk(jwk))
  return {
    name: '@fastify/jwt, one fixed key',
    prepare: () => () => {
      for (const token of tokens) expect(check(token, algorithm))
    }
  }
}

function jose({ jwk, issuer, audience, tokens }: VerificationOrder): Way {
  const keySet = createLocalJWKSet({ keys: [jwk] })
  return {
    name: 'jose, key set in memory',
    prepare: () => async () => {
      for (const token of tokens) await jwtVerify(token, keySet, { issuer, audience })
    }
  }
}

function expect(isVerified: boolean): void {
  if (!isVerified) throw new Error('A good token was refused')
}
