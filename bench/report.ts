import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { IssuersReport } from './issuers.ts'
import type { MemoryReport } from './memory.ts'
import { measuredAlgorithms } from './tokens.ts'
import type { ProofsReport } from './proofs.ts'
import type { Effort, Standing, Summary, Traffic } from './traffic.ts'
import type { VerificationReport } from './verification.ts'

// The words and tables of the benchmark, as Markdown on standard output.

/** What the figures depend on: machine, versions, effort. */
export function printHead(
  { rounds, milliseconds }: Effort,
  ours: Effort & { readonly pairs: number }
): void {
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  ) as Record<'dependencies' | 'devDependencies', Record<string, string>>
  const versions = { ...dependencies, ...devDependencies }
  const named = ['fastify', '@fastify/jwt', 'get-jwks', 'jose', 'express-oauth2-jwt-bearer']
  const packages = named.map((name) => `${name} ${versions[name] ?? '(not listed)'}`).join(', ')
  say(`Node ${process.version.slice(1)}, OpenSSL ${process.versions.openssl}, ${packages}.`)
  say(
    `${availableParallelism()} cores; ${rounds} rounds of ${milliseconds} ms a server, interleaved; medians. Whole requests to ` +
      `Latchkey: ${ours.pairs} pairs of fresh processes, of each the median of ${ours.rounds} rounds of ${ours.milliseconds} ms; ` +
      'the median of the pairs, with the lowest and the highest.\n'
  )
}

export function printDownloads(names: readonly string[], counts: readonly number[]): void {
  say('### Downloads of the key set under 2,000 random kids (goal: at most 2)\n')
  row(names.slice(1))
  row(names.slice(1).map(() => '---'))
  row(counts.slice(1).map(String))
}

export function printTrafficHead(names: readonly string[]): void {
  say(
    '\n### Whole requests: CPU of bare Fastify divided by that of the server, in brackets requests/s over bare Fastify\n'
  )
  row(['', 'goal', 'bare: µs of CPU (requests/s)', ...names.slice(1)])
  row(['---', '---', ...names.map(() => '---')])
}

export function printTraffic(
  { name, goal }: Traffic,
  standings: readonly (Standing | Summary)[]
): void {
  const [bare, ...others] = standings
  if (bare === undefined) return
  const { cpuPerRequest, requestsPerSecond } = bare
  row([
    name,
    goal,
    `${cpuPerRequest.toFixed(1)} (${Math.round(requestsPerSecond)})`,
    ...others.map(standingCell)
  ])
}

function standingCell(standing: Standing | Summary): string {
  const { cpuRatio, speedRatio, wrongStatuses } = standing
  const ratios = `${ratio(cpuRatio)} (${ratio(speedRatio)})`
  const range =
    'lowest' in standing ? `, ${ratio(standing.lowest)} to ${ratio(standing.highest)}` : ''
  const wrong = wrongStatuses.length === 0 ? '' : `, answers ${wrongStatuses.join(', ')}`
  return ratios + range + wrong
}

export function printInstructions(
  rows: readonly Traffic[],
  bare: readonly number[],
  guarded: readonly number[]
): void {
  say('### Whole requests: instructions per request outside of the kernel, counted by Callgrind\n')
  row(['', 'goal for CPU', 'bare', 'Latchkey', 'bare / Latchkey'])
  row(['---', '---', '---', '---', '---'])
  for (const [index, { name, goal }] of rows.entries()) {
    const [fewer = Number.NaN, more = Number.NaN] = [bare[index], guarded[index]]
    row([name, goal, thousands(fewer), thousands(more), ratio(fewer / more)])
  }
}

function thousands(count: number): string {
  return `${(count / 1000).toFixed(1)}k`
}

export function printVerifications(reports: readonly (readonly VerificationReport[])[]): void {
  say(
    '\n### One verification of a token never seen, in process: µs of CPU (times crypto.verify)\n\n' +
      'crypto.verify: prepared KeyObject, signing input and signature already in buffers; nothing is decoded or judged.\n'
  )
  row(['', ...measuredAlgorithms])
  row(['---', ...measuredAlgorithms.map(() => '---')])
  for (const [index, { way }] of (reports[0] ?? []).entries()) {
    row([way, ...reports.map((ways) => verificationCell(ways[index]))])
  }
  row(['goal for Latchkey', '≤ 1.25', '≤ 1.12', ''])
}

function verificationCell(report: VerificationReport | undefined): string {
  return report === undefined ? '' : `${report.cpu.toFixed(1)} (${report.ratio.toFixed(2)})`
}

export function printIssuers(reports: readonly IssuersReport[]): void {
  say('\n### One issuer in use among many, in process, ES256 (goal: the same for all)\n')
  row(['issuers', 'heap for all of them', 'µs of CPU: a token never seen', 'the same token again'])
  row(['---', '---', '---', '---'])
  for (const { issuers, heap, first, again } of reports) {
    const size = `${(heap / 2 ** 20).toFixed(1)} MiB`
    row([issuers.toLocaleString('en'), size, first.toFixed(1), again.toFixed(2)])
  }
}

export function printProofs({ cryptoVerify, proof }: ProofsReport): void {
  say('\n### What a DPoP proof costs beside its known token, in process, ES256\n')
  const times = (proof / cryptoVerify).toFixed(2)
  say(
    `crypto.verify ${cryptoVerify.toFixed(1)} µs of CPU, the whole proof ${proof.toFixed(1)} (${times}).`
  )
}

export function printLogging(names: readonly string[], standings: readonly Standing[]): void {
  say('\n### What a request log costs, written to /dev/null\n')
  row(['', 'µs of CPU', 'CPU ratio'])
  row(['---', '---', '---'])
  for (const [index, { cpuPerRequest, cpuRatio }] of standings.entries()) {
    row([names[index] ?? '', cpuPerRequest.toFixed(1), ratio(cpuRatio)])
  }
}

export function printMemory({ tokens, residentMemory, slowDown }: MemoryReport): void {
  const sizes = residentMemory.map((bytes) => `${Math.round(bytes / 2 ** 20)} MiB`).join(', ')
  say(`\n### Memory under ${tokens.toLocaleString('en')} different good tokens, ES256\n`)
  say(`Resident before, after half, after all: ${sizes}.`)
  say(`CPU per request of the last tenth over the first: ${slowDown.toFixed(2)}.`)
}

export function printStartUp(seconds: number | undefined): void {
  say('\n### Start of the service (goal: under 1 s)\n')
  const found =
    seconds === undefined ? 'no service in this build' : `ready after ${seconds.toFixed(2)} s`
  say(`SQLite, local issuer: ${found}.`)
}

function ratio(value: number): string {
  return value < 0.01 ? value.toFixed(3) : value.toFixed(2)
}

function row(cells: readonly string[]): void {
  say(`| ${cells.join(' | ')} |`)
}

function say(line: string): void {
  console.log(line)
}
