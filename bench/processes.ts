import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { Trust } from './contestants.ts'

/** One turn of load on one server. */
export interface LoadOrder {
  readonly port: number
  readonly tokens: readonly string[]
  /** The turn ends after so many requests, or after the time; tokens are sent in turn. */
  readonly requests: number
  readonly milliseconds: number
}

/** What came of a turn. */
export interface LoadReport {
  readonly seconds: number
  /** Answers by HTTP status. */
  readonly statuses: Readonly<Record<string, number>>
}

/** What a server process says of itself, at start and when asked. */
export interface ServerReport {
  readonly port: number
  /** Bytes. */
  readonly residentMemory: number
  /** Microseconds of CPU since its start. */
  readonly cpu: number
}

/** The program that runs a script, and what it is told before it. */
export interface Launcher {
  readonly execPath: string
  readonly execArgv: string[]
}

// no proxy, no debugger and no flags of the parent: all start alike
const plainNode: Launcher = { execPath: process.execPath, execArgv: [] }

/** A process of the benchmark that answers every message with one. */
export class Peer<Order extends object, Report> {
  readonly #child: ChildProcess

  constructor(script: string, parameters: readonly string[] = [], launcher = plainNode) {
    this.#child = fork(new URL(script, import.meta.url), parameters, {
      ...launcher,
      env: { ...process.env, NODE_ENV: 'production' },
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc']
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** The next thing the process says. */
  async hear(): Promise<Report> {
    const ended = new AbortController()
    const exit = once(this.#child, 'exit', { signal: ended.signal }).then(() => {
      throw new Error(`${this.#child.spawnargs.slice(1).join(' ')} ended early`)
    })
    try {
      const [report] = (await Promise.race([once(this.#child, 'message'), exit])) as [Report]
      return report
    } finally {
      exit.catch(() => undefined)
      ended.abort()
    }
  }

  ask(order: Order): Promise<Report> {
    this.#child.send(order)
    return this.hear()
  }

  /**
   * Microseconds of CPU that all threads of the process have used; undefined where Linux doesn't tell.
   * Taken from the scheduler, because it also counts what ran for less than a tick of the clock.
   */
  get scheduledCpu(): number | undefined {
    const tasks = `/proc/${this.#child.pid}/task`
    if (!existsSync(`${tasks}/${this.#child.pid}/schedstat`)) return undefined
    const nanoseconds = readdirSync(tasks).map((task) =>
      Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0])
    )
    return nanoseconds.reduce((sum, value) => sum + value, 0) / 1000
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill()
    await ended
  }
}

/** A server under measurement. */
export class Server extends Peer<{ readonly report: true }, ServerReport> {
  readonly name: string
  #port = 0

  constructor(name: string, { issuer, audience }: Trust, launcher?: Launcher) {
    super('./server.js', [name, issuer, audience], launcher)
    this.name = name
  }

  get port(): number {
    return this.#port
  }

  async start(): Promise<void> {
    this.#port = (await this.hear()).port
  }

  /** Microseconds of CPU that the server has used. */
  async cpu(): Promise<number> {
    return this.scheduledCpu ?? (await this.ask({ report: true })).cpu
  }
}

/** The process that loads the servers. */
export class Load extends Peer<LoadOrder, LoadReport> {
  constructor() {
    super('./load.js')
  }
}
