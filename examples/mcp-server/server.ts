import {
  type AuthInfo,
  createMcpHandler,
  getOAuthProtectedResourceMetadataUrl,
  originValidationResponse
} from '@modelcontextprotocol/server'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import latchkey from 'latchkey'
import { createNotesServer } from './notes.ts'

/** Where an MCP server stands, and whose tokens open it. */
export interface McpServerOptions {
  readonly issuer: string
  /** The URL that MCP clients are given. It is the audience of their tokens, and the RFC 9728 `resource`. */
  readonly publicUrl: string
}

/** Builds an MCP server (Streamable HTTP, protocol 2026-07-28 and older ones) that Latchkey guards. */
export async function buildMcpServer({
  issuer,
  publicUrl
}: McpServerOptions): Promise<FastifyInstance> {
  const app = Fastify({ forceCloseConnections: true })
  await app.register(latchkey, { issuer, audience: publicUrl, publicUrl })

  const { pathname, hostname } = new URL(publicUrl)
  const mcp = createMcpHandler(createNotesServer)
  app.addHook('onClose', () => mcp.close())
  app.post(
    pathname,
    { config: { auth: { scopes: ['documents:read'] } } },
    async (request, reply) => {
      const received = toWebRequest(request, publicUrl)
      const answer =
        originValidationResponse(received, [hostname]) ??
        (await mcp.fetch(received, {
          authInfo: authInfoOf(request, publicUrl),
          parsedBody: request.body
        }))
      return reply.send(answer)
    }
  )
  return app
}

/** Tools get the caller and not the token: all they could do with it is to pass it on, which MCP forbids. */
function authInfoOf({ principal }: FastifyRequest, publicUrl: string): AuthInfo {
  return {
    token: '',
    clientId: principal.clientId ?? '',
    scopes: [...principal.scopes],
    expiresAt: principal.expiresAt,
    resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(new URL(publicUrl)),
    extra: { principal }
  }
}

function toWebRequest({ method, headers }: FastifyRequest, url: string): Request {
  const fields = Object.entries(headers).filter(([name]) => name !== 'authorization')
  return new Request(url, {
    method,
    headers: fields.map(([name, value]) => [name, String(value)] as [string, string])
  })
}
