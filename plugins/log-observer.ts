import type { FastifyInstance } from 'fastify'
import { UpstreamError } from '../src/issuer/bounded-fetch.ts'
import { IssuerFaultError } from '../src/issuer/issuer-fault.ts'
import type { Observer } from '../src/observe/observer.ts'

/** Tells the log of an app what happens with its issuers. */
export function createLogObserver({ log }: FastifyInstance): Observer {
  return {
    keySetReplaced: (event) => log.info(event, 'key set replaced'),
    keySkipped: (event) => log.warn(event, 'entry of the key set is not used'),
    issuerTrouble: ({ issuer, doing, cause }) =>
      log.warn({ issuer, doing, ...describe(cause) }, 'trouble with the issuer')
  }
}

/** What an issuer does wrong is told in a line: the stack would say where we noticed, at every attempt. */
function describe(trouble: unknown): { fault: string } | { err: unknown } {
  if (!(trouble instanceof UpstreamError || trouble instanceof IssuerFaultError))
    return { err: trouble }
  const { message, cause } = trouble
  return { fault: cause instanceof Error ? `${message} (${cause.message})` : message }
}
