import t from 'tap'
import { json } from '../support/hostile-issuer.ts'
import { opaqueToken, startScene } from '../support/introspection-scene.ts'

void t.test('a preset says what introspection answers mean as well', async (t) => {
  const roles = { realm_access: { roles: ['admin'] } }
  const { api, active, answerWith } = await startScene(t, { preset: 'keycloak' })
  answerWith(json({ ...active, ...roles, typ: 'Bearer', client_id: undefined, azp: 'app' }))
  const { status, json: caller } = await api.ask(opaqueToken)
  t.equal(status, 200)
  t.match(caller, { client_id: 'app', scopes: ['openid', 'documents:read'] })
})

void t.test('BCP-6: an answer about another kind of token opens nothing', async (t) => {
  const { api, active, answerWith } = await startScene(t, { preset: 'keycloak' })
  for (const typ of ['Refresh', 'ID', 'UPT', undefined]) {
    answerWith(json({ ...active, typ }))
    t.equal((await api.ask(`opaque-${typ}`)).status, 401, `${typ}`)
  }
})

void t.test(
  'a JWT that looks like an ID token is asked about where access tokens look so',
  async (t) => {
    const claims = { nonce: 'n', azp: 'app', uid: 'u', scope: undefined }
    const tokens = ['opaque'] as const
    const authentik = await startScene(t, { preset: 'authentik', tokens })
    authentik.answerWith(json({ ...authentik.active, ...claims }))
    t.equal((await authentik.api.ask(await authentik.mint(claims))).status, 200)
    const plain = await startScene(t, { tokens })
    t.equal((await plain.api.ask(await plain.mint(claims))).status, 401)
    t.strictSame([authentik.calls.length, plain.calls.length], [1, 0])
  }
)
