import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createNonces } from '../../src/binding/nonces.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { createDpopClient, publicUrl } from '../support/dpop-client.ts'
import { assertFault, assertInvalidProof } from '../support/dpop-outcomes.ts'
import { createApp, startGuardedApp } from '../support/guarded-app.ts'
import { type Answer, type Call, callOrigin } from '../support/http-call.ts'

const issuer = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => issuer.close())
const options = { ...issuer.options, publicUrl, dpop: 'optional' } as const
const nonceSecret = 'a secret that instances share, 32 or longer'
const dpopProofs = { nonces: true, nonceSecret }
const app = await createApp({ ...options, dpopProofs })
t.teardown(() => app.close())
app.get('/cached', async (_request, reply) => {
  reply.header('cache-control', 'private, max-age=600')
  return 'x'
})
const origin = await app.listen({ port: 0, host: '127.0.0.1' })
const call = async (request?: Call) => callOrigin(origin, request)
// a nonce is the newest for a minute: all of this happens in the same one
if (Date.now() % 60_000 > 55_000) await sleep(5000)
const client = await createDpopClient()
const token = await issuer.mint({ cnf: client.cnf })
const nonce = nonceOf(await call())
const now = Math.floor(Date.now() / 1000)
const fault = { kind: 'dpop-nonce-required', error: 'use_dpop_nonce', scheme: 'DPoP' } as const

void t.test('DPOP-11: a proof without a nonce gets one to try again with', async (t) => {
  const answer = await call(client.call(token))
  assertFault(t, answer, 'none', fault)
  const again = await call(client.call(token, { claims: { nonce: nonceOf(answer) } }))
  t.equal(again.status, 200, again.text)
})

for (const [name, wrong] of Object.entries({
  empty: '',
  'of somebody else': 'x'.repeat(43),
  'cut short': nonce.slice(0, -1),
  'with something behind it': `${nonce}x`,
  'in another case': nonce.toUpperCase(),
  'beyond ASCII': `${nonce.slice(0, -1)}é`
}))
  void t.test(`DPOP-11: a nonce that is ${name} is refused`, async (t) => {
    assertFault(t, await call(client.call(token, { claims: { nonce: wrong } })), name, fault)
  })

void t.test('DPOP-11: a nonce makes no other defect good', async (t) => {
  const claims = { nonce, htm: 'POST' }
  assertInvalidProof(t, await call(client.call(token, { claims })), 'method')
})

void t.test('DPOP-12: a nonce tells the time where the clock of the client does not', async (t) => {
  for (const iat of [now - 86_400, now + 86_400]) {
    const answer = await call(client.call(token, { claims: { nonce, iat } }))
    t.equal(answer.status, 200, answer.text)
  }
})

void t.test('DPOP-15: a nonce does not make a proof usable twice', async (t) => {
  const used = client.call(token, { claims: { nonce } })
  t.equal((await call(used)).status, 200)
  assertInvalidProof(t, await call(used), 'again')
})

void t.test('DPOP-24: an answer with a nonce is not cached, whatever its route says', async (t) => {
  const claims = { nonce: nonceOfLastMinute(), htu: `${publicUrl}/cached` }
  const { status, headers } = await call({ ...client.call(token, { claims }), path: '/cached' })
  t.equal(status, 200)
  t.equal(headers['dpop-nonce'], nonce)
  t.equal(headers['cache-control'], 'no-store')
})

void t.test('DPOP-24: who has the newest nonce, or needs none, is not given it', async (t) => {
  const claims = { nonce, htu: `${publicUrl}/cached` }
  const proven = await call({ ...client.call(token, { claims }), path: '/cached' })
  const plain = await call({ token: await issuer.mint(), path: '/cached' })
  for (const { status, headers } of [proven, plain]) {
    t.equal(status, 200)
    t.equal(headers['dpop-nonce'], undefined)
    t.equal(headers['cache-control'], 'private, max-age=600')
  }
})

void t.test('DPOP-11: another instance knows the nonces of its secret only', async (t) => {
  const same = await startGuardedApp(t, { ...options, dpopProofs })
  const proof = client.call(token, { claims: { nonce } })
  t.equal((await same.call(proof)).status, 200)
  const random = await startGuardedApp(t, { ...options, dpopProofs: { nonces: true } })
  assertFault(t, await random.call(client.call(token, { claims: { nonce } })), 'random', fault)
})

void t.test(
  'DPOP-23: there is one DPoP-Nonce field, and it has the characters it may',
  async (t) => {
    const { headers } = await call()
    t.match(headers['dpop-nonce'], /^[\x21\x23-\x5B\x5D-\x7E]+$/)
  }
)

function nonceOf({ headers }: Answer): string {
  return String(headers['dpop-nonce'])
}

function nonceOfLastMinute(): string {
  return createNonces(nonceSecret, () => Date.now() - 60_000).current()
}
