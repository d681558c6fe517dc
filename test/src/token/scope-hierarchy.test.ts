import t from 'tap'
import { createScopeHierarchy, withImplied } from '../../../src/token/scope-hierarchy.ts'

const hierarchy = createScopeHierarchy({
  root: ['admin', 'audit'],
  admin: ['write', 'share'],
  write: ['read'],
  share: ['read']
})

const grants: [granted: string[], all: string[]][] = [
  [['read'], ['read']],
  [['write'], ['write', 'read']],
  [
    ['openid', 'admin'],
    ['openid', 'admin', 'write', 'share', 'read']
  ],
  [['root'], ['root', 'admin', 'audit', 'write', 'share', 'read']],
  [
    ['read', 'write'],
    ['read', 'write']
  ],
  [['Admin'], ['Admin']],
  [['constructor'], ['constructor']],
  [[], []]
]
for (const [granted, all] of grants)
  void t.test(`${granted.join(' ')} is ${all.join(' ')}`, async (t) => {
    t.strictSame([...withImplied(granted, hierarchy)], all)
  })

void t.test('a list that implies nothing is not copied', async (t) => {
  const scopes = ['read', 'x']
  t.equal(withImplied(scopes, hierarchy), scopes)
  t.equal(withImplied(scopes, createScopeHierarchy(undefined)), scopes)
})

void t.test('a scope that implies itself is refused, and the way to it told', async (t) => {
  const circle = { a: ['b'], b: ['c', 'd'], d: ['e', 'a'] }
  t.throws(() => createScopeHierarchy(circle), {
    name: 'TypeError',
    message: 'scopeImplies: found "a > b > d > a", allowed: no scope that implies itself'
  })
})
