import type { FastifyInstance } from 'fastify'
import operations from './operations.ts'
import type { OperationsOptions } from './operations.ts'
import protectedResource from './protected-resource.ts'
import type { ProtectedResourceOptions } from './protected-resource.ts'

/** What the routes need beyond the plugins. */
export interface RoutesOptions {
  readonly operations: OperationsOptions
  readonly protectedResource: ProtectedResourceOptions
}

/** Gives the service its routes: one resource a file. */
export async function registerRoutes(app: FastifyInstance, options: RoutesOptions): Promise<void> {
  await app.register(operations, options.operations)
  await app.register(protectedResource, options.protectedResource)
}
