import t from 'tap'
import {
  hasRequiredClaims,
  readRequiredClaims,
  type RequiredClaims
} from '../../../src/token/required-claims.ts'

const claims = { use: 'access', level: 2, verified: false, nothing: null, act: { sub: 'x' } }
const cases: [required: RequiredClaims | RequiredClaims[], isMet: boolean][] = [
  [{ use: 'access' }, true],
  [{ use: ['id', 'access'] }, true],
  [{ use: 'Access' }, false],
  [{ use: '*', level: 2 }, true],
  [{ use: '*', level: '2' }, false],
  [{ verified: true }, false],
  [{ verified: false }, true],
  [{ absent: '*' }, false],
  [{ nothing: 'null' }, false],
  [{ 'act.sub': 'x' }, true],
  [{ act: 'x' }, false],
  [{ constructor: '*' }, false],
  [[{ absent: '*' }, { use: 'access' }], true],
  [[{ absent: '*', use: 'access' }, { level: 3 }], false]
]
for (const [required, isMet] of cases)
  void t.test(`${JSON.stringify(required)} is ${isMet ? '' : 'not '}met`, async (t) => {
    t.equal(hasRequiredClaims(claims, readRequiredClaims(required) ?? []), isMet)
  })

void t.test('where nothing is required, every token has it', async (t) => {
  t.ok(hasRequiredClaims({}, []))
})
