import type { RefusalReason } from '../../src/token/refusal.ts'

interface Parts {
  readonly token: string
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
  /** Seconds since the epoch. */
  readonly now: number
}

/**
 * Why Latchkey may refuse what jose accepts, by the reason it gives: each is a rule of this project, told here anew
 * and from the token alone, so that a refusal with a wrong reason is found out too. A reason that is not here is shared
 * by both.
 */
const stricter: Partial<Record<RefusalReason, (parts: Parts) => boolean>> = {
  // JWS-2: jose, before Node 25, skips blanks and takes padding; JWS-3: and repairs UTF-8
  malformed: ({ token }) => !isStrict(token),
  bad_signature: ({ token }) => !isStrict(token),
  // JWS-10, B64-1, B64-2: no extension is understood; jose knows b64
  unsupported_header: ({ header }) => 'crit' in header || 'b64' in header,
  // JWS-12: jose ignores a kid that is no text
  invalid_key_id: ({ header: { kid } }) =>
    typeof kid !== 'string' || kid === '' || kid.length > 256 || !isWellFormed(kid),
  // AT-1, JWS-16, BCP-6
  wrong_type: ({ header, claims }) =>
    !isAccessTokenType(header['typ']) || isJwtType(header['cty']) || isMarkedAsOther(claims),
  // JWT-5, JWT-7, JWT-9: jose looks for one good audience, for presence of sub, and at no bounds
  invalid_claims: ({ claims }) =>
    typeof claims['sub'] !== 'string' ||
    claims['sub'] === '' ||
    [claims['aud']].flat().some((entry) => typeof entry !== 'string') ||
    [claims['exp'], claims['nbf'], claims['iat']].some(
      (time) => Math.abs(Number(time)) > 8.64e12
    ) ||
    ('cnf' in claims && !isPlainObject(claims['cnf'])),
  // JWT-4
  not_yet_valid: ({ claims, now }) => Number(claims['iat']) > now + 5,
  // FW-7
  sender_constrained: ({ claims }) => isPlainObject(claims['cnf'])
}

/** Whether Latchkey's reason to refuse a token that jose accepts is one of the documented ones, and true. */
export function isStricterThanJose(reason: RefusalReason, token: string, now: number): boolean {
  const [header, claims] = token.split('.').map(decode)
  return stricter[reason]?.({ token, header: header ?? {}, claims: claims ?? {}, now }) ?? false
}

function isStrict(token: string): boolean {
  return token
    .split('.')
    .every(
      (part, index) =>
        /^[\w-]+$/.test(part) && part.length % 4 !== 1 && (index === 2 || isUtf8(part))
    )
}

function isUtf8(part: string): boolean {
  const bytes = Buffer.from(part, 'base64url')
  return Buffer.from(bytes.toString()).equals(bytes) && !bytes.toString().startsWith('\uFEFF')
}

function isAccessTokenType(typ: unknown): boolean {
  return typeof typ === 'string' && /^(application\/)?(at\+jwt|jwt)$/i.test(typ)
}

function isJwtType(cty: unknown): boolean {
  return typeof cty === 'string' && /^(application\/)?jwt$/i.test(cty)
}

function isMarkedAsOther({ typ, token_use, azp, ...claims }: Parts['claims']): boolean {
  const marks = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events', 'token_introspection']
  const { aud, scope, scp, roles } = claims
  const isForItself = azp !== undefined && [aud].flat().join() === azp
  return (
    marks.some((name) => name in claims) ||
    ['ID', 'Refresh', 'Offline', 'Logout'].includes(String(typ)) ||
    (token_use !== undefined && token_use !== 'access') ||
    (isForItself && scope === undefined && scp === undefined && roles === undefined)
  )
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}

function decode(part: string): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  } catch {
    return {}
  }
}
