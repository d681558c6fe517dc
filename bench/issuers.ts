import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createSignatureCheck } from '../plugins/signature-check.ts'
import { createTrustedIssuers } from '../src/issuer/trusted-issuers.ts'
import { createVerifier } from '../src/token/verifier.ts'
import { median } from './traffic.ts'

// Judges tokens of one issuer among many, in a process without a server.

/** The issuer whose tokens are judged, and how many issuers there are beside it. */
export interface IssuersOrder {
  readonly issuer: string
  readonly audience: string
  readonly others: number
  /** Good tokens; a round judges each of them twice. */
  readonly tokens: readonly string[]
  readonly rounds: number
}

/** What the issuers cost. */
export interface IssuersReport {
  readonly issuers: number
  /** Bytes of heap for all of them, the one in use included. */
  readonly heap: number
  /** Microseconds of CPU for a token that was never seen. */
  readonly first: number
  /** Microseconds of CPU for a token that was verified before. */
  readonly again: number
}

process.on('message', (order: IssuersOrder) => {
  void measure(order).then((report) => process.send?.(report))
})
process.on('disconnect', () => process.exit())

async function measure(order: IssuersOrder): Promise<IssuersReport> {
  const { issuer, audience, others, tokens, rounds } = order
  const list = Array.from({ length: others }, (_, index) => ({
    issuer: `https://tenant-${index}.example.com`,
    audience,
    required: false
  }))
  const before = usedHeap()
  const issuers = createTrustedIssuers([...list, { issuer, audience, required: true }], {
    prepare: createSignatureCheck
  })
  await issuers.start()
  while (!issuers.isReady) await wait(10)
  const heap = usedHeap() - before
  const [first, again]: [number[], number[]] = [[], []]
  for (let round = -2; round < rounds; round++) {
    const verify = createVerifier(issuers)
    const all = () => {
      for (const token of tokens)
        if (!('claims' in verify(token))) throw new Error('A good token was refused')
    }
    const unseen = timeOf(all) / tokens.length
    // a token is kept at its second sight
    all()
    const known = timeOf(() => Array.from({ length: 20 }, all)) / tokens.length / 20
    if (round < 0) continue
    first.push(unseen)
    again.push(known)
  }
  await issuers.close()
  return { issuers: others + 1, heap, first: median(first), again: median(again) }
}

function timeOf(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function usedHeap(): number {
  collect()
  return process.memoryUsage().heapUsed
}
