import { developmentUserGrant, isLoopbackUrl, machineClientId, nativeClientId } from './clients.ts'
import { DevelopmentIssuerError } from './errors.ts'

const timeoutMilliseconds = 5000

interface TokenRequest {
  /** The issuer identifier of a running development issuer. */
  readonly issuer: string
  /** The scopes to ask for, separated by spaces. */
  readonly scope: string
}

interface IssuerMetadata {
  readonly issuer: string
  readonly token_endpoint: string
  readonly grant_types_supported: readonly string[]
}

/**
 * Asks a development issuer for an access token of one of its users, without a browser.
 * @throws {DevelopmentIssuerError} when the issuer isn't there, isn't a development issuer, or refuses
 */
export async function mintUserToken(request: TokenRequest & { user: string }): Promise<string> {
  const { scope, user } = request
  const form = { grant_type: developmentUserGrant, client_id: nativeClientId, user, scope }
  return requestToken(request, form, {})
}

/**
 * Asks a development issuer for an access token of the client `latchkey-machine` itself (client credentials).
 * @throws {DevelopmentIssuerError} when the issuer isn't there, isn't a development issuer, or refuses
 */
export async function mintClientToken(
  request: TokenRequest & { clientSecret: string }
): Promise<string> {
  const { scope, clientSecret } = request
  const credentials = Buffer.from(`${machineClientId}:${clientSecret}`).toString('base64')
  const form = { grant_type: 'client_credentials', scope }
  return requestToken(request, form, { authorization: `Basic ${credentials}` })
}

async function requestToken(
  { issuer, scope }: TokenRequest,
  form: Record<string, string>,
  headers: Record<string, string>
): Promise<string> {
  const { token_endpoint: endpoint } = await discover(issuer)
  const answer = await exchange(issuer, endpoint, {
    method: 'POST',
    body: new URLSearchParams(form),
    headers
  })
  if (typeof answer['access_token'] !== 'string') {
    const reason = JSON.stringify(answer['error_description'] ?? answer['error'])
    throw new DevelopmentIssuerError(`${issuer} gave no token: ${reason}`)
  }
  refuseNarrowed(issuer, scope, answer['scope'])
  return answer['access_token']
}

async function discover(issuer: string): Promise<IssuerMetadata> {
  const other = new DevelopmentIssuerError(
    `${issuer} is not a Latchkey development issuer: only those give tokens without a sign-in`
  )
  if (!isLoopbackUrl(issuer)) throw other
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const metadata = (await exchange(issuer, url, {})) as Partial<IssuerMetadata>
  if (!metadata.grant_types_supported?.includes(developmentUserGrant)) throw other
  return metadata as IssuerMetadata
}

async function exchange(
  issuer: string,
  url: string,
  init: RequestInit
): Promise<Record<string, unknown>> {
  try {
    const signal = AbortSignal.timeout(timeoutMilliseconds)
    const response = await fetch(url, { ...init, signal, redirect: 'error' })
    return (await response.json()) as Record<string, unknown>
  } catch (cause) {
    if (cause instanceof SyntaxError) return {}
    throw new DevelopmentIssuerError(`No issuer answers at ${issuer}: start it with npm start`, {
      cause
    })
  }
}

function refuseNarrowed(issuer: string, requested: string, granted: unknown): void {
  const given = new Set(typeof granted === 'string' ? granted.split(' ') : [])
  const lost = requested.split(' ').filter((scope) => scope !== '' && !given.has(scope))
  if (lost.length > 0) {
    throw new DevelopmentIssuerError(
      `${issuer} does not grant the scope ${lost.join(' ')} in this token`
    )
  }
}
