import { realpathSync } from 'node:fs'
import { isatty } from 'node:tty'
import { pathToFileURL } from 'node:url'
import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { buildApp, listeningPort } from './app.ts'
import { ConfigError } from './config/error.ts'
import { loadConfig } from './config/load.ts'
import { publicUrlOf } from './config/public-url.ts'
import type { Config } from './config/schema.ts'
import type { DevelopmentIssuer } from './development/issuer.ts'
import { welcome } from './development/welcome.ts'
import type { Addresses } from './development/welcome.ts'
import { reloadOnHangup } from './reload.ts'
import type { LogOutput } from './observe/log-output.ts'
import { logToStandardOutput } from './standard-output.ts'
import { readUtf8 } from './config/option-file.ts'

/** Runs the service until a signal ends it. A start that fails writes one line and exits with 1. */
export async function main(): Promise<void> {
  if (!hasTerminal) process.on('SIGHUP', noteHangup)
  try {
    await serve(readConfig())
  } catch (error) {
    const [line] = (error as Error).message.split('\n')
    process.stderr.write(`latchkey: ${line}\n`)
    process.exit(1)
  }
}

function readConfig(): Config {
  return loadConfig(process.env, readUtf8)
}

async function serve(config: Config): Promise<void> {
  if (config.issuers.length > 0) return run(config, config)
  const issuer = await startIssuer(config)
  const { issuer: identifier } = issuer
  const trusted = {
    issuer: identifier,
    audience: developmentAudience(config),
    // a second challenge in each 401 is for those who asked for it
    ...(config.dpopProofs !== undefined && { dpop: 'optional' as const })
  }
  return run({ ...config, issuers: [trusted] }, config, issuer)
}

async function run(config: Config, given: Config, issuer?: DevelopmentIssuer): Promise<void> {
  const log = logToStandardOutput()
  const app = await buildApp(config, { logDestination: log })
  await app.ready()
  await listen(app, config)
  stopOnSignals(app, log, issuer)
  if (!hasTerminal) takeHangups(app, given)
  if (issuer !== undefined) process.stdout.write(welcome(addressesOf(app, config, issuer)))
}

/** What was written before an early SIGHUP may have been read, or not. */
function takeHangups(app: FastifyInstance, given: Config): void {
  process.off('SIGHUP', noteHangup)
  reloadOnHangup(app, given, readConfig)
  if (hungUpEarly) process.emit('SIGHUP')
}

let hungUpEarly = false

/** Before the service runs, a SIGHUP would end the process: it is made up for afterwards. */
function noteHangup(): void {
  hungUpEarly = true
}

/** The development issuer stands beside the service, on the next port. */
async function startIssuer(config: Config): Promise<DevelopmentIssuer> {
  const { startDevelopmentIssuer } = await import('./development/issuer.ts')
  const { port, dataDir } = config
  return startDevelopmentIssuer({
    port: port > 0 && port < 65_535 ? port + 1 : 0,
    audience: developmentAudience(config),
    scopes: ['documents:read', 'documents:write', ...adminScopes],
    adminScopes,
    ...(dataDir !== 'memory://' && { dataDir })
  })
}

const adminScopes = ['documents:admin', 'revocations:write']

/** As a client names the API (RFC 8707): its URL, as far as that is known before it listens. */
function developmentAudience(config: Config): string {
  return publicUrlOf(config, config.port)
}

function addressesOf(
  app: FastifyInstance,
  config: Config,
  { issuer }: DevelopmentIssuer
): Addresses {
  return {
    publicUrl: publicUrlOf(config, listeningPort(app) ?? config.port),
    issuer,
    findsIssuer: config.dataDir === './data'
  }
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

/** Then SIGHUP says that it was closed, and not that settings are to be read again. */
const hasTerminal = isatty(0) || isatty(1)

/** Milliseconds that running requests get to finish; the process is gone within 10 s. */
const graceMs = 8000

function stopOnSignals(app: FastifyInstance, log: LogOutput, issuer?: DevelopmentIssuer): void {
  const skip = hasTerminal ? [] : (['SIGHUP'] as const)
  closeWithGrace({ delay: 9500, logger: false, skip: [...skip] }, async ({ signal, err }) => {
    if (err !== undefined) app.log.fatal({ err }, 'stopping after an error nobody caught')
    else app.log.info({ signal }, 'stopping')
    setTimeout(() => app.server.closeAllConnections(), graceMs).unref()
    try {
      await app.close()
      await issuer?.close()
    } finally {
      await log.flush()
    }
  })
}

const [, script = ''] = process.argv
if (pathToFileURL(realpathSync(script)).href === import.meta.url) await main()
