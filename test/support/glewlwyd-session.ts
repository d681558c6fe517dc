/** Somebody signed in at glewlwyd. */
export interface GlewlwydSession {
  /** Creates something through the administration API. */
  readonly create: (what: string, content: object) => Promise<void>
  /** Lets a client have scopes, asks for a code with the given parameters, and returns it. */
  readonly authorize: (clientId: string, parameters: AuthorizationParameters) => Promise<string>
}

interface AuthorizationParameters {
  readonly scope: string
  readonly redirect_uri: string
  readonly resource?: string
}

/**
 * Signs in with a password. What a browser would send comes from here, since glewlwyd's pages are scripts.
 * @throws if glewlwyd refuses anything
 */
export async function createGlewlwydSession(
  origin: string,
  person: { readonly username: string; readonly password: string }
): Promise<GlewlwydSession> {
  const { headers } = await send(`${origin}/api/auth`, json('POST', person))
  const cookie = headers.getSetCookie().map((line) => line.split(';')[0])[0] ?? ''

  return {
    async create(what, content) {
      await send(`${origin}/api/${what}/`, json('POST', content, cookie))
    },
    async authorize(clientId, { scope, ...parameters }) {
      const grant = `${origin}/api/auth/grant/${clientId}/`
      await send(grant, json('PUT', { scope }, cookie))
      const query = new URLSearchParams({
        response_type: 'code',
        client_id: clientId,
        scope,
        nonce: 'n-0S6_WzA2Mj',
        g_continue: '',
        ...parameters
      })
      const url = `${origin}/api/oidc/auth?${query.toString()}`
      const answer = await send(url, { headers: { cookie } })
      const code = new URL(answer.headers.get('location') ?? url).searchParams.get('code')
      if (code === null) throw new Error(`glewlwyd gave no code for ${scope}`)
      return code
    }
  }
}

function json(method: string, content: object, cookie = ''): RequestInit {
  const headers = { 'content-type': 'application/json', cookie }
  return { method, headers, body: JSON.stringify(content) }
}

async function send(url: string, request: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...request, redirect: 'manual' })
  if (response.status < 400) return response
  throw new Error(`glewlwyd answered ${url} with ${response.status}: ${await response.text()}`)
}
