import t from 'tap'
import { type ClaimNames, createClaimMapping } from '../../../src/token/claim-mapping.ts'
import { createPrincipal } from '../../../src/token/principal.ts'

const claims = () => ({
  iss: 'https://id.example.com',
  sub: 'ada',
  aud: ['a', 'b'],
  exp: 1_800_000_000,
  scope: 'a b',
  client_id: 'app',
  address: { country: 'GB', lines: ['1', { deep: ['x'] }] }
})

void t.test('it says what the token says', async (t) => {
  const principal = createPrincipal(claims())
  t.match(principal, {
    issuer: 'https://id.example.com',
    subject: 'ada',
    clientId: 'app',
    scopes: ['a', 'b'],
    audience: ['a', 'b'],
    expiresAt: 1_800_000_000
  })
  t.strictSame(principal.claims, claims())
})

const clients: [claims: object, clientId: string | undefined][] = [
  [{ client_id: 'app', azp: 'other' }, 'app'],
  [{ client_id: undefined, azp: 'other' }, 'other'],
  [{ client_id: '', azp: 'other' }, 'other'],
  [{ client_id: 5 }, undefined],
  [{ client_id: undefined }, undefined]
]
for (const [members, clientId] of clients)
  void t.test(`the client of ${JSON.stringify(members)} is ${clientId}`, async (t) => {
    t.equal(createPrincipal({ ...claims(), ...members }).clientId, clientId)
  })

const own: [names: ClaimNames, members: object, found: object][] = [
  [{ client: 'cid' }, { cid: 'x' }, { clientId: 'x' }],
  [{ client: ['appid', 'azp'] }, { azp: 'x' }, { clientId: 'x' }],
  [{ client: 'cid' }, { cid: 5 }, { clientId: undefined }],
  [{}, { jti: 'x' }, { tokenId: 'x' }],
  [{}, { jti: '' }, { tokenId: undefined }],
  [{ tokenId: ['uti', 'jti'] }, { jti: 'x', uti: 'y' }, { tokenId: 'y' }],
  [{ scopes: 'scp' }, { scp: 'x y x' }, { scopes: ['x', 'y'] }],
  [
    { scopes: ['scope', 'granted.all'] },
    { granted: { all: ['y', 'a'] } },
    { scopes: ['a', 'b', 'y'] }
  ],
  [{ scopes: 'scp' }, { scp: ['x', 5] }, { scopes: [] }]
]
for (const [names, members, found] of own)
  void t.test(
    `${JSON.stringify(members)} by ${JSON.stringify(names)} is ${JSON.stringify(found)}`,
    async (t) => {
      const principal = createPrincipal({ ...claims(), ...members }, createClaimMapping(names))
      for (const [name, value] of Object.entries(found))
        t.strictSame(principal[name as keyof typeof principal], value)
    }
  )

void t.test('without aud the audience is an empty list', async (t) => {
  t.strictSame(createPrincipal({ ...claims(), aud: undefined }).audience, [])
})

void t.test('an audience is always a list', async (t) => {
  t.strictSame([...createPrincipal({ ...claims(), aud: 'a' }).audience], ['a'])
})

void t.test('FJ-9: it is frozen, to the last member of its claims', async (t) => {
  const principal = createPrincipal(claims())
  assertFrozen(principal)
  assertFrozen(principal.claims)
  t.throws(() => Object.assign(principal, { subject: 'mallory' }), TypeError)
  t.throws(() => Object.assign(principal.claims, { roles: ['admin'] }), TypeError)
  t.throws(() => (principal.scopes as string[]).push('admin'), TypeError)
  t.throws(() => (principal.audience as string[]).push('x'), TypeError)

  function assertFrozen(value: unknown): void {
    if (typeof value !== 'object' || value === null) return
    t.ok(Object.isFrozen(value))
    for (const member of Object.values(value)) assertFrozen(member)
  }
})
