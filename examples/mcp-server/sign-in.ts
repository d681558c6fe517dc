import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type {
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens
} from '@modelcontextprotocol/client'

/** How a command-line client gets tokens: it sends a browser to the issuer, and listens for its return. */
export interface SignIn extends OAuthClientProvider {
  /** Waits until the browser is back. */
  readonly returned: () => Promise<URLSearchParams>
  readonly close: () => void
}

/** Listens on a free port of loopback. Whatever the client learns, its registration too, is kept in memory. */
export async function createSignIn(openBrowser: (url: URL) => void): Promise<SignIn> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const redirectUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`
  let state = ''
  let codeVerifier = ''
  let client: StoredOAuthClientInformation | undefined
  let tokens: StoredOAuthTokens | undefined
  let discovery: OAuthDiscoveryState | undefined
  let landing = Promise.resolve(new URLSearchParams())

  const nextReturn = () =>
    new Promise<URLSearchParams>((resolve) => {
      server.removeAllListeners('request').on('request', ({ url = '' }, response) => {
        const { pathname, searchParams } = new URL(url, redirectUrl)
        const isOurs = pathname === '/callback' && searchParams.get('state') === state
        response.writeHead(isOurs ? 200 : 404).end(isOurs ? 'You can close this page.' : undefined)
        if (isOurs) resolve(searchParams)
      })
    })

  return {
    redirectUrl,
    clientMetadata: {
      client_name: 'an MCP client',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code'],
      token_endpoint_auth_method: 'none'
    },
    state: () => (state = randomUUID()),
    clientInformation: () => client,
    saveClientInformation: (registered) => void (client = registered),
    tokens: () => tokens,
    saveTokens: (received) => void (tokens = received),
    codeVerifier: () => codeVerifier,
    saveCodeVerifier: (verifier) => void (codeVerifier = verifier),
    discoveryState: () => discovery,
    saveDiscoveryState: (found) => void (discovery = found),
    redirectToAuthorization: (url) => {
      landing = nextReturn()
      openBrowser(url)
    },
    returned: () => landing,
    close: () => void server.close()
  }
}
