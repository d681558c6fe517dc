import { Readable } from 'node:stream'
import type { FastifyRequest, preParsingHookHandler, RouteOptions } from 'fastify'
import { ProblemError } from '../src/http/problem.ts'
import type { Principal } from '../src/token/principal.ts'
import type { Denials } from './denials.ts'
import { failWith, guardOf, twoTokens } from './guard-hook.ts'

const formType = 'application/x-www-form-urlencoded'

/** Octets of the longest form that is looked into: twice what fits into the header fields. */
const longestForm = 32 * 1024

/**
 * Has a route whose `accepts` says that it reads no forms refuse one with an access token beside the one in the
 * Authorization field (RFC 6750 sections 2 and 2.2). Other forms are handed on as they came, those too that are longer or
 * do not say their length. A form alone never gets here: the guard finds no credentials in it.
 */
export function refuseTokenInForm(route: RouteOptions, denials: Denials): void {
  const accepts: unknown = route.config?.accepts
  // an application may mean something else by the name
  if (!Array.isArray(accepts) || accepts.includes(formType)) return
  route.preParsing = [createFormCheck(denials), ...[route.preParsing ?? []].flat()]
}

function createFormCheck(denials: Denials): preParsingHookHandler {
  return (request, reply, payload, done) => {
    const guard = guardOf(request)
    if (guard === null || !hasCaller(request) || !isShortForm(request)) return done(null, payload)
    readForm(payload)
      .then((form) => {
        if (new URLSearchParams(form.toString()).has('access_token'))
          denials.invalidRequest(request, reply, guard, twoTokens)
        else done(null, Readable.from([form]))
      })
      .catch(failWith(done))
  }
}

/** Reads no further than a form may be long, whatever its fields say: hooks before this one may have unpacked it. */
async function readForm(payload: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of payload) {
      chunks.push(Buffer.from(chunk))
      length += chunk.length
      if (length > longestForm) break
    }
  } catch (cause) {
    throw new ProblemError('invalid-request', { detail: 'The body did not arrive.', cause })
  }
  return Buffer.concat(chunks)
}

function hasCaller({ principal }: { readonly principal: Principal | null }): boolean {
  return principal !== null
}

function isShortForm({ headers }: FastifyRequest): boolean {
  const [type = ''] = (headers['content-type'] ?? '').split(';')
  if (type.trim().toLowerCase() !== formType) return false
  return Number(headers['content-length']) <= longestForm
}
