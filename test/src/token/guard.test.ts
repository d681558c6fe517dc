import t from 'tap'
import { allows, parseGuard } from '../../../src/token/guard.ts'
import { createPrincipal } from '../../../src/token/principal.ts'

const caller = (scope: string) =>
  createPrincipal({ iss: 'https://id.example.com', sub: 'ada', aud: 'a', exp: 9e9, scope })

void t.test('a route that says nothing, or {}, needs a token and no scope', async (t) => {
  for (const declaration of [undefined, {}, { scopes: undefined }]) {
    const guard = parseGuard(declaration)
    t.strictSame(guard, { scopes: [], anyScope: [], scope: undefined })
    t.ok(guard !== undefined && allows(guard, caller('')))
  }
  t.equal(parseGuard(false), undefined)
})

const decisions: [scope: string, allowed: boolean][] = [
  ['a b c', true],
  ['b a d', true],
  ['a b', false],
  ['a c', false],
  ['c d', false],
  ['', false]
]
for (const [scope, allowed] of decisions)
  void t.test(`all of a and b, one of c and d: "${scope}" is ${allowed}`, async (t) => {
    const guard = parseGuard({ scopes: ['a', 'b'], anyScope: ['c', 'd'] })
    t.equal(guard !== undefined && allows(guard, caller(scope)), allowed)
  })

void t.test('a challenge names each scope once', async (t) => {
  t.equal(parseGuard({ scopes: ['a', 'b'], anyScope: ['b', 'c'] })?.scope, 'a b c')
})

void t.test('a guard can not be changed by what declared it', async (t) => {
  const scopes = ['a']
  const guard = parseGuard({ scopes })
  scopes.pop()
  t.strictSame(guard?.scopes, ['a'])
  t.ok(Object.isFrozen(guard) && Object.isFrozen(guard?.scopes))
})

const malformed: [declaration: unknown, name: RegExp][] = [
  [true, /^config\.auth: found true, allowed: false, or an object/],
  [null, /^config\.auth: found null/],
  ['documents:read', /^config\.auth: found "documents:read"/],
  [['documents:read'], /^config\.auth: found \["documents:read"\]/],
  [0, /^config\.auth: found 0/],
  [{ scope: 'a' }, /^config\.auth\.scope: .*allowed: scopes, anyScope/],
  [{ scopes: ['a'], roles: [] }, /^config\.auth\.roles: /],
  [{ scopes: 'a' }, /^config\.auth\.scopes: found "a", allowed: a list/],
  [{ scopes: [] }, /^config\.auth\.scopes: found \[\]/],
  [{ scopes: null }, /^config\.auth\.scopes: found null/],
  [{ scopes: ['a b'] }, /^config\.auth\.scopes: found \["a b"\]/],
  [{ scopes: [''] }, /^config\.auth\.scopes/],
  [{ scopes: ['a', 5] }, /^config\.auth\.scopes/],
  [{ scopes: ['"'] }, /^config\.auth\.scopes/],
  [{ scopes: new Set(['a']) }, /^config\.auth\.scopes/],
  [{ anyScope: [] }, /^config\.auth\.anyScope: found \[\]/],
  [{ anyScope: 'a' }, /^config\.auth\.anyScope/],
  [{ scopes: ['a'], anyScope: ['é'] }, /^config\.auth\.anyScope/]
]
for (const [declaration, message] of malformed)
  void t.test(`refuses the declaration ${JSON.stringify(declaration)}`, async (t) => {
    t.throws(() => parseGuard(declaration), { name: 'TypeError', message })
  })
