import t from 'tap'
import { judge, parseGuard } from '../../../src/token/guard.ts'
import { createPrincipal } from '../../../src/token/principal.ts'

const caller = (scope: string, claims: object = {}) =>
  createPrincipal({
    iss: 'https://id.example.com',
    sub: 'ada',
    aud: 'a',
    exp: 9e9,
    scope,
    ...claims
  })

const surroundings = {
  clock: () => 1_800_000_000_000,
  clockToleranceOf: () => 5,
  isThisApi: () => true
}

/** What the guard of a declaration says of a caller. */
function verdict(declaration: unknown, principal: ReturnType<typeof caller>) {
  const guard = parseGuard(declaration)
  if (guard === undefined) throw new Error('a public route has no guard')
  return judge(guard, principal, surroundings)
}

void t.test('a route that says nothing, or {}, needs a token and no scope', async (t) => {
  for (const declaration of [undefined, {}, { scopes: undefined }]) {
    t.match(parseGuard(declaration), { scopes: [], anyScope: [], scope: undefined })
    t.equal(verdict(declaration, caller('')), undefined)
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
    const declaration = { scopes: ['a', 'b'], anyScope: ['c', 'd'] }
    t.equal(verdict(declaration, caller(scope)), allowed ? undefined : 'insufficient_scope')
  })

void t.test('a guard asks nothing that the route does not declare', async (t) => {
  t.strictSame(parseGuard({})?.demands, [])
  t.equal(parseGuard({ scopes: ['a'], anyScope: ['b'] })?.demands.length, 1)
})

void t.test(
  'STEP-5: a principal that passed once does not pass when its sign-in is too old',
  async (t) => {
    const guard = parseGuard({ maxAge: 300 })
    const principal = caller('', { auth_time: 1000 })
    const at = (seconds: number) => ({ ...surroundings, clock: () => seconds * 1000 })
    for (const seconds of [1000, 1300, 1300.9])
      t.equal(guard && judge(guard, principal, at(seconds)), undefined)
    t.equal(guard && judge(guard, principal, at(1301)), 'insufficient_user_authentication')
  }
)

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
  [{ scope: 'a' }, /^config\.auth\.scope: .*allowed: scopes, anyScope, acr, maxAge, issuers/],
  [{ scopes: ['a'], role: [] }, /^config\.auth\.role: /],
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
  [{ scopes: ['a'], anyScope: ['é'] }, /^config\.auth\.anyScope/],
  [{ acr: 'gold' }, /^config\.auth\.acr: found "gold", allowed: a list/],
  [{ acr: [] }, /^config\.auth\.acr: found \[\]/],
  [{ acr: ['gold silver'] }, /^config\.auth\.acr/],
  [{ acr: ['"'] }, /^config\.auth\.acr/],
  [{ maxAge: '300' }, /^config\.auth\.maxAge: found "300", allowed: whole seconds/],
  [{ maxAge: -1 }, /^config\.auth\.maxAge/],
  [{ maxAge: 1.5 }, /^config\.auth\.maxAge/],
  [{ maxAge: Number.NaN }, /^config\.auth\.maxAge/],
  [{ maxAge: null }, /^config\.auth\.maxAge/],
  [{ issuers: 'https://id.example.com' }, /^config\.auth\.issuers: found "https/],
  [{ issuers: [] }, /^config\.auth\.issuers: found \[\], allowed: a list of one/],
  [{ clients: [''] }, /^config\.auth\.clients: found \[""\], allowed: a list/],
  [{ clients: [5] }, /^config\.auth\.clients/],
  [{ roles: 'admin' }, /^config\.auth\.roles: found "admin", allowed: a list of one/],
  [{ roles: [] }, /^config\.auth\.roles: found \[\]/],
  [{ authorizationDetails: 'x' }, /^config\.auth\.authorizationDetails: found "x", allowed: an/],
  [{ authorizationDetails: {} }, /^config\.auth\.authorizationDetails/],
  [{ authorizationDetails: { type: '"' } }, /^config\.auth\.authorizationDetails/],
  [{ authorizationDetails: { type: 'x', actions: [] } }, /^config\.auth\.authorizationDetails/],
  [{ authorizationDetails: { type: 'x', action: ['a'] } }, /^config\.auth\.authorizationDetails/],
  [{ optional: 'yes' }, /^config\.auth\.optional: found "yes", allowed: true or false/],
  [{ optional: null }, /^config\.auth\.optional: found null/],
  [{ allow: true }, /^config\.auth\.allow: found true, allowed: a function/],
  [{ allow: async () => true }, /^config\.auth\.allow: found "an async function"/]
]
for (const [declaration, message] of malformed)
  void t.test(`refuses the declaration ${JSON.stringify(declaration)}`, async (t) => {
    t.throws(() => parseGuard(declaration), { name: 'TypeError', message })
  })
