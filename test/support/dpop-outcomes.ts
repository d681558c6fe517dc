import type { Test } from 'tap'
import { problemKinds, type ProblemKind, problemType } from '../../src/http/problem.ts'
import { type Answer, problemOf } from './http-call.ts'

const algs = 'ES256 ES384 ES512 EdDSA Ed25519 PS256 RS256'

/** What an answer says of a fault, and in the challenge of which scheme. */
export interface ExpectedFault {
  readonly kind: ProblemKind
  readonly error: string | undefined
  readonly scheme: 'Bearer' | 'DPoP'
}

/** A Bearer and a DPoP challenge, of which only that of `scheme` has an error (RFC 9449 section 7.2). */
export function assertFault(
  t: Test,
  answer: Answer,
  name: string,
  { kind, error, scheme }: ExpectedFault
): void {
  const { status, title } = problemKinds[kind]
  const { detail = '', instance = '', ...problem } = problemOf(answer)
  t.not(instance, '', `${name}: instance`)
  t.equal(answer.status, status, `${name}: status`)
  t.same(problem, { type: problemType(kind), title, status }, `${name}: problem`)
  t.equal(answer.headers['cache-control'], 'no-store', `${name}: no-store`)
  const found = answer.challenges.map(({ scheme, params }) => ({
    scheme,
    error: params['error'],
    algs: params['algs']
  }))
  t.same(
    found,
    [
      { scheme: 'Bearer', error: scheme === 'Bearer' ? error : undefined, algs: undefined },
      { scheme: 'DPoP', error: scheme === 'DPoP' ? error : undefined, algs }
    ],
    `${name}: ${detail}`
  )
  t.notMatch(answer.text, /[\w-]{40}/, `${name}: nothing of a token`)
}

/** 401 invalid_dpop_proof in the DPoP challenge. */
export function assertInvalidProof(t: Test, answer: Answer, name: string): void {
  const error = 'invalid_dpop_proof'
  assertFault(t, answer, name, { kind: 'invalid-dpop-proof', error, scheme: 'DPoP' })
}

/** 401 invalid_token in the challenge of the scheme that was used. */
export function assertBadToken(
  t: Test,
  answer: Answer,
  name: string,
  scheme: 'Bearer' | 'DPoP' = 'DPoP'
): void {
  assertFault(t, answer, name, { kind: 'invalid-token', error: 'invalid_token', scheme })
}
