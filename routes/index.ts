import type { FastifyInstance } from 'fastify'
import adminRevocations from './admin/revocations.ts'
import type { AdminRoutesOptions } from './admin/revocations.ts'
import documents from './documents/index.ts'
import type { DocumentRoutesOptions } from './documents/index.ts'
import me from './me.ts'
import openapi from './openapi.ts'
import operations from './operations.ts'
import type { OperationsOptions } from './operations.ts'
import protectedResource from './protected-resource.ts'
import type { ProtectedResourceOptions } from './protected-resource.ts'
import { registerReceivers } from './receivers.ts'
import whoami from './whoami.ts'

/** What the routes need beyond the plugins. */
export interface RoutesOptions {
  readonly documents: DocumentRoutesOptions
  readonly revocations: AdminRoutesOptions
  readonly operations: OperationsOptions
  readonly protectedResource: ProtectedResourceOptions
}

/** Gives the service its routes: one resource a file. */
export async function registerRoutes(app: FastifyInstance, options: RoutesOptions): Promise<void> {
  await app.register(whoami)
  await app.register(me)
  await app.register(documents, options.documents)
  await app.register(adminRevocations, options.revocations)
  await app.register(protectedResource, options.protectedResource)
  await app.register(openapi)
  await app.register(operations, options.operations)
  await registerReceivers(app)
}
