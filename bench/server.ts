import { contestants, isContestant } from './contestants.ts'
import type { ServerReport } from './processes.ts'

// Runs one contestant: node server.js <name> <issuer> <audience>

const [name = '', issuer = '', audience = ''] = process.argv.slice(2)
if (!isContestant(name)) throw new TypeError(`There is no contestant ${name}`)
const port = await contestants[name]({ issuer, audience })

process.on('message', report)
process.on('disconnect', () => process.exit())
report()

function report(): void {
  const { user, system } = process.cpuUsage()
  const said: ServerReport = { port, residentMemory: process.memoryUsage.rss(), cpu: user + system }
  process.send?.(said)
}
