import t from 'tap'
import { createClaimMapping } from '../../../src/token/claim-mapping.ts'
import { createPrincipal } from '../../../src/token/principal.ts'

const base = { iss: 'https://id.example.com', sub: 'ada', aud: 'a', exp: 9e9 }
const claims = {
  realm_access: { roles: ['a', 'b', 'a'] },
  resource_access: { api: { roles: ['c', 'b'] } },
  'https://api.example.com/roles': ['d'],
  permissions: ['read:x'],
  group: 'the staff',
  empty: '',
  mixed: ['a', 5],
  nested: [['a']],
  number: 5,
  'urn:x:roles': { admin: { 1: 'a' }, editor: {}, gone: null, off: false },
  many: { 'https://a.example': { roles: ['e'] } }
}

/** The roles of a caller whose token has these claims, where they are looked for in these places. */
function rolesAt(roles: string | readonly string[] | undefined) {
  const audiences = new Set(['https://a.example', 'b'])
  const mapping = createClaimMapping({ roles }, undefined, audiences)
  return createPrincipal({ ...base, ...claims }, mapping).roles
}

const places: [place: string | string[], roles: string[]][] = [
  ['realm_access.roles', ['a', 'b']],
  ['permissions', ['read:x']],
  ['https://api.example.com/roles', ['d']],
  [
    ['realm_access.roles', 'resource_access.api.roles'],
    ['a', 'b', 'c']
  ],
  [['absent', 'permissions'], ['read:x']],
  ['group', ['the staff']],
  ['empty', []],
  ['mixed', []],
  ['nested', []],
  ['number', []],
  ['realm_access', []],
  ['realm_access.roles.length', []],
  ['absent.roles', []],
  ['constructor.name', []],
  ['__proto__', []],
  ['urn:x:roles.*', ['admin', 'editor']],
  ['urn:x:roles', []],
  ['permissions.*', []],
  ['group.*', []],
  ['many.{audience}.roles', ['e']]
]
for (const [place, roles] of places)
  void t.test(`the roles at ${JSON.stringify(place)} are ${JSON.stringify(roles)}`, async (t) => {
    t.strictSame([...rolesAt(place)], roles)
  })

void t.test('where nothing is said, nobody has a role', async (t) => {
  t.strictSame(rolesAt(undefined), [])
  t.strictSame(createPrincipal({ ...base, ...claims, roles: ['admin'] }).roles, [])
})

void t.test('FJ-9: roles are read once and can not be changed', async (t) => {
  const principal = createPrincipal({ ...base, ...claims }, createClaimMapping({ roles: 'group' }))
  t.equal(principal.roles, principal.roles)
  t.throws(() => (principal.roles as string[]).push('admin'), TypeError)
})
