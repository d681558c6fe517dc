import Fastify from 'fastify'
import t, { type Test } from 'tap'
import latchkey from '../../src/index.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { assertCleanLog, startGuardedApp } from '../support/guarded-app.ts'
import { assertInsufficientDetails } from '../support/outcomes.ts'

const issuer = await startTestIssuer({ algorithms: ['ES256'] })
t.teardown(() => issuer.close())
const here = 'https://api.example.com/v1'
const guarded = await startGuardedApp(
  t,
  { ...issuer.options, publicUrl: here },
  {
    '/list': { authorizationDetails: { type: 'document', actions: ['read'] } },
    '/files/:id': {
      authorizationDetails: {
        type: 'document',
        actions: ['read', 'write'],
        datatypes: ['text'],
        identifier: 'id'
      }
    }
  }
)

/** The answer to a token with these authorization details. */
async function ask(path: string, details: unknown) {
  const token = await issuer.mint({ authorization_details: details })
  return guarded.call({ path, token })
}

async function assertRefused(t: Test, details: unknown, path = '/list'): Promise<void> {
  const answer = await ask(path, details)
  assertInsufficientDetails(t, answer, JSON.stringify(details) ?? 'none', 'document')
}

const read = { type: 'document', actions: ['read'] }
const write = { type: 'document', actions: ['read', 'write'], datatypes: ['text', 'image'] }

void t.test('an object with the type and all rights opens the route', async (t) => {
  t.equal((await ask('/list', [read])).status, 200)
  t.equal((await ask('/list', [{ type: 'other' }, read])).status, 200)
  t.equal((await ask('/files/a', [write])).status, 200)
})

void t.test('RAR-1: any other shape grants nothing', async (t) => {
  const shapes = [undefined, null, 'x', 5, {}, read, [], [null], [[read]], [{ actions: ['read'] }]]
  const broken = [[read, { type: 5 }], [read, 'x'], [{ ...read, actions: 'read' }]]
  const members = [[{ ...read, actions: ['read', 5] }], [{ ...read, datatypes: 'text' }]]
  for (const details of [...shapes, ...broken, ...members]) await assertRefused(t, details)
})

void t.test('RAR-2: the rights of two objects are not added up', async (t) => {
  const [onlyWrite, onlyText] = [
    { ...write, datatypes: ['image'] },
    { ...read, datatypes: ['text'] }
  ]
  await assertRefused(t, [onlyWrite, onlyText], '/files/a')
  await assertRefused(
    t,
    [
      { ...write, identifier: 'b' },
      { ...read, identifier: 'a' }
    ],
    '/files/a'
  )
})

void t.test('RAR-3: other types grant nothing, nor do other spellings', async (t) => {
  for (const type of ['x', 'Document', 'document ', '']) await assertRefused(t, [{ ...read, type }])
  await assertRefused(t, [{ ...read, actions: ['Read'] }])
})

void t.test('RAR-4: locations, if there are any, have to name this API', async (t) => {
  for (const location of [here, issuer.audience])
    t.equal((await ask('/list', [{ ...read, locations: ['https://x', location] }])).status, 200)
  for (const locations of [['https://x'], [here.toUpperCase()], [`${here}/`], [], here, null, [5]])
    await assertRefused(t, [{ ...read, locations }])
})

void t.test('RAR-4: an identifier narrows an object to one document', async (t) => {
  t.equal((await ask('/files/a', [{ ...write, identifier: 'a' }])).status, 200)
  for (const identifier of ['b', 'A', '', 5, null, ['a']])
    await assertRefused(t, [{ ...write, identifier }], '/files/a')
  await assertRefused(t, [{ ...read, identifier: 'a' }], '/list')
})

void t.test('PRM-5: the metadata lists the types', async (t) => {
  t.strictSame(guarded.app.latchkey.authorizationDetailsTypes(), ['document'])
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(latchkey, { ...issuer.options, publicUrl: here })
  const metadata = async () => (await app.inject('/.well-known/oauth-protected-resource/v1')).json()
  app.get('/x', { config: { auth: { authorizationDetails: { type: 'x' } } } }, () => 'x')
  t.strictSame((await metadata()).authorization_details_types_supported, ['x'])
})

void t.test('no token is in the log', async (t) => assertCleanLog(t, guarded))
