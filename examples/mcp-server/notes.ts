import { fromJsonSchema, McpServer, requireScopes } from '@modelcontextprotocol/server'
import type { McpRequestContext } from '@modelcontextprotocol/server'
import type { Principal } from 'latchkey'

const notes = new Map<string, string[]>()

const noteToAdd = fromJsonSchema<{ text: string }>({
  type: 'object',
  properties: { text: { type: 'string', minLength: 1, maxLength: 1000 } },
  required: ['text'],
  additionalProperties: false
})

/** The tools of one request, for its caller. That the caller may read is what the route asks for. */
export function createNotesServer({ authInfo }: McpRequestContext): McpServer {
  const principal = authInfo?.extra?.['principal'] as Principal
  const mine = notesOf(principal)
  const server = new McpServer({ name: 'notes', version: '1.0.0' })

  server.registerTool('list_notes', { description: 'Lists your notes' }, () =>
    answer(mine.length === 0 ? `${principal.subject} has no notes` : mine.join('\n'))
  )
  server.registerTool(
    'add_note',
    {
      description: 'Adds a note',
      inputSchema: noteToAdd,
      // all scopes of the operation at once, so that a client asks its user once
      scopeChallenge: requireScopes('documents:read', 'documents:write')
    },
    ({ text }) => {
      mine.push(text)
      return answer(`Noted for ${principal.subject}`)
    }
  )
  return server
}

/** A subject is unique at its issuer only. */
function notesOf({ issuer, subject }: Principal): string[] {
  const owner = JSON.stringify([issuer, subject])
  const mine = notes.get(owner) ?? []
  notes.set(owner, mine)
  return mine
}

function answer(text: string) {
  return { content: [{ type: 'text' as const, text }] }
}
