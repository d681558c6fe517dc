import type { Socket } from 'node:net'
import t from 'tap'
import { createBindingJudge } from '../../../src/binding/binding-judge.ts'
import { createMemoryReplayStore } from '../../../src/state/replay-store.ts'
import { proofRefusals } from '../../../src/binding/proof-refusal.ts'
import { createDpopClient, publicUrl } from '../../support/dpop-client.ts'

t.test(
  'DPOP-12: a proof with a nonce is not good again where none is needed any more',
  async (t) => {
    const start = 1_800_000_000_000
    let now = start
    const clock = () => now
    const client = await createDpopClient()
    const store = createMemoryReplayStore(10, clock)
    const judgeFor = (nonces: boolean) => {
      const algorithms = ['ES256'] as const
      const settings = { nonceSecret: undefined, redisUrl: undefined, isRequired: false }
      const proofs = { ...settings, algorithms, nonces }
      const options = { proofs, clientCertFrom: undefined, publicUrl: () => publicUrl }
      return createBindingJudge({ ...options, store, clock })
    }
    const before = judgeFor(true)
    const nonce = before.newestNonce?.()
    now = start + 119_000
    const claims = { nonce, iat: now / 1000 }
    const request = {
      scheme: 'dpop',
      token: 'token',
      method: 'GET',
      url: '/whoami',
      rawHeaders: ['DPoP', client.prove('token', { claims })],
      socket: {} as Socket
    } as const
    const confirmation = { keyThumbprint: client.cnf.jkt, certificateThumbprint: undefined }
    t.ok('nonce' in (await before.judge(confirmation, request)), 'proven')

    const after = judgeFor(false)
    for (now of [start + 120_000, start + 141_000, start + 178_000])
      t.equal(await after.judge(confirmation, request), proofRefusals.proof_reused)
    now = start + 190_000
    t.equal(await after.judge(confirmation, request), proofRefusals.proof_stale)
  }
)
