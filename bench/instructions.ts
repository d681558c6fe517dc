import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ContestantName, Trust } from './contestants.ts'
import { Load, Server } from './processes.ts'
import { median, type Traffic } from './traffic.ts'

/** Of one turn, at least; a list of tokens is sent once as a whole, so that random key ids don't come again. */
const fewestRequests = 800
/** Compilers go on working for some ten thousand requests. */
const warmUpTurns = 20
const countedTurns = 5

/** Whether this machine can count: Debian's package valgrind. */
export function canCount(): boolean {
  return spawnSync('valgrind', ['--version'], { stdio: 'ignore' }).status === 0
}

/**
 * Counts the instructions a server executes for a request outside of the kernel, with Callgrind: the same on a busy machine
 * and on a quiet one. Other than time it says nothing of memory that is slow to come.
 * @returns instructions per request, by row; each row has a process of its own
 */
export async function countInstructions(
  name: ContestantName,
  trust: Trust,
  rows: readonly Traffic[]
): Promise<readonly number[]> {
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-bench-'))
  const load = new Load()
  try {
    const counts: number[] = []
    for (const traffic of rows) counts.push(await countRow(name, trust, traffic, load, directory))
    return counts
  } finally {
    await load.stop()
    rmSync(directory, { recursive: true })
  }
}

async function countRow(
  name: ContestantName,
  trust: Trust,
  traffic: Traffic,
  load: Load,
  directory: string
): Promise<number> {
  const server = new Server(name, trust, {
    execPath: 'valgrind',
    execArgv: [
      '--tool=callgrind',
      '--quiet',
      // compilers write over code they have written before
      '--smc-check=all-non-file',
      '--instr-atstart=no',
      `--callgrind-out-file=${join(directory, 'counts')}`,
      process.execPath
    ]
  })
  const take = async () => {
    const tokens = traffic.tokens()
    const requests = Math.max(fewestRequests, tokens.length)
    await load.ask({ port: server.port, tokens, requests, milliseconds: 60_000 })
    return requests
  }
  const control = (option: string) =>
    execFileSync('callgrind_control', [option, String(server.pid)], { stdio: 'ignore' })
  try {
    await server.start()
    for (let turn = 0; turn < warmUpTurns; turn++) await take()
    const turns: number[] = []
    control('--instr=on')
    for (let turn = 0; turn < countedTurns; turn++) {
      control('--zero')
      const requests = await take()
      control('--dump')
      turns.push(takeCount(directory) / requests)
    }
    // a turn in which a compiler ran once more says nothing
    return median(turns)
  } finally {
    await server.stop()
    takeCount(directory)
  }
}

/** Takes what a dump says of all threads together, and the dump away. */
function takeCount(directory: string): number {
  let sum = 0
  for (const name of readdirSync(directory)) {
    const path = join(directory, name)
    const [, total = '0'] = /^(?:summary|totals): (\d+)/m.exec(readFileSync(path, 'utf8')) ?? []
    sum += Number(total)
    rmSync(path)
  }
  return sum
}
