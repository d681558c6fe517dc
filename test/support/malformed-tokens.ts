import { createPublicKey } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import type { TestAlgorithm, TestIssuer, TestKey } from '../../src/testing.ts'
import * as raw from './raw-token.ts'
import type { Part } from './raw-token.ts'

type Tokens = Record<string, string>

interface Sound {
  readonly issuer: TestIssuer
  readonly token: string
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * Tokens of the issuer that are wrong in form and in nothing else, by requirement and name: all of them
 * are signed by published keys, as far as their kind of fault allows. Every one is to be refused as
 * `invalid_token`. The issuer needs RS256, PS256 and ES256.
 */
export async function malformedTokens(issuer: TestIssuer): Promise<Tokens> {
  const token = await issuer.mint({}, { alg: 'RS256' })
  const header = { ...decodeProtectedHeader(token) }
  const sound = { issuer, token, header, claims: decodeJwt(token) }
  return {
    ...serialisations(sound),
    ...headers(sound),
    ...payloads(sound),
    ...criticalHeaders(sound),
    ...signatures(sound)
  }
}

/**
 * Tokens that name a member twice (JWS-4), properly signed. A verifier either refuses all of them, or lets
 * the last one count: then `alg: sound one first` is refused and `sub: sound one first` is mallory's.
 */
export async function repeatedMembers(issuer: TestIssuer): Promise<Tokens> {
  const token = await issuer.mint({}, { alg: 'RS256' })
  const signer = raw.signer('RS256', keyFor(issuer, 'RS256').privateKey)
  const header = JSON.stringify(decodeProtectedHeader(token))
  const claims = JSON.stringify(decodeJwt(token))
  return {
    'alg: sound one last': raw.rawToken(prepend(header, '"alg":"none"'), claims, signer),
    'alg: sound one first': raw.rawToken(append(header, '"alg":"none"'), claims, signer),
    'sub: sound one last': raw.rawToken(header, prepend(claims, '"sub":"mallory"'), signer),
    'sub: sound one first': raw.rawToken(header, append(claims, '"sub":"mallory"'), signer)
  }
}

function serialisations({ token, claims }: Sound): Tokens {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const flattened = { protected: header, payload, signature }
  const general = { payload, signatures: [{ protected: header, signature }] }
  return {
    'JWS-1: flattened JSON serialisation': JSON.stringify(flattened),
    'JWS-1: general JSON serialisation': JSON.stringify(general),
    'JWS-1: one part': header,
    'JWS-1: two parts': `${header}.${payload}`,
    'JWS-1: four parts': `${token}.${signature}`,
    'JWS-1: five parts': `${header}.${payload}.${signature}.${payload}.${signature}`,
    'JWS-1: dots alone': '..',
    'JWS-1: no payload': `${header}..${signature}`,
    'JWS-1: a dot at the end': `${token}.`,
    'JWS-2: padding after the signature': `${token}==`,
    'JWS-2: padding after the header': `${header}=.${payload}.${signature}`,
    'JWS-2: + and / for - and _': `${header}.${payload}.${mixAlphabet(signature)}`,
    'JWS-2: a stray character in the signature': `${header}.${payload}.!${signature}`,
    'JWS-2: a stray character in the payload': `${header}.${payload}*.${signature}`,
    'JWS-2: the claims not encoded': `${header}.${JSON.stringify(claims)}.${signature}`
  }
}

function headers({ issuer, header, claims }: Sound): Tokens {
  const signed = (part: Part) => signRs256(issuer, part, claims)
  const text = JSON.stringify(header)
  return {
    'JWS-3: header in an array': signed([header]),
    'JWS-3: header a string': signed('"RS256"'),
    'JWS-3: header null': signed(null),
    'JWS-3: header empty': signed(''),
    'JWS-3: header not JSON': signed(text.slice(1)),
    'JWS-3: header with text after it': signed(`${text}x`),
    'JWS-3: header with invalid UTF-8': signed(invalidUtf8(append(text, '"x":"?"'))),
    'JWS-3: header in UTF-16': signed(Buffer.from(text, 'utf16le')),
    'JWS-5: no alg': signed({ ...header, alg: undefined }),
    'JWS-5: alg in lower case': signed({ ...header, alg: 'rs256' }),
    'JWS-5: alg a number': signed({ ...header, alg: 5 }),
    'JWS-5: alg an array': signed({ ...header, alg: ['RS256'] }),
    'JWS-5: alg toString': signed({ ...header, alg: 'toString' }),
    'JWS-5: alg __proto__': signed({ ...header, alg: '__proto__' }),
    'JWS-12: kid a number': signed({ ...header, kid: 5 }),
    'JWS-12: kid an object': signed({ ...header, kid: {} }),
    'JWS-12: kid an array': signed({ ...header, kid: [header['kid']] }),
    'JWS-12: kid null': signed({ ...header, kid: null }),
    'JWS-12: kid a lone surrogate': signed({ ...header, kid: '\uD800' }),
    'JWS-12: kid of 10 kB': signed({ ...header, kid: 'k'.repeat(10_000) }),
    'JWS-12: kid in another case': signed({ ...header, kid: swapCase(String(header['kid'])) })
  }
}

function payloads({ issuer, header, claims }: Sound): Tokens {
  const signed = (part: Part) => signRs256(issuer, header, part)
  const text = JSON.stringify(claims)
  return {
    'JWT-1: payload an array': signed([claims]),
    'JWT-1: payload null': signed(null),
    'JWT-1: payload a number': signed(5),
    'JWT-1: payload text': signed('hello'),
    'JWT-1: payload empty': signed(''),
    'JWT-1: payload cut short': signed(text.slice(0, -1)),
    'JWT-1: payload with invalid UTF-8': signed(invalidUtf8(append(text, '"x":"?"'))),
    'JWT-1: payload in UTF-16': signed(Buffer.from(text, 'utf16le'))
  }
}

function criticalHeaders({ issuer, header, claims }: Sound): Tokens {
  const signed = (members: object) => signRs256(issuer, { ...header, ...members }, claims)
  return {
    'JWS-10: crit names an unknown member': signed({ crit: ['x'], x: 1 }),
    'JWS-10: crit names an absent member': signed({ crit: ['exp'] }),
    'JWS-10: crit empty': signed({ crit: [] }),
    'JWS-10: crit a string': signed({ crit: 'exp', exp: 1 }),
    'JWS-10: crit null': signed({ crit: null }),
    'JWS-10: crit names a registered member': signed({ crit: ['alg'] }),
    'JWS-10: crit holds a number': signed({ crit: [5] }),
    'B64-1: b64 false': signed({ b64: false, crit: ['b64'] }),
    'B64-1: b64 false, signed as RFC 7797 says': signUnencoded(issuer, header, claims),
    'B64-2: b64 false without crit': signed({ b64: false }),
    'B64-2: b64 true': signed({ b64: true, crit: ['b64'] }),
    'B64-2: b64 true without crit': signed({ b64: true })
  }
}

function signatures({ issuer, token, header, claims }: Sound): Tokens {
  const rsa = keyFor(issuer, 'RS256')
  const pss = keyFor(issuer, 'PS256')
  const ec = keyFor(issuer, 'ES256')
  const publicPem = createPublicKey(rsa.privateKey).export({ type: 'spki', format: 'pem' })
  const unsigned = (alg: string) => raw.rawToken({ ...header, alg }, claims, raw.unsigned)
  const as = (alg: string, { kid }: TestKey, signer: raw.Signer) =>
    raw.rawToken({ ...header, alg, kid }, claims, signer)
  const plain = raw.signer('ES256', ec.privateKey)
  return {
    'JWS-6: alg none': unsigned('none'),
    'JWS-6: alg nOnE': unsigned('nOnE'),
    'JWS-6: alg none with a signature': raw.rawToken(
      { ...header, alg: 'none' },
      claims,
      raw.signer('RS256', rsa.privateKey)
    ),
    'JWS-6: RS256 with an empty signature': unsigned('RS256'),
    'JWS-8: HS256 with the public key as the secret': as('HS256', rsa, raw.hmacSigner(publicPem)),
    'JWS-8: HS256 with an empty secret': as('HS256', rsa, raw.hmacSigner('')),
    'JWS-9: RS256 under the kid of an EC key': as('RS256', ec, raw.signer('RS256', rsa.privateKey)),
    'JWS-9: ES256 under the kid of an RSA key': as('ES256', rsa, plain),
    'JWA-2: ES256 as DER': as('ES256', ec, raw.derSigner('ES256', ec.privateKey)),
    'JWA-2: ES256 cut short': as('ES256', ec, (input) => plain(input).subarray(0, 63)),
    'JWA-2: ES256 all zero': as('ES256', ec, () => new Uint8Array(64)),
    'JWA-4: PS256 without salt': as('PS256', pss, raw.pssSigner('PS256', pss.privateKey, 0)),
    'JWA-4: PS256 with a long salt': as('PS256', pss, raw.pssSigner('PS256', pss.privateKey, 64)),
    'BCP-2: RS256 with a bit changed': flipLastBit(token)
  }
}

function signRs256(issuer: TestIssuer, header: Part, payload: Part): string {
  return raw.rawToken(header, payload, raw.signer('RS256', keyFor(issuer, 'RS256').privateKey))
}

/** Signs the claims unencoded (RFC 7797 section 3), but sends them encoded, so that they pass as a token. */
function signUnencoded(issuer: TestIssuer, header: object, claims: object): string {
  const sign = raw.signer('RS256', keyFor(issuer, 'RS256').privateKey)
  const protectedPart = { ...header, b64: false, crit: ['b64'] }
  const input = `${raw.encode(protectedPart)}.${JSON.stringify(claims)}`
  return raw.rawToken(protectedPart, claims, () => sign(Buffer.from(input)))
}

/** The key with which an issuer signs with an algorithm. @throws {TypeError} if it has none */
export function keyFor(issuer: TestIssuer, alg: TestAlgorithm): TestKey {
  const key = issuer.keys.find(({ algorithms }) => algorithms.includes(alg))
  if (!key) throw new TypeError(`The issuer has no key for ${alg}`)
  return key
}

function prepend(object: string, member: string): string {
  return `{${member},${object.slice(1)}`
}

function append(object: string, member: string): string {
  return `${object.slice(0, -1)},${member}}`
}

function invalidUtf8(text: string): Uint8Array {
  const bytes = Buffer.from(text)
  bytes[bytes.lastIndexOf('?')] = 0xff
  return bytes
}

function swapCase(text: string): string {
  const upper = text.toUpperCase()
  return upper === text ? text.toLowerCase() : upper
}

/** The same bytes in the alphabet of plain base64, made to differ in any case. */
function mixAlphabet(part: string): string {
  const mixed = part.replaceAll('-', '+').replaceAll('_', '/')
  return mixed === part ? `${part.slice(0, -1)}+` : mixed
}

// The last character may hold bits that decoding drops: change a byte before it.
function flipLastBit(token: string): string {
  const [header, payload, signature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  return [header, payload, bytes.toString('base64url')].join('.')
}
