import { startTestIssuer, type TestIssuer } from '../src/testing/issuer.ts'
import type { ContestantName } from './contestants.ts'
import { canCount, countInstructions } from './instructions.ts'
import type { IssuersOrder, IssuersReport } from './issuers.ts'
import { flood } from './memory.ts'
import { Load, Peer, Server } from './processes.ts'
import type { ProofsOrder, ProofsReport } from './proofs.ts'
import * as report from './report.ts'
import { trafficOf } from './rows.ts'
import { timeToReady } from './start-up.ts'
import { createMint, measuredAlgorithms, type Mint, randomKeyIdTokens } from './tokens.ts'
import {
  compare,
  type Effort,
  type Standing,
  summarize,
  type Summary,
  type Traffic,
  warmUp
} from './traffic.ts'
import type { VerificationOrder, VerificationReport } from './verification.ts'

// npm run bench [-- --quick | --instructions]: prints Markdown. Judges nothing: that is for who knows how quiet the machine was.

const isQuick = process.argv.includes('--quick')
const effort: Effort = isQuick ? { rounds: 3, milliseconds: 60 } : { rounds: 7, milliseconds: 200 }
/** Pairs of fresh processes for the figures of Latchkey: two processes of one program differ for as long as they live. */
const pairs = isQuick ? 1 : 7
const pairEffort: Effort = { rounds: isQuick ? 3 : 5, milliseconds: isQuick ? 60 : 100 }

const compared = [
  'bare',
  'Latchkey',
  '@fastify/jwt + get-jwks',
  'jose',
  'express-oauth2-jwt-bearer'
] as const satisfies readonly ContestantName[]

const logging = [
  'bare',
  'bare + one log line',
  "bare + Fastify's two log lines"
] as const satisfies readonly ContestantName[]

const issuer = await startTestIssuer({ algorithms: measuredAlgorithms })
const mint = createMint(issuer)
const load = new Load()
try {
  if (process.argv.includes('--instructions')) await compareInstructions()
  else await compareTimes()
} finally {
  await load.stop()
  await issuer.close()
}

async function compareTimes(): Promise<void> {
  report.printHead(effort, { pairs, ...pairEffort })
  await withServers(compared, async (servers) => {
    report.printDownloads(compared, await countDownloads(servers))
  })
  const rows = trafficOf(issuer, mint, isQuick)
  const [bare, guarded, ...peers] = compared
  const ours = await standOfPairs([bare, guarded], rows)
  report.printTrafficHead(compared)
  await withServers([bare, ...peers], async (servers) => {
    for (const [index, traffic] of rows.entries()) {
      const [, ...theirs] = await compare(servers, load, traffic, effort)
      report.printTraffic(traffic, [...(ours[index] ?? []), ...theirs])
    }
  })
  report.printVerifications(await compareVerifications())
  report.printIssuers(await compareIssuers())
  report.printProofs(await measureProofs())
  await withServers(logging, async (servers) => {
    const tokens = mint('RS256', 1)
    const traffic = { name: 'one token', goal: '', status: 200, tokens: () => tokens } as const
    report.printLogging(logging, await compare(servers, load, traffic, effort))
  })
  await withServers(['Latchkey'], async ([server]) => {
    if (server === undefined) return
    const mintOne = (count: number) => mint('ES256', count)
    report.printMemory(await flood(server, load, mintOne, isQuick ? 10 : 100))
  })
  report.printStartUp(await timeToReady(issuer.issuer, issuer.audience))
}

/** Both servers at once: counts do not depend on what else the machine does. */
async function compareInstructions(): Promise<void> {
  if (!canCount()) throw new Error('Counting instructions needs valgrind: apt-get install valgrind')
  const rows = trafficOf(issuer, mint, true).filter(({ goal }) => goal !== '')
  const [bare, guarded] = await Promise.all([
    countInstructions('bare', issuer, rows),
    countInstructions('Latchkey', issuer, rows)
  ])
  report.printInstructions(rows, bare, guarded)
}

async function withServers(
  names: readonly ContestantName[],
  use: (servers: readonly Server[]) => Promise<void>
): Promise<void> {
  const servers = names.map((name) => new Server(name, issuer))
  try {
    for (const server of servers) await server.start()
    await use(servers)
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
  }
}

/** How both servers of a pair stand in each row, over several pairs that are started one after the other. */
async function standOfPairs(
  names: readonly ContestantName[],
  rows: readonly Traffic[]
): Promise<readonly (readonly Summary[])[]> {
  const standings = rows.map(() => names.map((): Standing[] => []))
  for (let pair = 0; pair < pairs; pair++) {
    await withServers(names, async (servers) => {
      await warmUp(servers, load, rows)
      for (const [row, traffic] of rows.entries()) {
        const both = await compare(servers, load, traffic, pairEffort)
        for (const [place, standing] of both.entries()) standings[row]?.[place]?.push(standing)
      }
    })
  }
  return standings.map((both) => both.map(summarize))
}

/** How often each server, its keys at hand, downloads the key set for 2,000 key ids that nobody has. */
async function countDownloads(servers: readonly Server[]): Promise<number[]> {
  const counts: number[] = []
  for (const { port } of servers) {
    const send = (tokens: readonly string[]) =>
      load.ask({ port, tokens, requests: tokens.length, milliseconds: 60_000 })
    await send(mint('RS256', 1))
    const before = issuer.requests('/jwks')
    await send(randomKeyIdTokens(issuer, 2000))
    counts.push(issuer.requests('/jwks') - before)
  }
  return counts
}

async function compareVerifications(): Promise<VerificationReport[][]> {
  const child = new Peer<VerificationOrder, VerificationReport[]>('./verification.js')
  const reports: VerificationReport[][] = []
  try {
    for (const algorithm of measuredAlgorithms) {
      const order = orderOf(issuer, mint, algorithm)
      reports.push(await child.ask(order))
    }
  } finally {
    await child.stop()
  }
  return reports
}

/** One process for each number of issuers, so that none has the heap of another. */
async function compareIssuers(): Promise<IssuersReport[]> {
  const { issuer: name, audience } = issuer
  const tokens = mint('ES256', 50)
  const reports: IssuersReport[] = []
  for (const count of [1, 100, 10_000]) {
    const child = new Peer<IssuersOrder, IssuersReport>('./issuers.js')
    const rounds = isQuick ? 20 : 100
    reports.push(await child.ask({ issuer: name, audience, others: count - 1, tokens, rounds }))
    await child.stop()
  }
  return reports
}

async function measureProofs(): Promise<ProofsReport> {
  const child = new Peer<ProofsOrder, ProofsReport>('./proofs.js')
  try {
    return await child.ask({ rounds: isQuick ? 10 : 50, proofs: 100 })
  } finally {
    await child.stop()
  }
}

function orderOf(
  { issuer, audience, keys }: TestIssuer,
  mint: Mint,
  algorithm: VerificationOrder['algorithm']
): VerificationOrder {
  const key = keys.find(({ algorithms }) => algorithms.includes(algorithm))
  if (key === undefined) throw new TypeError(`The issuer has no key for ${algorithm}`)
  return {
    issuer,
    audience,
    algorithm,
    jwk: key.publicJwk,
    tokens: mint(algorithm, 50),
    warmUp: mint(algorithm, 200),
    rounds: isQuick ? 30 : 200
  }
}
