import { randomUUID } from 'node:crypto'
import Fastify, { LogController } from 'fastify'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { registerPlugins } from '../plugins/index.ts'
import { answerClientError, answerProblem } from '../plugins/problem-details.ts'
import { logRequest, logSerializers } from '../plugins/request-log.ts'
import { registerRoutes } from '../routes/index.ts'
import { publicUrlOf } from './config/public-url.ts'
import type { Config } from './config/schema.ts'

export interface AppOptions {
  /** Where log lines go. Default: standard output. */
  readonly logDestination?: { write(line: string): void }
}

/** The service, composed and ready to listen. Does not wait for the issuers: they may be down. */
export async function buildApp(config: Config, options: AppOptions = {}): Promise<FastifyInstance> {
  const app = Fastify(serverOptions(config, options))
  const publicUrl = () => publicUrlOf(config, listeningPort(app) ?? config.port)
  await registerPlugins(app, config, { publicUrl })
  await registerRoutes(app, {
    operations: { checks: { 'issuer keys': () => app.latchkey.isReady() } },
    protectedResource: {
      resource: publicUrl,
      publicUrl: config.publicUrl,
      issuers: app.latchkey.issuers,
      scopes: () => app.latchkey.scopes(),
      name: 'Latchkey'
    }
  })
  return app
}

/** The port that the service really listens on; undefined until then. */
export function listeningPort(app: FastifyInstance): number | undefined {
  const address = app.server.address()
  return address !== null && typeof address === 'object' ? address.port : undefined
}

/** A document of 256 KiB with what stands around it. */
const bodyLimitBytes = 320 * 1024

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
    bodyLimit: bodyLimitBytes,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
    ...connectionOptions,
    frameworkErrors: (error, request, reply) => {
      answerProblem(error, request, reply)
      logRequest(request, reply)
    },
    clientErrorHandler: answerClientError
  }
}

/** Times in milliseconds. Node looks for late requests each `connectionsCheckingInterval`. */
const connectionOptions = {
  requestTimeout: 15_000,
  keepAliveTimeout: 72_000,
  http: { headersTimeout: 10_000, connectionsCheckingInterval: 1000, requireHostHeader: false },
  forceCloseConnections: 'idle',
  // What arrives on a busy connection while the service stops is still answered, and the connection then closed.
  return503OnClosing: false
} as const
