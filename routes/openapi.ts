import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

import { Type } from 'typebox'
import { stringify } from 'yaml'
import type { FastifyInstance, FastifySchema } from 'fastify'

/** The OpenAPI document of the service, and a page to read it and try it: Swagger UI, served from here to the last byte. */
export default async function openapiRoutes(app: FastifyInstance): Promise<void> {
  publish(app, '/openapi.json', 'application/json', () => JSON.stringify(app.swagger()), asJson)
  publish(app, '/openapi.yaml', 'application/yaml', () => yamlOf(app.swagger()), asYaml)

  app.addHook('onRequest', async (_request, reply) => {
    reply.header('content-security-policy', contentSecurityPolicy)
  })
  publish(app, '/docs', 'text/html', () => page)
  publish(app, '/docs/start.js', 'text/javascript', () => startScript)
  publish(app, '/docs/swagger-ui.js', 'text/javascript', () => swaggerUi('swagger-ui-bundle.js'))
  publish(app, '/docs/swagger-ui.css', 'text/css', () => swaggerUi('swagger-ui.css'))
}

/** Serves a text that never changes while the service runs; it is made for the first request. */
function publish(
  app: FastifyInstance,
  path: string,
  type: string,
  make: () => string,
  schema: FastifySchema = { hide: true }
): void {
  let content: { body: Buffer; etag: string } | undefined
  app.get(path, { config: { auth: false }, schema }, (request, reply) => {
    content ??= withEtag(make())
    reply.header('etag', content.etag).header('cache-control', 'public, max-age=300')
    // A list, weak tags included (RFC 9110 section 13.1.2): no other tag can hold this digest and its quotes.
    const tags = request.headers['if-none-match']
    if (tags?.trim() === '*' || tags?.includes(content.etag) === true) return reply.code(304).send()
    return reply.type(`${type}; charset=utf-8`).send(content.body)
  })
}

/** As bytes, which all answers share: of a text, each client that reads slowly would hold a copy. */
function withEtag(text: string): { body: Buffer; etag: string } {
  const body = Buffer.from(text)
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` }
}

/** Without aliases, and with quotes where readers of YAML 1.1 would see a date or a number. */
function yamlOf(document: object): string {
  return stringify(document, { aliasDuplicateObjects: false, compat: 'yaml-1.1', lineWidth: 100 })
}

function swaggerUi(file: string): string {
  return readFileSync(new URL(`static/${file}`, import.meta.resolve('@fastify/swagger-ui')), 'utf8')
}

const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Latchkey API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="docs/swagger-ui.css">
  </head>
  <body>
    <div id="contract"></div>
    <script src="docs/swagger-ui.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
`

// Without `validatorUrl: 'none'` the page would show the document's address to a public validator.
const startScript = `SwaggerUIBundle({
  dom_id: '#contract',
  url: 'openapi.json',
  deepLinking: true,
  validatorUrl: 'none'
})
`

const example = { openapi: '3.1.0', info: { title: 'Latchkey', version: '1.0.0' }, paths: {} }

const etag = { type: 'string', description: 'Changes when the document does.' }

const asJson = documentSchema('getOpenapiJson', 'JSON', 'application/json')
const asYaml = documentSchema('getOpenapiYaml', 'YAML', 'application/yaml')

function documentSchema(operationId: string, format: string, type: string): FastifySchema {
  return {
    operationId,
    tags: ['discovery'],
    summary: `This document as ${format}`,
    headers: Type.Object({
      'If-None-Match': Type.Optional(Type.String({ description: 'ETags that the client has.' }))
    }),
    response: {
      200: {
        description: 'The OpenAPI 3.1 document of this service.',
        headers: { ETag: etag },
        content: { [type]: { schema: { type: 'object' }, example } }
      },
      304: {
        type: 'null',
        description: 'The document is the one named by If-None-Match.',
        headers: { ETag: etag }
      }
    }
  }
}
