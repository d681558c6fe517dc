import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { FastifyRequest, preParsingHookHandler, RouteOptions } from 'fastify'
import { ProblemError } from '../src/http/problem.ts'
import type { Principal } from '../src/token/principal.ts'
import type { Denials } from './denials.ts'
import { failWith, guardOf, twoTokens } from './guard-hook.ts'

/** Octets of the longest form that is looked into: twice what fits into the header fields. */
const longestForm = 32 * 1024

/**
 * Has a route that may take a body refuse a form with an access token beside the one in the Authorization field
 * (RFC 6750 sections 2 and 2.2). A form alone never gets here: the guard finds no credentials in it.
 */
export function refuseTokenInForm(route: RouteOptions, denials: Denials): void {
  if ([route.method].flat().every((method) => method === 'GET' || method === 'HEAD')) return
  route.preParsing = [createFormCheck(denials), ...[route.preParsing ?? []].flat()]
}

function createFormCheck(denials: Denials): preParsingHookHandler {
  return (request, reply, payload, done) => {
    const guard = guardOf(request)
    if (guard === null || !hasCaller(request) || !isShortForm(request)) return done(null, payload)
    buffer(payload)
      .catch(failLost)
      .then((form) => {
        if (new URLSearchParams(form.toString()).has('access_token'))
          denials.invalidRequest(request, reply, guard, twoTokens)
        else done(null, Readable.from([form]))
      })
      .catch(failWith(done))
  }
}

function failLost(cause: unknown): never {
  throw new ProblemError('invalid-request', { detail: 'The body did not arrive.', cause })
}

function hasCaller({ principal }: { readonly principal: Principal | null }): boolean {
  return principal !== null
}

function isShortForm({ headers }: FastifyRequest): boolean {
  const [type = ''] = (headers['content-type'] ?? '').split(';')
  if (type.trim().toLowerCase() !== 'application/x-www-form-urlencoded') return false
  return Number(headers['content-length']) <= longestForm
}
