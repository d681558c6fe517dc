/** The grant by which scripts get a user's token with one POST; nothing but a development issuer has it. */
export const developmentUserGrant = 'urn:latchkey:grant-type:development-user'

/** The grant by which an API gets tokens for others (RFC 8693 section 2.1). */
export const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** The confidential client that acts for itself, with client credentials. */
export const machineClientId = 'latchkey-machine'

/** The confidential client that is the API itself, when it calls others for a user. */
const apiClientId = 'latchkey-api'

/** The public client of command lines and native apps. */
export const nativeClientId = 'latchkey-cli'

const loopbackHosts = new Set(['127.0.0.1', '[::1]', 'localhost'])

/** The clients that a development issuer knows, as client metadata (RFC 7591 section 2). */
export function developmentClients(clientSecret: string): readonly object[] {
  return [
    {
      client_id: 'latchkey-spa',
      client_name: 'a single-page app',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['http://localhost/'],
      post_logout_redirect_uris: ['http://localhost/']
    },
    {
      client_id: nativeClientId,
      client_name: 'a command line',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: [
        'authorization_code',
        'refresh_token',
        'urn:ietf:params:oauth:grant-type:device_code',
        developmentUserGrant
      ],
      redirect_uris: ['http://127.0.0.1/']
    },
    {
      client_id: machineClientId,
      client_secret: clientSecret,
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: []
    },
    {
      client_id: apiClientId,
      client_secret: clientSecret,
      grant_types: [tokenExchangeGrant],
      response_types: [],
      redirect_uris: []
    }
  ]
}

/** Whether a URL is http on this machine: what public clients may be redirected to, whatever port and path. */
export function isLoopbackUrl(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname, username, hash } = new URL(url)
  return protocol === 'http:' && loopbackHosts.has(hostname) && username === '' && hash === ''
}

/** The port of an http URL on this machine; 0 for anything else, and for a port that is not known yet. */
export function portOfLoopback(url: string): number {
  return isLoopbackUrl(url) ? Number(new URL(url).port || 80) : 0
}

/**
 * A client that registers itself (RFC 7591) names the scopes it wants first and would be held to them; here it may ask
 * for more later, as MCP clients do.
 */
export const registeredClientMetadata = {
  properties: ['scope'],
  validator: (_ctx: unknown, _name: string, _value: unknown, metadata: { scope?: string }) => {
    delete metadata.scope
  }
}
