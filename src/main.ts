import { readFileSync, realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { buildApp } from './app.ts'
import { ConfigError } from './config/error.ts'
import { loadConfig } from './config/load.ts'
import type { Config } from './config/schema.ts'

/** Runs the service until a signal ends it. A start that fails writes one line and exits with 1. */
export async function main(): Promise<void> {
  try {
    await serve(loadConfig(process.env, (path) => readFileSync(path, 'utf8')))
  } catch (error) {
    const [line] = (error as Error).message.split('\n')
    process.stderr.write(`latchkey: ${line}\n`)
    process.exit(1)
  }
}

async function serve(config: Config): Promise<void> {
  const app = await buildApp(config)
  await app.ready()
  await listen(app, config)
  stopOnSignals(app)
}

async function listen(app: FastifyInstance, { host, port }: Config): Promise<void> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    throw listenFault(error as NodeJS.ErrnoException, host, port)
  }
}

function listenFault(error: NodeJS.ErrnoException, host: string, port: number): Error {
  switch (error.code) {
    case 'EADDRINUSE':
      return new ConfigError('PORT', `${port} (in use)`, 'a free port, or 0 for any')
    case 'EACCES':
      return new ConfigError('PORT', `${port} (not permitted)`, 'a port that this user may open')
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new ConfigError('HOST', `"${host}" (${error.code})`, 'an address of this machine')
    default:
      return error
  }
}

/** Milliseconds that running requests get to finish; the process is gone within 10 s. */
const graceMs = 8000

function stopOnSignals(app: FastifyInstance): void {
  closeWithGrace({ delay: 9500, logger: false }, async ({ signal, err }) => {
    if (err !== undefined) app.log.fatal({ err }, 'stopping after an error nobody caught')
    else app.log.info({ signal }, 'stopping')
    setTimeout(() => app.server.closeAllConnections(), graceMs).unref()
    await app.close()
  })
}

const [, script = ''] = process.argv
if (pathToFileURL(realpathSync(script)).href === import.meta.url) await main()
