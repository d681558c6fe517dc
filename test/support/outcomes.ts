import type { Test } from 'tap'
import { problemKinds, type ProblemKind, problemType } from '../../src/http/problem.ts'
import { refusals } from '../../src/token/refusal.ts'
import { type Answer, problemOf } from './http-call.ts'

/** Fixed texts of all refusals of a token: nothing else may ever be said about one (BEARER-19). */
const tokenDescriptions = new Set(Object.values(refusals).map(({ description }) => description))

/** 401 without an error code: the request has no credentials. `scope` is that of the route. */
export function assertNoCredentials(t: Test, answer: Answer, name: string, scope?: string): void {
  assertProblem(t, answer, 'authentication-required', name)
  assertChallenge(t, answer, name, scope === undefined ? {} : { scope })
}

/** 401 invalid_token, described by one of the fixed texts. */
export function assertInvalidToken(t: Test, answer: Answer, name: string): void {
  assertProblem(t, answer, 'invalid-token', name)
  const description = answer.challenges[0]?.params['error_description'] ?? ''
  t.ok(tokenDescriptions.has(description), `${name}: a fixed description, ${description}`)
  assertChallenge(t, answer, name, { error: 'invalid_token', error_description: description })
}

/** 400 invalid_request. */
export function assertInvalidRequest(t: Test, answer: Answer, name: string): void {
  assertProblem(t, answer, 'invalid-request', name)
  const description = answer.challenges[0]?.params['error_description'] ?? ''
  assertChallenge(t, answer, name, { error: 'invalid_request', error_description: description })
}

/** 403 insufficient_scope, naming all that the route needs. */
export function assertInsufficientScope(
  t: Test,
  answer: Answer,
  name: string,
  scope: string
): void {
  assertProblem(t, answer, 'insufficient-scope', name)
  const error_description = answer.challenges[0]?.params['error_description'] ?? ''
  t.match(error_description, /^This operation needs (the scope|one of the scopes) /, name)
  assertChallenge(t, answer, name, { error: 'insufficient_scope', error_description, scope })
}

/** 401 insufficient_user_authentication; `params` is what the challenge says is needed. */
export function assertStepUp(
  t: Test,
  answer: Answer,
  name: string,
  params: Readonly<Record<string, string>>
): void {
  assertProblem(t, answer, 'insufficient-user-authentication', name)
  const error_description = answer.challenges[0]?.params['error_description'] ?? ''
  t.match(error_description, /^This operation needs a sign-in /, name)
  const error = 'insufficient_user_authentication'
  assertChallenge(t, answer, name, { error, error_description, ...params })
}

/** 403 insufficient_scope of a route that names no scope, but wants authorization details of a type. */
export function assertInsufficientDetails(
  t: Test,
  answer: Answer,
  name: string,
  type: string
): void {
  assertProblem(t, answer, 'insufficient-scope', name)
  const { error, error_description = '', scope } = answer.challenges[0]?.params ?? {}
  t.strictSame([answer.challenges.length, error, scope], [1, 'insufficient_scope', undefined], name)
  t.match(error_description, `This operation needs authorization details of type ${type} with `)
}

/** 403 for a caller that the route does not want, whatever the grant: a challenge without an error code. */
export function assertAccessDenied(t: Test, answer: Answer, name: string, detail: string): void {
  assertProblem(t, answer, 'access-denied', name)
  t.equal(problemOf(answer).detail, detail, name)
  assertChallenge(t, answer, name, {})
}

/** 503 without a challenge: the token can not be judged now. */
export function assertUnavailable(t: Test, answer: Answer, name: string): void {
  assertProblem(t, answer, 'issuer-unavailable', name)
  t.strictSame(answer.challenges, [], `${name}: no challenge`)
  t.match(answer.headers['retry-after'], /^[1-9]\d*$/, `${name}: Retry-After`)
}

/** Exactly one challenge, Bearer, with the realm and these parameters (BEARER-9 to BEARER-11). */
function assertChallenge(
  t: Test,
  { challenges }: Answer,
  name: string,
  params: Readonly<Record<string, string>>
): void {
  const expected = [{ scheme: 'Bearer', params: { realm: 'api', ...params } }]
  t.same(challenges, expected, `${name}: challenge`)
}

function assertProblem(t: Test, answer: Answer, kind: ProblemKind, name: string): void {
  const { status, title } = problemKinds[kind]
  t.equal(answer.status, status, `${name}: status`)
  t.match(answer.headers['content-type'], /^application\/problem\+json(;|$)/, `${name}: media type`)
  t.equal(answer.headers['cache-control'], 'no-store', `${name}: no-store`)
  const { detail = '', instance = '', ...problem } = problemOf(answer)
  t.same(problem, { type: problemType(kind), title, status }, `${name}: problem`)
  t.ok(detail.length > 0 && instance.length > 0, `${name}: detail and instance`)
  // the three parts of a compact token are long runs of base64url; nothing else in an answer is
  t.notMatch(answer.text, /[\w-]{40}/, `${name}: nothing of a token`)
}
