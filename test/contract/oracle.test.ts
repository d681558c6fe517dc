import { randomInt } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { createLocalJWKSet, type JWTPayload, jwtVerify } from 'jose'
import t from 'tap'
import { startTestIssuer, type TestAlgorithm } from '../../src/testing.ts'
import { testAlgorithms } from '../../src/testing/keys.ts'
import { Refusal } from '../../src/token/refusal.ts'
import { IssuerUnavailable } from '../../src/token/verdict.ts'
import { startJudge } from '../support/judge.ts'
import { mutate } from '../support/mutate.ts'
import { mutations } from '../support/mutations.ts'
import { isStricterThanJose } from '../support/stricter-than-jose.ts'

const numRuns = 20_000
const seed = Number(process.env['FC_SEED'] ?? randomInt(2 ** 31))
/** Seconds since the epoch at which everything is judged. */
const now = 1_800_000_000

const issuer = await startTestIssuer()
const stranger = await startTestIssuer()
for (const one of [issuer, stranger]) t.teardown(() => one.close())
const minted = testAlgorithms.map(
  async (alg) => [alg, await issuer.mint({}, { alg, now })] as const
)
const tokens = Object.fromEntries(await Promise.all(minted)) as Record<TestAlgorithm, string>
const { verify } = await startJudge(t, issuer.options, () => now * 1000)
const keySet = createLocalJWKSet(issuer.jwks)

/** The claims, if jose accepts the token. */
async function judgeByJose(token: string): Promise<JWTPayload | undefined> {
  const { payload } = await jwtVerify(token, keySet, {
    ...issuer.options,
    algorithms: [...testAlgorithms],
    requiredClaims: ['iss', 'sub', 'aud', 'exp'],
    clockTolerance: 5,
    currentDate: new Date(now * 1000)
  }).catch(() => ({ payload: undefined }))
  return payload
}

const counts: Record<string, number> = {}

/** Throws if the two disagree in a way that is not documented; judges twice, since good tokens are remembered. */
async function compare(token: string): Promise<void> {
  const claims = await judgeByJose(token)
  const verdict = await verify(token)
  const again = await verify(token)
  if (verdict instanceof IssuerUnavailable)
    throw new Error('the key set is there, and yet unavailable')
  if (verdict instanceof Refusal) {
    if (again !== verdict) throw new Error(`refused, then otherwise: ${verdict.reason}`)
    if (claims !== undefined && !isStricterThanJose(verdict.reason, token, now))
      throw new Error(`jose accepts, Latchkey refuses: ${verdict.reason}`)
    return count(
      claims === undefined ? 'refused by both' : `refused by us alone: ${verdict.reason}`
    )
  }
  if (claims === undefined) throw new Error('Latchkey accepts, jose refuses')
  if (again instanceof Refusal || again instanceof IssuerUnavailable)
    throw new Error('accepted, then refused')
  if (!isDeepStrictEqual(verdict.claims, claims)) throw new Error('other claims than jose')
  count('accepted by both')
}

function count(outcome: string): void {
  counts[outcome] = (counts[outcome] ?? 0) + 1
}

void t.test('an independent verifier agrees on mutated tokens', async (t) => {
  t.comment(`seed ${seed}: FC_SEED=${seed} runs it again`)
  const keyIds = issuer.keys.map(({ kid }) => kid)
  const arbitrary = mutations({ ...issuer.options, keyIds, now })
  const property = fc.asyncProperty(arbitrary, (mutation) =>
    compare(mutate(mutation, { issuer, stranger, tokens }))
  )
  await t.resolves(fc.assert(property, { numRuns, seed }))
  t.comment(counts)
  t.ok((counts['accepted by both'] ?? 0) > numRuns / 20, 'enough tokens are good')
  t.ok((counts['refused by both'] ?? 0) > numRuns / 4, 'enough tokens are bad')
})
