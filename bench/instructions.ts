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
 * and on a quiet one. Unlike time, they do not show waits for memory.
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
  const status = name === 'bare' ? 200 : traffic.status
  const take = async () => {
    const tokens = traffic.tokens()
    const requests = Math.max(fewestRequests, tokens.length)
    const { statuses } = await load.ask({
      port: server.port,
      tokens,
      requests,
      milliseconds: 60_000
    })
    if (statuses[status] !== requests)
      throw new Error(`${traffic.name}: ${name} answered ${JSON.stringify(statuses)}`)
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
    // what was written at the end counts for no row
    takeFiles(directory)
  }
}

/** What a dump says of all threads together. The dump is taken away. */
function takeCount(directory: string): number {
  const dumps = takeFiles(directory)
  const totals = dumps.map((dump) => /^(?:summary|totals): (\d+)/m.exec(dump)?.[1] ?? '0')
  const count = totals.reduce((sum, total) => sum + Number(total), 0)
  if (count === 0) throw new Error('Callgrind has counted nothing')
  return count
}

function takeFiles(directory: string): string[] {
  return readdirSync(directory).map((name) => {
    const path = join(directory, name)
    const text = readFileSync(path, 'utf8')
    rmSync(path)
    return text
  })
}
