import {
  Client,
  StreamableHTTPClientTransport,
  UnauthorizedError
} from '@modelcontextprotocol/client'
import { createSignIn } from './sign-in.ts'

/** A client of an MCP server; who uses it signs in when the server asks for it. */
export interface NotesClient {
  /** Calls a tool and returns its text. */
  readonly call: (tool: string, parameters?: Record<string, unknown>) => Promise<string>
  readonly close: () => Promise<void>
}

/**
 * Connects to an MCP server that is known by its URL only: its 401 leads to its metadata (RFC 9728), that to the issuer
 * (RFC 8414), where the client registers itself (RFC 7591) and its user signs in. All of it is done by the SDK.
 */
export async function connect(url: URL, openBrowser: (url: URL) => void): Promise<NotesClient> {
  const authProvider = await createSignIn(openBrowser)
  const newTransport = () => new StreamableHTTPClientTransport(url, { authProvider })
  const client = new Client(
    { name: 'notes-client', version: '1.0.0' },
    { versionNegotiation: { mode: 'auto' } }
  )

  /** The SDK sends the browser away and gives up; once the browser is back, what it was about to do is done again. */
  const signedIn = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action()
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error
      await newTransport().finishAuth(await authProvider.returned())
      return action()
    }
  }

  await signedIn(() => client.connect(newTransport()))
  return {
    async call(name, parameters = {}) {
      const { content } = await signedIn(() => client.callTool({ name, arguments: parameters }))
      return content.map((part) => (part.type === 'text' ? part.text : part.type)).join('\n')
    },
    async close() {
      await client.close()
      authProvider.close()
    }
  }
}
