import * as fc from 'fast-check'
import t from 'tap'
import { foldedMarks } from '../../../src/revocation/fold.ts'
import type { Mark } from '../../../src/revocation/mark.ts'
import { Marks } from '../../../src/revocation/marks.ts'
import { createPrincipal, type Principal } from '../../../src/token/principal.ts'

const some = (...values: string[]) => fc.constantFrom(...values)
const seconds = fc.integer({ min: 0, max: 9 })

const principals: fc.Arbitrary<Principal> = fc
  .record(
    {
      iss: some('https://a', 'https://b'),
      sub: some('ada', 'bob'),
      jti: some('1', '2'),
      sid: some('s', 'ada'),
      client_id: some('app', 'ada'),
      iat: fc.oneof(seconds, fc.constant(4.5), fc.constant('4'))
    },
    { requiredKeys: ['iss', 'sub'] }
  )
  .map((claims) => createPrincipal({ aud: 'x', exp: 100, ...claims }))

const marks: fc.Arbitrary<Mark> = fc.oneof(
  fc.record({
    kind: some('subject', 'session', 'sessionless', 'client') as fc.Arbitrary<Mark['kind']>,
    issuer: some('https://a', 'https://b'),
    value: some('ada', 'bob', 's', 'app'),
    issuedUntil: seconds
  }),
  fc.record({
    kind: fc.constant('token' as const),
    issuer: some('', 'https://a'),
    value: some('1', '2'),
    // it names a token that was issued before it was made
    issuedUntil: fc.constant(9)
  }),
  fc.record({
    kind: fc.constant('all' as const),
    issuer: some('', 'https://a', 'https://b'),
    value: fc.constant(''),
    issuedUntil: seconds
  })
)

/** What a mark means, one by one. */
function isOn({ kind, issuer, value, issuedUntil }: Mark, principal: Principal): boolean {
  const { claims, subject, clientId } = principal
  const { iat, jti, sid } = claims
  if (issuer !== '' && issuer !== principal.issuer) return false
  if (kind === 'token') return jti === value
  if (typeof iat === 'number' && Math.floor(iat) > issuedUntil) return false
  const named = {
    all: '',
    subject,
    session: sid,
    sessionless: sid === undefined ? subject : undefined,
    client: clientId
  }
  return named[kind] === value
}

function marksOf(list: readonly Mark[]): Marks {
  const known = new Marks()
  for (const mark of list) known.add(mark)
  return known
}

void t.test('marks in memory refuse what each of them refuses, whatever their order', async () => {
  fc.assert(
    fc.property(fc.array(marks, { maxLength: 8 }), principals, (list, principal) => {
      const expected = list.some((mark) => isOn(mark, principal))
      return marksOf(list).covers(principal) === expected
    }),
    { numRuns: 2000 }
  )
})

void t.test('adding a mark tells whether it refuses more than before', async () => {
  fc.assert(
    fc.property(fc.array(marks, { maxLength: 6 }), marks, principals, (list, mark, principal) => {
      const known = marksOf(list)
      const before = known.covers(principal)
      return known.add(mark) || known.covers(principal) === before
    }),
    { numRuns: 2000 }
  )
})

void t.test('BCL-11: marks that are folded refuse all that they refused before', async () => {
  const folding = fc.tuple(
    fc.array(marks, { maxLength: 8 }),
    seconds,
    fc.integer({ min: 1, max: 8 })
  )
  fc.assert(
    fc.property(folding, principals, ([list, oldest, most], principal) => {
      const known = marksOf(list)
      const before = known.covers(principal)
      for (const mark of foldedMarks([...known], oldest, most)) known.add(mark)
      const isBounded = known.size <= most
      const isYoung = [...known].every(({ issuedUntil }) => issuedUntil >= oldest)
      return isBounded && isYoung && (!before || known.covers(principal))
    }),
    { numRuns: 2000 }
  )
})

void t.test(
  'one mark on a target counts once, one on all takes the place of the others',
  async (t) => {
    const target = { kind: 'subject', issuer: 'https://a', value: 'ada' } as const
    const known = marksOf([
      { ...target, issuedUntil: 1 },
      { ...target, issuedUntil: 3 }
    ])
    t.equal(known.size, 1)
    t.strictSame([...known], [{ ...target, issuedUntil: 3 }])
    known.add({ kind: 'all', issuer: 'https://a', value: '', issuedUntil: 2 })
    t.equal(known.size, 1)
    known.add({ kind: 'all', issuer: '', value: '', issuedUntil: 3 })
    t.equal(known.size, 0)
    t.notOk(known.add({ ...target, issuedUntil: 3 }))
  }
)
