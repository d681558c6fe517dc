import type { FastifyInstance } from 'fastify'
import type { Config } from '../src/config/schema.ts'
import methodNotAllowed from './method-not-allowed.ts'
import problemDetails from './problem-details.ts'
import requestLog from './request-log.ts'
import securityHeaders from './security-headers.ts'

/** Gives the service its plugins. The order is that of their hooks: see README.md. */
export async function registerPlugins(app: FastifyInstance, config: Config): Promise<void> {
  await app.register(requestLog)
  await app.register(problemDetails)
  await app.register(securityHeaders, { origins: config.corsOrigins })
  await app.register(methodNotAllowed)
}
