import cors from '@fastify/cors'
import type { FastifyCorsOptions } from '@fastify/cors'
import helmet from '@fastify/helmet'
import fp from 'fastify-plugin'
import type { FastifyInstance, FastifyRequest } from 'fastify'

interface SecurityHeadersOptions {
  /** Exact origins whose pages may call the API and read its answers. None: no CORS fields at all. */
  readonly origins: readonly string[]
}

/**
 * Gives every answer the response fields that browsers need: a policy under which an answer can not act as a page,
 * and CORS for the listed origins. Register it before the guard: errors are readable too, and preflights need no token.
 */
async function securityHeaders(
  app: FastifyInstance,
  { origins }: SecurityHeadersOptions
): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] }
    },
    frameguard: { action: 'deny' }
  })
  if (origins.length > 0) await app.register(cors, { delegator: corsDelegator(origins) })
}

export default fp(securityHeaders, { name: 'security-headers', fastify: '5.x' })

/** An OPTIONS request that is no preflight is a question about methods, and not for CORS to answer. */
function corsDelegator(origins: readonly string[]) {
  const forPreflights: FastifyCorsOptions = {
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders,
    exposedHeaders,
    maxAge: 600
  }
  const forOthers: FastifyCorsOptions = { ...forPreflights, preflight: false }
  return (
    { headers }: FastifyRequest,
    done: (error: Error | null, options: FastifyCorsOptions) => void
  ): void => {
    const isPreflight = isSent(headers.origin) && isSent(headers['access-control-request-method'])
    done(null, isPreflight ? forPreflights : forOthers)
  }
}

/** To @fastify/cors an empty field is none, and it answers such a preflight itself, without a problem document. */
function isSent(field: string | undefined): boolean {
  return field !== undefined && field !== ''
}

const allowedHeaders = [
  'Authorization',
  'Content-Type',
  'DPoP',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match'
]

const exposedHeaders = [
  'DPoP-Nonce',
  'ETag',
  'Link',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'WWW-Authenticate'
]
