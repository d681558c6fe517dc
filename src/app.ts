import { randomUUID } from 'node:crypto'
import Fastify, { LogController } from 'fastify'
import type { FastifyBaseLogger, FastifyInstance, FastifyServerOptions } from 'fastify'
import { postponeFailure } from '../plugins/early-failures.ts'
import { registerPlugins } from '../plugins/index.ts'
import { answerClientError } from '../plugins/problem-details.ts'
import { logSerializers } from '../plugins/request-log.ts'
import { registerRoutes } from '../routes/index.ts'
import { adminIssuersOf } from './config/admin-issuers.ts'
import { ConfigError } from './config/error.ts'
import { misleadsClients, publicUrlOf } from './config/public-url.ts'
import type { Config } from './config/schema.ts'
import { openDocuments } from './documents/documents.ts'
import { metadataPath, metadataRoot } from './http/resource-metadata.ts'
import { openDatabase } from './storage/database.ts'
import type { Storage } from './storage/database.ts'
import { isAnswering } from './storage/health.ts'
import { createKeySetStore } from './storage/key-sets.ts'
import { createRevocationStore } from './storage/revocations.ts'

/** What a caller of {@link buildApp} may choose beside the settings. */
export interface AppOptions {
  /** Where log lines go. Default: standard output. */
  readonly logDestination?: { write(line: string): void }
}

/**
 * The service, composed and ready to listen. Opens the database; does not wait for the issuers, which may be down.
 * @throws {ConfigError} if the database can't be opened
 */
export async function buildApp(config: Config, options: AppOptions = {}): Promise<FastifyInstance> {
  const app = Fastify(serverOptions(config, options))
  const publicUrl = () => publicUrlOf(config, listeningPort(app) ?? config.port)
  if (misleadsClients(config))
    app.log.warn(
      { host: config.host },
      'set PUBLIC_URL: without it clients are told to call an address of their own machine'
    )
  const storage = await openStorage(config, app.log)
  // Closed last: Fastify runs these hooks in reverse order, and the server's own is the last one added.
  app.addHook('onClose', () => storage.close())

  const revocationStore = createRevocationStore(storage)
  const keySetStore = createKeySetStore(storage)
  const checks = {
    'issuer keys': () => app.latchkey.isReady(),
    database: () => isAnswering(storage),
    'revoked tokens': () => app.latchkey.revocations?.isCurrent === true
  }
  await registerPlugins(app, config, { publicUrl, keySetStore, revocationStore, checks })
  const hasDpop = app.latchkey.senderConstraints.dpopAlgorithms.length > 0
  if (config.redisUrl !== undefined && app.rateLimiter === undefined && !hasDpop)
    app.log.info('redisUrl is not used: RATE_LIMIT is off, and no issuer has dpop')
  const adminIssuers = adminIssuersOf(config)
  await registerRoutes(app, {
    documents: { documents: await openDocuments(storage), publicUrl, adminIssuers },
    revocations: { adminIssuers },
    protectedResource: {
      resource: publicUrl,
      // at the root too, where clients look first, and where a proxy that cuts the path off leads
      paths: [...new Set([metadataRoot, metadataPath(publicUrl())])],
      issuers: () => app.latchkey.issuers,
      scopes: () => app.latchkey.scopes(),
      authorizationDetailsTypes: () => app.latchkey.authorizationDetailsTypes(),
      senderConstraints: () => app.latchkey.senderConstraints,
      name: 'Latchkey',
      documentation: () => `${publicUrl()}/docs`
    },
    operations: { checks, metrics: app.metrics }
  })
  return app
}

async function openStorage(config: Config, log: FastifyBaseLogger): Promise<Storage> {
  const { databaseUrl, dataDir } = config
  try {
    return await openDatabase(databaseUrl ?? dataDir, {
      onConnectionError: (err) => log.warn({ err }, 'connection to the database lost')
    })
  } catch (error) {
    throw databaseFault(config, error as Error)
  }
}

/** A driver's message may hold what the URL holds: only its code is told. */
function databaseFault({ databaseUrl, dataDir }: Config, error: Error): ConfigError {
  const code = codeOf(error.cause) ?? codeOf(error) ?? 'no answer'
  if (databaseUrl === undefined)
    return new ConfigError('DATA_DIR', `"${dataDir}" (${code})`, 'a directory that can be written')
  return new ConfigError('DATABASE_URL', `a database that fails (${code})`, 'one that answers')
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code
}

/** The port that the service really listens on; undefined until then. */
export function listeningPort(app: FastifyInstance): number | undefined {
  const address = app.server.address()
  return address !== null && typeof address === 'object' ? address.port : undefined
}

function serverOptions(config: Config, { logDestination }: AppOptions): FastifyServerOptions {
  return {
    logger: {
      level: config.logLevel,
      serializers: logSerializers,
      ...(logDestination && { stream: logDestination })
    },
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    trustProxy: config.trustProxy.length > 0 && config.trustProxy,
    // paths that don't exist read bodies too, of anybody: routes that need more say so themselves
    bodyLimit: 64 * 1024,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
    ...connectionOptions,
    // a certificate beside a token, both at their largest (RFC 9440 section 3.2)
    ...(config.clientCertFrom.length > 0 && {
      http: { ...connectionOptions.http, maxHeaderSize: 32_768 }
    }),
    frameworkErrors: postponeFailure,
    clientErrorHandler: answerClientError
  }
}

/** Times in milliseconds. Node looks for late requests each `connectionsCheckingInterval`. */
const connectionOptions = {
  requestTimeout: 15_000,
  // ends who does not read the answer; longer than any request takes to be answered
  connectionTimeout: 30_000,
  keepAliveTimeout: 72_000,
  http: { headersTimeout: 10_000, connectionsCheckingInterval: 1000, requireHostHeader: false },
  forceCloseConnections: 'idle',
  // What arrives on a busy connection while the service stops is still answered, and the connection then closed.
  return503OnClosing: false
} as const
