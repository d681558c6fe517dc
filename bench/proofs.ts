import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
  verify
} from 'node:crypto'
import { createBindingJudge } from '../src/binding/binding-judge.ts'
import { createMemoryReplayStore } from '../src/state/replay-store.ts'
import { median } from './traffic.ts'

// Judges DPoP proofs of a bound token that is known, in a process without a server.

/** How many rounds of how many proofs; each proof is sent once. */
export interface ProofsOrder {
  readonly rounds: number
  readonly proofs: number
}

/** Microseconds of CPU for each, both ES256. */
export interface ProofsReport {
  readonly cryptoVerify: number
  readonly proof: number
}

process.on('message', (order: ProofsOrder) => {
  void measure(order).then((report) => process.send?.(report))
})
process.on('disconnect', () => process.exit())

const url = 'https://api.example.com/documents'
const token = 'a'.repeat(800)
const ath = createHash('sha256').update(token).digest('base64url')

async function measure({ rounds, proofs }: ProofsOrder): Promise<ProofsReport> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' })
  const jwk = { crv, kty, x, y }
  const keyThumbprint = createHash('sha256').update(JSON.stringify(jwk)).digest('base64url')
  const store = createMemoryReplayStore()
  const settings = { algorithms: ['ES256'], isRequired: false, nonces: false } as const
  const judge = createBindingJudge({
    proofs: { ...settings, nonceSecret: undefined },
    clientCertFrom: undefined,
    store,
    publicUrl: () => new URL(url).origin
  })
  const costs: Record<keyof ProofsReport, number[]> = { cryptoVerify: [], proof: [] }
  for (let round = -2; round < rounds; round++) {
    const sent = Array.from({ length: proofs }, () => mint(jwk, privateKey))
    const limit = await timeOf(sent, async (proof) => checkSignature(proof, publicKey))
    const whole = await timeOf(sent, async (proof) => {
      const request = { scheme: 'dpop', token, method: 'GET', url: '/documents' } as const
      const rawHeaders = ['Host', 'api.example.com', 'DPoP', proof]
      const confirmation = { keyThumbprint, certificateThumbprint: undefined }
      const verdict = await judge.judge(confirmation, {
        ...request,
        rawHeaders,
        socket: {} as never
      })
      return 'nonce' in verdict
    })
    if (round < 0) continue
    costs.cryptoVerify.push(limit)
    costs.proof.push(whole)
  }
  await store.close()
  return { cryptoVerify: median(costs.cryptoVerify), proof: median(costs.proof) }
}

function mint(jwk: object, key: KeyObject): string {
  const header = encode({ typ: 'dpop+jwt', alg: 'ES256', jwk })
  const iat = Math.floor(Date.now() / 1000)
  const input = `${header}.${encode({ jti: randomUUID(), htm: 'GET', htu: url, iat, ath })}`
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

function checkSignature(proof: string, key: KeyObject): boolean {
  const end = proof.lastIndexOf('.')
  const signature = Buffer.from(proof.slice(end + 1), 'base64url')
  const input = Buffer.from(proof.slice(0, end))
  return verify('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, signature)
}

async function timeOf(
  proofs: readonly string[],
  judge: (proof: string) => Promise<boolean>
): Promise<number> {
  const before = process.cpuUsage()
  for (const proof of proofs) if (!(await judge(proof))) throw new Error('A good proof was refused')
  const { user, system } = process.cpuUsage(before)
  return (user + system) / proofs.length
}
