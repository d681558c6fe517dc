import { once } from 'node:events'
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import type { Trust } from './contestants.ts'

/** The little of express and its bearer guard that is used here; express brings no types. */
interface ExpressApp {
  readonly disable: (setting: string) => ExpressApp
  readonly use: (handler: unknown) => ExpressApp
  readonly get: (path: string, handler: Handler) => ExpressApp
  readonly listen: (port: number, host: string) => Server
}

interface Response {
  readonly status: (code: number) => Response
  readonly set: (headers: unknown) => Response
  readonly json: (body: object) => void
}

type Handler = (request: unknown, response: Response) => void

type ErrorHandler = (
  error: { readonly status: number; readonly headers: unknown },
  request: unknown,
  response: Response,
  // express knows an error handler by its four parameters
  next: unknown
) => void

interface BearerModule {
  readonly auth: (options: { issuerBaseURL: string; audience: string }) => unknown
}

/** Starts express with express-oauth2-jwt-bearer; returns its port. */
export async function startExpress({ issuer, audience }: Trust, answer: object): Promise<number> {
  const require = createRequire(import.meta.url)
  const express = require('express') as () => ExpressApp
  const { auth } = require('express-oauth2-jwt-bearer') as BearerModule
  const refuse: ErrorHandler = (error, _request, response, _next) =>
    response.status(error.status).set(error.headers).json({ error: 'invalid_token' })
  const server = express()
    // headers that the others don't send
    .disable('etag')
    .disable('x-powered-by')
    .use(auth({ issuerBaseURL: issuer, audience }))
    .get('/hello', (_request, response) => response.json(answer))
    .use(refuse)
    .listen(0, '127.0.0.1')
  // Fastify's, so that no connection is closed between two turns
  server.keepAliveTimeout = 72_000
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
