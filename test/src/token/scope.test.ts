import t from 'tap'
import { grantedScopes, isScope } from '../../../src/token/scope.ts'

const granted: [claims: Record<string, unknown>, scopes: string[]][] = [
  [{ scope: 'a b' }, ['a', 'b']],
  [{ scope: ' a  b  a ' }, ['a', 'b']],
  [{ scope: ['a', 'b', 'a', ''] }, ['a', 'b']],
  [{ scp: 'a b' }, ['a', 'b']],
  [{ scp: ['a', 'b'] }, ['a', 'b']],
  [{ scope: 'a', scp: 'b' }, ['a']],
  [{ scope: '', scp: 'b' }, []],
  [{ scope: null, scp: 'b' }, ['b']],
  [{ scope: 'a\tb' }, ['a\tb']],
  [{}, []],
  [{ scope: 5 }, []],
  [{ scope: { a: 1 } }, []],
  [{ scope: ['a', 5] }, []],
  [{ scope: [['a']] }, []]
]
for (const [claims, scopes] of granted)
  void t.test(`BEARER-18: ${JSON.stringify(claims)} grants ${scopes.join(', ')}`, async (t) => {
    t.strictSame([...grantedScopes(claims)], scopes)
    t.ok(Object.isFrozen(grantedScopes(claims)))
  })

void t.test(
  'BEARER-12: a scope is printable ASCII without space, quote and backslash',
  async (t) => {
    for (const scope of ['a', 'documents:read', 'https://api.example.com/read', '!', '~', '[]'])
      t.ok(isScope(scope), scope)
    for (const scope of ['', ' ', 'a b', 'a"', 'a\\', 'é', 'a\n', '\u007F', 5, null, ['a']])
      t.notOk(isScope(scope), JSON.stringify(scope))
  }
)
