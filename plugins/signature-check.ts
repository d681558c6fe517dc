import type { KeyObject } from 'node:crypto'
import fastifyJwt from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import { createPlainSignatureCheck } from '../src/issuer/plain-signature.ts'
import type { PublicKey, SignatureCheck } from '../src/issuer/signing-key.ts'
import { type Algorithm, mlDsaAlgorithms } from '../src/token/algorithms.ts'

/**
 * Makes the signature check of one public key, on @fastify/jwt. Each key gets an instance of its own, because only a
 * static secret is parsed once: with a key per call it is parsed for every token, which costs more than the signature.
 * Claims are not its business: the policy has judged them before.
 */
export function createSignatureCheck({ keyObject, algorithms }: PublicKey): SignatureCheck {
  const verifySignature = createPlainSignatureCheck(keyObject, algorithms)
  const known = algorithms.filter(isKnownToFastJwt)
  if (known.length === 0) return verifySignature
  const jwt = createJwt(keyObject, known)
  return (token, algorithm) => {
    // fast-jwt knows Ed25519 by its older name only (RFC 9864 section 2.2)
    if (!isKnownToFastJwt(algorithm)) return verifySignature(token, algorithm)
    try {
      // with a callback, which is called at once, it copies its options one time less
      jwt.verify(token, noCallback)
      return true
    } catch {
      // whatever it throws for a token that passed all other checks, the signature is not right
      return false
    }
  }
}

function noCallback(): void {}

type NewAlgorithm = 'Ed25519' | (typeof mlDsaAlgorithms)[number]
type FastJwtAlgorithm = Exclude<Algorithm, NewAlgorithm>

const newAlgorithms: ReadonlySet<Algorithm> = new Set(['Ed25519', ...mlDsaAlgorithms])

function isKnownToFastJwt(algorithm: Algorithm): algorithm is FastJwtAlgorithm {
  return !newAlgorithms.has(algorithm)
}

/**
 * An instance of @fastify/jwt without a server: keys come and go while the server runs, and plugins can only be
 * registered before. It decorates what it is given and asks for nothing else.
 */
function createJwt(key: KeyObject, algorithms: FastJwtAlgorithm[]): FastifyInstance['jwt'] {
  const host: { jwt?: FastifyInstance['jwt'] } & Record<string, unknown> = {
    decorate: (name: string, value: unknown) => Object.assign(host, { [name]: value }),
    decorateRequest: () => undefined,
    decorateReply: () => undefined
  }
  const secret = { public: key.export({ type: 'spki', format: 'pem' }).toString() }
  const verify = { algorithms, cache: false, ignoreExpiration: true, ignoreNotBefore: true }
  let failure: Error | undefined
  fastifyJwt(host as unknown as FastifyInstance, { secret, verify }, (error) => {
    failure = error
  })
  if (failure !== undefined || host.jwt === undefined)
    throw failure ?? new Error('@fastify/jwt did not register')
  return host.jwt
}
