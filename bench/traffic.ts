import type { Load, LoadOrder, Server } from './processes.ts'

/** One kind of traffic. */
export interface Traffic {
  readonly name: string
  readonly goal: string
  /** The status of the right answer; bare Fastify always says 200. */
  readonly status: 200 | 401
  /** Send each token once. Default: over and over. */
  readonly once?: boolean
  /** Fresh tokens for one round. */
  readonly tokens: () => readonly string[]
}

/** How one server did on one kind of traffic, beside the first server in the same rounds. */
export interface Standing {
  /** CPU per request of the first server divided by that of this one: 1 means the guard is free. */
  readonly cpuRatio: number
  readonly speedRatio: number
  /** Microseconds of CPU per request. */
  readonly cpuPerRequest: number
  readonly requestsPerSecond: number
  /** Answers with another status than the right one, by status. */
  readonly wrongStatuses: readonly string[]
}

/** A standing over several pairs of processes, and the lowest and highest CPU ratio among them. */
export interface Summary extends Standing {
  readonly lowest: number
  readonly highest: number
}

/** How long is measured: rounds, and milliseconds of each turn. */
export interface Effort {
  readonly rounds: number
  readonly milliseconds: number
}

interface Turn {
  readonly cpuPerRequest: number
  readonly requestsPerSecond: number
  readonly statuses: readonly string[]
}

/**
 * Sends one kind of traffic to all servers in turn, round by round, each round with fresh tokens and another server
 * first. The first server is the measure: ratios are taken within a round, then the median of the rounds.
 */
export async function compare(
  servers: readonly Server[],
  load: Load,
  traffic: Traffic,
  { rounds, milliseconds }: Effort
): Promise<readonly Standing[]> {
  const turns = servers.map((): Turn[] => [])
  for (let round = -1; round < rounds; round++) {
    const tokens = traffic.tokens()
    const isWarmUp = round < 0
    const order = isWarmUp
      ? warmUpOrder(tokens)
      : { tokens, requests: traffic.once ? tokens.length : Number.POSITIVE_INFINITY, milliseconds }
    for (let place = 0; place < servers.length; place++) {
      const index = (place + round + 1) % servers.length
      const server = servers[index]
      if (server === undefined) continue
      const turn = await takeTurn(server, load, order)
      if (!isWarmUp) turns[index]?.push(turn)
    }
  }
  const [measure = []] = turns
  return turns.map((own, index) => stand(own, measure, index === 0 ? 200 : traffic.status))
}

/**
 * Has a server that was just started do some of all kinds of traffic: a process is no measure before its code is
 * compiled, and the kind that comes first would pay for it.
 */
export async function warmUp(
  servers: readonly Server[],
  load: Load,
  rows: readonly Traffic[]
): Promise<void> {
  for (const traffic of rows)
    for (const server of servers) await takeTurn(server, load, warmUpOrder(traffic.tokens()))
}

/** Each token three times, if that doesn't take too long: caches may need the second sight, compilers more. */
function warmUpOrder(tokens: readonly string[]): Omit<LoadOrder, 'port'> {
  return { tokens, requests: Math.max(2000, tokens.length * 3), milliseconds: 1500 }
}

async function takeTurn(server: Server, load: Load, order: Omit<LoadOrder, 'port'>): Promise<Turn> {
  const before = await server.cpu()
  const { seconds, statuses } = await load.ask({ port: server.port, ...order })
  const cpu = (await server.cpu()) - before
  const requests = Object.values(statuses).reduce((sum, count) => sum + count, 0)
  return {
    cpuPerRequest: cpu / requests,
    requestsPerSecond: requests / seconds,
    statuses: Object.keys(statuses)
  }
}

function stand(own: readonly Turn[], measure: readonly Turn[], status: number): Standing {
  const ratios = (of: (turn: Turn, measure: Turn) => number) =>
    median(own.map((turn, round) => of(turn, measure[round] ?? turn)))
  const statuses = new Set(own.flatMap((turn) => turn.statuses))
  statuses.delete(String(status))
  return {
    cpuRatio: ratios((turn, measure) => measure.cpuPerRequest / turn.cpuPerRequest),
    speedRatio: ratios((turn, measure) => turn.requestsPerSecond / measure.requestsPerSecond),
    cpuPerRequest: ratios((turn) => turn.cpuPerRequest),
    requestsPerSecond: ratios((turn) => turn.requestsPerSecond),
    wrongStatuses: [...statuses]
  }
}

/** The middle of several standings, of which each came from processes of its own. */
export function summarize(standings: readonly Standing[]): Summary {
  const middle = (of: (standing: Standing) => number) => median(standings.map(of))
  const cpuRatios = standings.map(({ cpuRatio }) => cpuRatio)
  return {
    cpuRatio: middle(({ cpuRatio }) => cpuRatio),
    lowest: Math.min(...cpuRatios),
    highest: Math.max(...cpuRatios),
    speedRatio: middle(({ speedRatio }) => speedRatio),
    cpuPerRequest: middle(({ cpuPerRequest }) => cpuPerRequest),
    requestsPerSecond: middle(({ requestsPerSecond }) => requestsPerSecond),
    wrongStatuses: [...new Set(standings.flatMap(({ wrongStatuses }) => wrongStatuses))]
  }
}

/** The middle of some figures. */
export function median(figures: readonly number[]): number {
  return figures.toSorted((one, other) => one - other)[Math.floor(figures.length / 2)] ?? Number.NaN
}
