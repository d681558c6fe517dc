import type { Load, Server } from './processes.ts'

/** What a server became under tokens that are all different. */
export interface MemoryReport {
  readonly tokens: number
  /** Bytes, before the tokens, after half and after all of them. */
  readonly residentMemory: readonly number[]
  /** CPU per request of the last tenth divided by that of the first. */
  readonly slowDown: number
}

/** Sends different good tokens, each once, in batches that are minted while the server rests. */
export async function flood(
  server: Server,
  load: Load,
  mint: (count: number) => readonly string[],
  batches: number
): Promise<MemoryReport> {
  const batch = 3000
  const costs: number[] = []
  await send(server, load, mint(batch))
  const residentMemory = [await memoryOf(server)]
  for (let sent = 1; sent <= batches; sent++) {
    costs.push(await send(server, load, mint(batch)))
    if (sent === Math.floor(batches / 2) || sent === batches) {
      residentMemory.push(await memoryOf(server))
    }
  }
  const tenth = Math.ceil(batches / 10)
  const slowDown = sum(costs.slice(-tenth)) / sum(costs.slice(0, tenth))
  return { tokens: batches * batch, residentMemory, slowDown }
}

/** Microseconds of CPU for the whole batch. */
async function send(server: Server, load: Load, tokens: readonly string[]): Promise<number> {
  const before = await server.cpu()
  const order = { port: server.port, tokens, requests: tokens.length, milliseconds: 60_000 }
  const { statuses } = await load.ask(order)
  if (statuses['200'] !== tokens.length) throw new Error('A good token was refused')
  return (await server.cpu()) - before
}

async function memoryOf(server: Server): Promise<number> {
  return (await server.ask({ report: true })).residentMemory
}

function sum(figures: readonly number[]): number {
  return figures.reduce((total, figure) => total + figure, 0)
}
