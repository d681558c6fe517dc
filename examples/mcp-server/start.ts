import { buildMcpServer } from './server.ts'

const { OIDC_ISSUER: issuer = 'http://127.0.0.1:3001', PORT = '4000' } = process.env
const publicUrl = `http://127.0.0.1:${PORT}/mcp`

const app = await buildMcpServer({ issuer, publicUrl })
await app.listen({ port: Number(PORT) })
console.log(`MCP server ${publicUrl}, for tokens of ${issuer}`)
