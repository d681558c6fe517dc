import type { AddressInfo } from 'node:net'
import fastifyJwt from '@fastify/jwt'
import fastify, { type FastifyInstance, LogController } from 'fastify'
import buildGetJwks from 'get-jwks'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import latchkey from '../plugins/latchkey.ts'
import { startExpress } from './express-peer.ts'

/** Whose tokens a contestant accepts. */
export interface Trust {
  readonly issuer: string
  readonly audience: string
}

/** Starts a server whose one route answers the same for all contestants; returns its port. */
type Contestant = (trust: Trust) => Promise<number>

const answer = { hello: 'world' }

/** The servers that are compared: each guards the same route, the peers as their READMEs say. */
export const contestants = {
  bare: () => listen(fastify()),

  Latchkey: async (trust) => {
    const app = fastify()
    await app.register(latchkey, trust)
    return listen(app)
  },

  '@fastify/jwt + get-jwks': async ({ issuer }) => {
    const app = fastify()
    const getJwks = buildGetJwks({ issuersWhitelist: [issuer], providerDiscovery: true })
    await app.register(fastifyJwt, {
      decode: { complete: true },
      secret: (_request, token, callback) => {
        const { header, payload } = token as CompleteToken
        getJwks
          .getPublicKey({ kid: header.kid, domain: payload.iss, alg: header.alg })
          .then((key) => callback(null, key))
          .catch((error: Error) => callback(error, undefined))
      }
    })
    app.addHook('onRequest', async (request) => {
      await request.jwtVerify()
    })
    return listen(app)
  },

  jose: async ({ issuer, audience }) => {
    const app = fastify()
    const keySet = createRemoteJWKSet(new URL(`${issuer}/jwks`))
    app.addHook('onRequest', async (request, reply) => {
      const token = request.headers.authorization?.slice('Bearer '.length) ?? ''
      try {
        await jwtVerify(token, keySet, { issuer, audience })
      } catch {
        await reply.code(401).send({ error: 'invalid_token' })
      }
    })
    return listen(app)
  },

  'express-oauth2-jwt-bearer': (trust) => startExpress(trust, answer),

  'bare + one log line': () => {
    const app = fastify({
      logger: true,
      logController: new LogController({ disableRequestLogging: true })
    })
    app.addHook('onResponse', async (request, reply) => {
      request.log.info({ url: request.url, status: reply.statusCode }, 'request answered')
    })
    return listen(app)
  },

  "bare + Fastify's two log lines": () => listen(fastify({ logger: true }))
} satisfies Record<string, Contestant>

export type ContestantName = keyof typeof contestants

export function isContestant(name: string): name is ContestantName {
  return Object.hasOwn(contestants, name)
}

interface CompleteToken {
  readonly header: { readonly kid: string; readonly alg: string }
  readonly payload: { readonly iss: string }
}

async function listen(app: FastifyInstance): Promise<number> {
  app.get('/hello', async () => answer)
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}
